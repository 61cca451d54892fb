"""Golden scenes as an ordinary folder: images/, depth/, cameras.json, annotations.json."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from helpers.golden import ROOM, cast, rows_of


def write_folder(folder: Path, count: int = 5, side: int = 160) -> Path:
    """`count` views of one room, the camera a little higher and more tilted each time."""
    for name in ("images", "depth"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    names = sorted({block.category for block in ROOM})
    document: dict[str, list] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": k, "name": name} for k, name in enumerate(names)],
    }
    cameras = {}
    for n in range(count):
        camera, _, depth, index = cast(ROOM, eye=1.0 + 0.05 * n, pitch_deg=6 + n, side=side)
        shade = np.where(index < 0, 40 + n, 90 + 20 * index).astype(np.uint8)
        Image.fromarray(np.repeat(shade[..., None], 3, axis=2)).save(folder / "images" / f"{n}.png")
        Image.fromarray(np.rint(depth * 1000).astype(np.uint16)).save(folder / "depth" / f"{n}.png")
        cameras[str(n)] = camera.to_dict()
        document["images"].append({"id": n, "file_name": f"{n}.png", "width": side, "height": side})
        for row in rows_of(ROOM, index):
            document["annotations"].append(
                {
                    "id": 100 * n + int(row["object_id"]),
                    "image_id": n,
                    "category_id": names.index(row["category"]),
                    "name": row["name"],
                    "segmentation": row["rle"],
                    "bbox": row["bbox"],
                }
            )
    (folder / "cameras.json").write_text(json.dumps(cameras))
    (folder / "annotations.json").write_text(json.dumps(document))
    return folder

"""A data folder that holds questions made up for the audit."""

from __future__ import annotations

import numpy as np
from PIL import Image

from helpers import audit_rows as made
from helpers.tiny_data import plane
from pseudogd.store.dataset import Store
from pseudogd.store.photos import photo_id
from pseudogd.store.rows import geometry_row
from pseudogd.store.shards import plan


def data_of(folder, rows, same: int = 0):
    """A data folder with one photo for each id in the rows; the last `same` photos are others, saved anew."""
    rng = np.random.default_rng(0)
    (folder / "photos").mkdir(parents=True)
    ids = list(dict.fromkeys(row["image_id"] for row in rows))
    geometry, known, pictures = [], {}, []
    for k, old in enumerate(ids):
        if k < len(ids) - same:
            small = Image.fromarray(rng.integers(0, 255, (12, 12, 3), dtype=np.uint8))
            pictures.append(small.resize((made.SIZE, made.SIZE), Image.Resampling.BICUBIC))
        path = folder / "photos" / f"{k:03d}.png"
        (pictures[k] if k < len(pictures) else pictures[k - len(pictures)].point(lambda v: min(255, v + 4))).save(path)
        known[old] = photo_id(path)
        shape = plane(rng, made.SIZE)
        geometry.append(geometry_row(shape, image_id=known[old], path=path.name, width=made.SIZE, height=made.SIZE))
    names = {row["image_id"]: row["path"] for row in geometry}
    told = [
        {**row, "image_id": known[row["image_id"]], "path": names[known[row["image_id"]]], "messages": []}
        for row in rows
    ]
    for stage, held in (("geometry", geometry), ("objects", []), ("questions", told)):
        store = Store.open(folder / "data", stage, {}, photos=folder / "photos")
        parts = plan([str(k) for k in range(len(held) or 1)], 100)
        for part in parts:
            store.write_shard(stage, part, held[part.start : part.stop])
        store.finish(stage, len(parts))
    return folder / "data"

"""A data folder of a few small photos with planar geometry and questions, written by the store itself.

data = save_tiny_data(tmp_path / "data", photos=6, turns=5)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

SIZE = 64
TASKS = ("nearer", "direction", "distance")


def save_tiny_data(
    folder: str | Path,
    photos: int = 6,
    turns: int = 5,
    seed: int = 0,
    size: int | Sequence[tuple[int, int]] = SIZE,
    shortcuts: int | None = None,
    asked: int | None = None,
) -> Path:
    """Photos in `folder`/photos, the data folder in `folder`/data, which is returned.

    `size`: of square photos, or several (width, height), which photos get in turn.
    `shortcuts`: in how many of a photo's questions a rule of thumb is right, the first ones; None: no question has one.
    `asked`: how many photos have questions, the first ones; None: all.
    """
    from PIL import Image

    from pseudogd.store.dataset import Store
    from pseudogd.store.photos import photo_id
    from pseudogd.store.rows import geometry_row
    from pseudogd.store.shards import plan

    folder, rng = Path(folder), np.random.default_rng(seed)
    (folder / "photos").mkdir(parents=True)
    geometry, questions = [], []
    sizes = [(size, size)] if isinstance(size, int) else size
    for number in range(photos):
        path = folder / "photos" / f"{number:03d}.png"
        width, height = sizes[number % len(sizes)]
        Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8)).save(path)
        image_id, made = photo_id(path), plane(rng, width, height)
        geometry.append(geometry_row(made, image_id=image_id, path=path.name, width=width, height=height))
        if asked is None or number < asked:
            questions += [question(image_id, path.name, turn, rng) for turn in range(turns)]
    if shortcuts is not None:
        for number, row in enumerate(questions):
            row["evidence"] = {"form": row["task"], "shortcut": {"rule": "a rule", "right": number % turns < shortcuts}}
    ids = [row["image_id"] for row in geometry]
    for stage, rows in (("geometry", geometry), ("objects", []), ("questions", questions)):
        store = Store.open(folder / "data", stage, {"made by": "a test", "seed": seed}, photos=folder / "photos")
        part = plan(ids, photos)[0]
        store.write_shard(stage, part, rows)
        store.finish(stage, 1)
    return folder / "data"


def plane(rng: np.random.Generator, width: int, height: int | None = None):
    """Metric geometry of a slanted plane; square if `height` is left out."""
    from pseudogd.geometry.camera import Camera
    from pseudogd.geometry.types import Geometry, Scale, TeacherInfo

    height = height or width
    slope = np.linspace(0, rng.uniform(0.5, 3), height)[:, None]
    depth = np.broadcast_to(rng.uniform(1, 3) + slope, (height, width)).astype(np.float32)
    camera = Camera.from_fov(width, height, fov_x_deg=60.0)
    return Geometry(depth.copy(), camera, scale=Scale.METRIC, teacher=TeacherInfo("plane", "1", "none", "CC0-1.0"))


def question(image_id: str, path: str, turn: int, rng: np.random.Generator) -> dict:
    """One row of the questions stage; the answer is random."""
    task = TASKS[turn % len(TASKS)]
    text = (
        f"which is nearer ?\nA. the red chair\nB. the blue sofa {turn}"
        if turn % 2
        else f"how far is the table {turn} ?"
    )
    answer = "AB"[int(rng.integers(2))] if turn % 2 else f"{rng.integers(1, 9)} m"
    messages = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]},
        {"role": "assistant", "content": [{"type": "text", "text": answer}]},
    ]
    return {
        "question_id": f"{image_id[:8]}-{turn}",
        "image_id": image_id,
        "path": path,
        "task": task,
        "kind": "ordinal",
        "frame": "camera",
        "text": text,
        "answer": answer,
        "evidence": {},
        "messages": messages,
    }

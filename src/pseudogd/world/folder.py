"""Write rooms as an ordinary folder of photos: images, depth PNGs, cameras.json, COCO annotations."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from pseudogd.errors import InputError

CATEGORY_START = 1  # COCO category ids count from 1


def photo_rng(split: str, seed: int, index: int) -> np.random.Generator:
    """The generator of one photo: photos do not depend on how many there are or who renders them."""
    return np.random.default_rng([{"train": 1, "held_out": 2}[split], seed, index])


def render_photo(split: str, seed: int, index: int, size: int):
    """Draw and render photo `index`. Rooms with fewer than three visible objects are drawn again."""
    from pseudogd.world.layout import SPLITS, make_room
    from pseudogd.world.render import render

    rng = photo_rng(split, seed, index)
    for _ in range(20):
        picture = render(make_room(rng, SPLITS[split]), size, rng)
        if len(visible(picture)) >= 3:
            break
    return picture


def visible(picture, share: float = 0.0016) -> list[int]:
    """Indices of things that cover at least `share` of the picture."""
    counts = np.bincount(picture.ids[picture.ids >= 0].ravel(), minlength=len(picture.room.things))
    return [int(i) for i in np.flatnonzero(counts >= share * picture.ids.size)]


def _png(array: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def _annotations(picture, image_id: int, kinds: list[str]) -> list[dict]:
    from pycocotools import mask as coco

    rows = []
    for i in visible(picture):
        mask = picture.ids == i
        thing = picture.room.things[i]
        rle = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
        ys, xs = np.nonzero(mask)
        x0, y0, x1, y1 = int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1
        rows.append(
            {
                "id": image_id * 100 + i,
                "image_id": image_id,
                "category_id": CATEGORY_START + kinds.index(thing.kind.name),
                "segmentation": {"size": [int(n) for n in rle["size"]], "counts": rle["counts"].decode("ascii")},
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "area": int(mask.sum()),
                "iscrowd": 0,
                "name": thing.name,
                "color": thing.color,
            }
        )
    return rows


def _render_block(job: tuple) -> list[tuple[dict, dict, list[dict]]]:
    """Render and write a block of photos; return (image row, camera row, annotation rows) of each."""
    from pseudogd.world.shapes import KINDS

    out, split, seed, size, indices = job
    kinds, rows = list(KINDS), []
    for index in indices:
        name = f"{split}_{seed}_{index:06d}"
        picture = render_photo(split, seed, index, size)
        millimetres = np.clip(np.round(picture.depth * 1000), 1, 65535).astype(np.uint16)
        (out / "images" / f"{name}.png").write_bytes(_png(picture.image))
        (out / "depth" / f"{name}.png").write_bytes(_png(millimetres))
        image = {
            "id": index + 1,
            "file_name": f"{name}.png",
            "width": size,
            "height": size,
            "up_camera": picture.up.tolist(),
        }
        camera = {k: getattr(picture.camera, k) for k in ("fx", "fy", "cx", "cy", "width", "height")}
        rows.append((image, {name: camera}, _annotations(picture, index + 1, kinds)))
    return rows


def render_folder(
    out: str | os.PathLike,
    n: int,
    split: str = "train",
    seed: int = 0,
    size: int = 128,
    workers: int = 1,
    start: int = 0,
    progress=None,
) -> Path:
    """Render `n` rooms into `out`: images/, depth/ (16-bit millimetres), cameras.json, annotations.json.

    Args:
        split: "train" or "held_out": two disjoint distributions.
        start: index of the first photo; photo `i` of a seed is the same whatever `n`, `start` and `workers` are.
        progress: called with the number of photos finished since the last call.

    Raises:
        InputError: unknown split, or `n` or `size` out of range.
    """
    from pseudogd.world.layout import SPLITS
    from pseudogd.world.shapes import KINDS

    if split not in SPLITS:
        raise InputError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    if n < 1 or not 16 <= size <= 4096:
        raise InputError(f"cannot render n={n} photos of size={size}: n must be at least 1, size 16 to 4096")
    out = Path(out)
    for sub in ("images", "depth"):
        (out / sub).mkdir(parents=True, exist_ok=True)
    indices = range(start, start + n)
    jobs = [(out, split, seed, size, list(indices[i : i + 50])) for i in range(0, n, 50)]
    images, cameras, annotations = [], {}, []
    for rows in _run(jobs, workers):
        for image, camera, anns in rows:
            images.append(image)
            cameras.update(camera)
            annotations.extend(anns)
        if progress:
            progress(len(rows))
    categories = [{"id": CATEGORY_START + i, "name": name} for i, name in enumerate(KINDS)]
    (out / "cameras.json").write_text(json.dumps(cameras))
    coco = {"images": images, "annotations": annotations, "categories": categories}
    (out / "annotations.json").write_text(json.dumps(coco))
    return out


def _run(jobs: list[tuple], workers: int):
    if workers <= 1:
        yield from map(_render_block, jobs)
        return
    render = sys.modules.get("pseudogd.world.render")  # to import it here would load embree into the parent
    method = None if render is None or render.may_fork() else "spawn"
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context(method)) as pool:
        yield from pool.map(_render_block, jobs)

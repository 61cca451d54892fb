"""Photos per second of `pseudogd label` against the teacher's network alone and transformers' own pipeline.

    python perf/label.py --photos 512 --workers 2
    python perf/label.py --random small --photos 16 --size 512 --batch-size 8 --rounds 2 --stored 0

`label` reads, hashes, decodes and resizes photos, runs the network, fills in normals and gravity, encodes the maps and
writes shards. `network` is the bare forward pass on batches of ready pixels: no way of labelling can be faster.
`pipeline` is `transformers.pipeline("depth-estimation")` on the same photos and teacher in batches of the same size; it
reads, resizes and runs the network, and writes nothing. `storage` says what a photo takes on disk with its maps at
`--side` pixels, normals and confidence with them, and what the 16-bit code does to depth. Where the teacher has no
confidence, the agreement with the mirrored photo stands in for it.

`--random small` takes a Depth Anything of ViT-S's size, weights at random, at 518 pixels: the embedded teacher is a
thousand times cheaper than what users run, so that everything beside the network weighs a thousand times as much. Give
it many photos: starting and writing the last shard take a quarter of a second, however many there are.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import arguments, emit, in_turns, one_thread, per, ratio, rooms
from depth_teachers import SIZES, save_teacher
from PIL import ImageOps

from pseudogd.stages.label import label
from pseudogd.store import schemas
from pseudogd.store.photos import list_photos, load_photo
from pseudogd.store.rows import geometry_row, row_geometry
from pseudogd.store.shards import parquet_bytes
from pseudogd.teachers import load_teacher
from pseudogd.teachers.base import Photo
from pseudogd.teachers.cameras import CameraFile

_SIDE = 518


def main() -> None:
    parser = arguments(__doc__, photos=192, size=128, batch_size=16, workers=2, rounds=3, threads=1, side=512, stored=8)
    parser.add_argument("--teacher", default="embedded", help="as in pseudogd label")
    parser.add_argument("--random", choices=sorted(SIZES), help="a teacher of this size, weights at random, instead")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    one_thread()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as scratch:
        if args.random:
            args.teacher = f"depth-anything:{save_teacher(Path(scratch), args.random, _SIDE)}"
        measure(args)


def measure(args: Any) -> None:
    """Run all and print the figures."""
    teacher = load_teacher(args.teacher, device=args.device)
    with rooms(args.photos, args.size) as folder:
        paths = list_photos(folder)
        photo = teacher.prepare(Photo(load_photo(paths[0]))).pixels
        batch = torch.from_numpy(photo).to(args.device).expand(args.batch_size, *photo.shape).contiguous()
        number = itertools.count()

        @torch.inference_mode()
        def network() -> None:
            for _ in range(-(-args.photos // args.batch_size)):
                found = teacher.model(pixel_values=batch.to(next(teacher.model.parameters()).dtype)).predicted_depth
            found.float().cpu()  # a GPU is done only when its result is here

        def whole() -> None:
            label(
                folder,
                teacher,
                folder.parent / f"data{next(number)}",
                folder / "cameras.json",
                batch_size=args.batch_size,
                workers=args.workers,
                quiet=True,
            )

        jobs = {"label": whole, "network": network}
        theirs, why_not = _pipeline(args)
        if theirs is not None:
            jobs["pipeline"] = lambda: [None for _ in theirs([str(path) for path in paths], batch_size=args.batch_size)]
        times = in_turns(jobs, args.rounds)
    milliseconds = per(times, args.photos)
    result = {
        "photos_per_second": {name: round(1e3 / found["wall"], 1) for name, found in milliseconds.items()},
        "ms_per_photo": milliseconds,
        "ratio_label_to_network": ratio(times, "label", "network"),
        "ratio_label_to_pipeline": ratio(times, "label", "pipeline") if theirs is not None else why_not,
        "throughput_of_label": {
            name: round(1 / ratio(times, "label", name)["wall"], 3) for name in jobs if name != "label"
        },
        "throughput_of_label_by_round": {
            name: [round(theirs / ours, 3) for theirs, ours in zip(times[name]["wall"], times["label"]["wall"])]
            for name in jobs
            if name != "label"
        },
        "input_pixels": list(photo.shape[-2:]),
        "storage": {
            name: storage(args.teacher, args.device, args.side, args.stored, compact_maps=name == "compact_maps")
            for name in ("png", "compact_maps")
            if args.stored
        },
        "floor": "forward passes of the teacher's network on batches of ready pixels",
    }
    emit("label", args, result)


def _pipeline(args: Any) -> tuple[Any, str]:
    """transformers' own pipeline for the teacher, or why there is none."""
    from transformers import pipeline

    name = args.teacher.partition(":")[2] or args.teacher
    if name == "embedded":
        from pseudogd.world import checkpoint

        name = str(checkpoint("teacher"))
    try:
        return pipeline("depth-estimation", model=name, device=args.device), ""
    except Exception as error:  # it needs packages that are not always there, and says so in many ways
        return None, f"not run: {str(error).strip().splitlines()[0]}"


def storage(name: str, device: str, side: int, count: int, compact_maps: bool) -> dict[str, Any]:
    """Bytes of a photo's maps at `side` pixels in a shard, by column, and how far depth comes back from disk."""
    teacher = load_teacher(name, device=device, size=side)
    rows, errors = [], []
    with rooms(count, side) as folder:
        cameras = CameraFile(folder / "cameras.json")
        for path in list_photos(folder):
            image = load_photo(path)
            camera = cameras.camera(path.relative_to(folder / "images").as_posix(), *image.size)
            geometry = teacher.predict(image, camera)  # normals follow from its depth
            if geometry.confidence is None:
                mirrored = teacher.predict(ImageOps.mirror(image), None).depth[:, ::-1]
                with np.errstate(all="ignore"):
                    geometry = replace(geometry, confidence=_agreement(geometry.depth, mirrored))
            where = {"image_id": "0" * 64, "path": path.name, "width": side, "height": side}
            rows.append(geometry_row(geometry, **where, compact_maps=compact_maps, derived_normals=True))
            known = np.isfinite(geometry.depth)
            back = row_geometry({**rows[-1], "camera": None, "up": None, "teacher": json.dumps(rows[-1]["teacher"])})
            errors.append(back.depth[known] / geometry.depth[known].astype(np.float64) - 1)
    group, raw = schemas.ROW_GROUP["geometry"], schemas.RAW_COLUMNS["geometry"]
    whole = len(parquet_bytes(schemas.to_table("geometry", rows), row_group_size=group, raw=raw))
    wrong = np.concatenate(errors)
    return {
        "map_pixels": list(geometry.depth.shape),
        "bytes_per_photo": round(whole / count),
        "bytes_per_photo_of_4_to_3": round(0.75 * whole / count),  # the rooms are square
        "bytes_by_column": {
            column: round(sum(len(row[column] or b"") for row in rows) / count)
            for column in ("depth", "normals", "confidence")
        },
        "depth_error_percent": {
            "largest": round(100 * float(np.abs(wrong).max()), 5),
            "root_mean_square": round(100 * float(np.sqrt((wrong**2).mean())), 5),
        },
    }


def _agreement(depth: np.ndarray, other: np.ndarray) -> np.ndarray:
    """exp(-|ln of the ratio| / 5 %), which is 1 where both say the same."""
    scale = np.nanmedian(depth / other)
    return np.exp(-np.abs(np.log(depth / (other * scale))) / 0.05).astype(np.float32)


if __name__ == "__main__":
    main()

"""The table of `docs/questions.md`: how right questions at the default settings are, task by task, for two teachers.

    python tools/precision_table.py runs/precision [--rooms 250] [--seeds 99] [--workers 2] [--tasks nearer,size]

For each seed rooms of `held_out` are rendered twice, at 128 and at 320 pixels a side. *Embedded*: the photos of 128
pixels as the embedded teacher labels them, judged by their true depth. *True depth*: questions asked of the true depth
of 128 pixels, judged by that of 320 pixels, with its outlines: whether 128 pixels are enough for what is asked. Facts
are those that `synth` draws, with what the teacher states of its own errors, at most 40 of a task and photo; intervals
are Wilson's at 95 %, and take facts of one photo for independent. Started again, it goes on with the rooms and labels
that are there.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

import pseudogd
from pseudogd.stages.calibrate import scenes
from pseudogd.stages.settings_file import believing
from pseudogd.store.dataset import Store
from pseudogd.teachers.files import DepthFiles
from pseudogd.vqa.audit.intervals import share_interval
from pseudogd.vqa.calibration import Tried, try_scene
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.tasks import quotas
from pseudogd.world import render_folder

SIZES = (128, 320)
CHUNK = 10


def prepared(folder: Path, rooms: int, seed: int, workers: int) -> list[tuple[str, Path, Path, set[str] | None]]:
    """(teacher, data, truth, photos that count or None for all) of one seed, rendered and labelled where that has not
    been done."""
    photos = [folder / f"rooms_{seed}_{size}" for size in SIZES]
    for where, size in zip(photos, SIZES, strict=True):
        if not (where / "annotations.json").is_file():
            render_folder(where, rooms, "held_out", seed, size, workers)
    told, fine = photos
    alike = same_rooms(told, fine)
    found = []
    for name, teacher, seen in (("embedded", "embedded", told), ("true depth", f"files:{told / 'depth'}", fine)):
        data = folder / f"{name.replace(' ', '_')}_{seed}"
        pseudogd.label(seen, teacher, data, seen / "cameras.json", workers=workers, quiet=True)
        pseudogd.annotate(data, f"coco:{seen / 'annotations.json'}", quiet=True)
        found.append((name, data, seen / "depth", None if seen == told else alike))
    return found


def same_rooms(one: Path, other: Path) -> set[str]:
    """Names of the photos that show the same room in both sizes: one in which too little is seen is drawn anew, and a
    few are so in one size alone."""
    cameras, others = (json.loads((folder / "cameras.json").read_text()) for folder in (one, other))
    angle = {name: camera["fx"] / camera["width"] for name, camera in others.items()}
    return {name for name, camera in cameras.items() if abs(camera["fx"] / camera["width"] - angle[name]) < 1e-9}


def judged(data: Path, truth: Path, tasks: dict[str, float], rows: list[dict]) -> list[Tried]:
    """What was tried of some photos."""
    store, guide = Store(data), DepthFiles(truth, metres_per_unit=0.001)
    plan = SynthSettings.from_dict(believing({"tasks": tasks}, store.settings("geometry").get("depth_error")))
    pairs = (scenes(store, guide, row, plan.scene) for row in rows)
    return [one for told, true in pairs for one in try_scene(told, true, plan, curves=False)]


def interval(right: list[bool], photos: list[str]) -> tuple[float, float]:
    """95 % interval of the share of right facts, with the photo of each: see the top of this file."""
    values = np.array(right, dtype=np.float64)
    if all(right) or len(set(photos)) < 2:  # no design effect to be read off
        photos = sorted(set(photos))
        values = np.full(len(photos), values.mean())
    return share_interval(values, photos)


def shown(tried: list[Tried]) -> str:
    """``1,080 | 99.6 % [99.1, 99.8]``, or no facts."""
    if not tried:
        return "0 |"
    right = [one.right for one in tried]
    low, high = (f"{100 * end:.1f}" for end in interval(right, [one.photo for one in tried]))
    return f"{len(right):,} | {100 * sum(right) / len(right):.1f} % [{low}, {high}]"


def table(found: dict[str, list[Tried]], tasks: Iterable[str]) -> str:
    """Markdown: per task the number of facts and the share of right ones, for each teacher."""
    lines = ["| task | " + " | ".join(f"{name}: facts | right [95 %]" for name in found) + " |"]
    lines.append("| --- |" + " --- | --- |" * len(found))
    for task in sorted(tasks):
        cells = [shown([one for one in tried if one.task == task]) for tried in found.values()]
        lines.append(f"| `{task}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rooms", type=int, default=250)
    parser.add_argument("--seeds", type=int, nargs="+", default=[99])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tasks", help="names, such as nearer,size; default: all")
    args = parser.parse_args()
    tasks = {name: 1.0 for name in (args.tasks.split(",") if args.tasks else quotas())}
    found: dict[str, list[Tried]] = defaultdict(list)
    with ProcessPoolExecutor(args.workers) as pool:
        for seed in args.seeds:
            for name, data, truth, counted in prepared(args.folder, args.rooms, seed, args.workers):
                rows = Store(data).photos().to_pylist()
                rows = [row for row in rows if counted is None or Path(row["path"]).stem in counted]
                chunks = [rows[k : k + CHUNK] for k in range(0, len(rows), CHUNK)]
                for part in pool.map(partial(judged, data, truth, tasks), chunks):
                    found[name] += part
    counts = {name: {"count": len(tried), "right": sum(one.right for one in tried)} for name, tried in found.items()}
    print(json.dumps({"rooms": args.rooms, "seeds": args.seeds, **counts}))
    print(table(found, tasks))


if __name__ == "__main__":
    main()

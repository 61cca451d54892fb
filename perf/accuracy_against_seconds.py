"""Accuracy on the world bench (development split) against seconds of training, joint against language alone.

    OMP_NUM_THREADS=1 python perf/accuracy_against_seconds.py --out runs/seconds --seeds 2 \\
        --plot docs/accuracy_against_seconds.png

Photos, questions, student and recipe are the demo's (`recipes/embedded.yaml`). Both arms of a seed train at the same
time, one process and one thread each, so that whatever else the machine does falls on both; every checkpoint then
answers the same items. Seconds are the trainer's own (metrics.jsonl), data preparation and evaluation left out. Started
again after an interruption, it goes on where it stopped.

`at_equal_seconds` compares both arms at the moment when the first of them has finished, by straight lines between
checkpoints; `paired` the newest checkpoint that each arm had by then, item by item. The arm that takes longer is then
not at the end of its schedule of learning rates: the comparison is against it.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from common import arguments, emit, one_thread

import pseudogd
from pseudogd.benchmarks.compare import compare
from pseudogd.benchmarks.world_bench import WorldBench, build_world_bench
from pseudogd.embedded import DRAWS, FORMATS, LIMITS, QUESTIONS
from pseudogd.training import memory
from pseudogd.training.checkpoints import checkpoints
from pseudogd.training.recipe import load_recipe
from pseudogd.world import checkpoint, render_folder

ARMS = ("vqa_only", "joint")
RECIPE = Path(__file__).parents[1] / "recipes" / "embedded.yaml"
Curve = list[dict[str, Any]]
"""Checkpoints of an arm: step, seconds, accuracy, ci95, and the folder with the answers."""


def prepare(folder: Path, seed: int, photos: int, workers: int) -> Path:
    """The demo's photos and questions of a seed; returns the data folder."""
    rooms, data = folder / "photos", folder / "data"
    if not (rooms / "annotations.json").is_file():
        render_folder(rooms, photos, "train", seed, workers=workers)
    pseudogd.label(rooms, "embedded", data, rooms / "cameras.json", workers=workers, quiet=True)
    pseudogd.annotate(data, f"coco:{rooms / 'annotations.json'}", quiet=True)
    pseudogd.synth(data, QUESTIONS, seed=seed, workers=workers, quiet=True, formats=FORMATS, **DRAWS)
    pseudogd.audit(data, thin=True, photos=False, quiet=True, **LIMITS)
    return data


def train(arm: str, folder: Path, data: Path, seed: int, steps: int, every: int) -> float | None:
    """Train one arm in this process. Returns its processor seconds; None where it was trained before."""
    changes = {
        "arm": arm,
        "out": str(folder / arm),
        "seed": seed,
        "model.path": str(checkpoint("student")),
        "data.path": str(data),
        "optim.steps": steps,
        "checkpoint.every": every,
        "checkpoint.keep": steps // every + 1,
        "log_every": math.gcd(10, every),
    }
    before = time.process_time()
    result = pseudogd.train(load_recipe(RECIPE, changes), check=False, quiet=True)
    return None if result.already_done else time.process_time() - before


def answer(model: Path, bench: Path, out: Path) -> dict[str, Any]:
    """Summary of a checkpoint's answers."""
    return pseudogd.evaluate(model, bench, out, quiet=True)


def curves(pool: ProcessPoolExecutor, folder: Path, bench: Path) -> dict[str, Curve]:
    """Every checkpoint of both arms, the untrained student first."""
    jobs, points = {}, []
    for arm in ARMS:
        lines = (folder / arm / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        seconds = {row["step"]: row["seconds"] for row in map(json.loads, lines)}
        models = {0: checkpoint("student")}
        models |= {int(path.name.rpartition("-")[2]): path for path in checkpoints(folder / arm)}
        models[max(seconds)] = folder / arm / "model"
        for step, model in sorted(models.items()):
            out = folder / "answers" / (f"{arm}-{step}" if step else "base")
            jobs[out] = jobs.get(out) or pool.submit(answer, model, bench, out)
            points.append((arm, {"step": step, "seconds": seconds.get(step, 0.0), "answers": out}))
    found: dict[str, Curve] = {arm: [] for arm in ARMS}
    for arm, point in points:
        summary = jobs[point["answers"]].result()
        point["accuracy"] = summary["accuracy"]["overall"]
        point["ci95"] = summary["ci95"]["overall"]
        point["answers"] = point["answers"] / "eval" / summary["bench"]
        found[arm].append(point)
    return found


def at_equal_seconds(found: Mapping[str, Curve]) -> dict[str, Any]:
    """Both arms at the moment when the first of them has finished."""
    end = min(curve[-1]["seconds"] for curve in found.values())
    by_line = {
        arm: float(np.interp(end, [p["seconds"] for p in curve], [p["accuracy"] for p in curve]))
        for arm, curve in found.items()
    }
    newest = {arm: max(i for i, p in enumerate(curve) if p["seconds"] <= end) for arm, curve in found.items()}
    points = {arm: found[arm][index] for arm, index in newest.items()}
    paired = compare(points["vqa_only"]["answers"], points["joint"]["answers"])["overall"]
    return {
        "seconds": end,
        "accuracy": {arm: round(value, 4) for arm, value in by_line.items()},
        "difference": round(by_line["joint"] - by_line["vqa_only"], 4),
        "paired": {"steps": {arm: point["step"] for arm, point in points.items()}, **paired},
    }


def seconds_to_reach(curve: Curve, accuracy: float) -> float | None:
    """When a curve of straight lines first reaches an accuracy."""
    for a, b in pairwise(curve):
        if a["accuracy"] < accuracy <= b["accuracy"]:
            share = (accuracy - a["accuracy"]) / (b["accuracy"] - a["accuracy"])
            return round(a["seconds"] + share * (b["seconds"] - a["seconds"]), 1)
    return None


def one_seed(seed: int, bench: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Train and evaluate both arms of one seed."""
    folder = Path(args.out) / f"seed-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    data = prepare(folder, seed, args.photos, len(ARMS))
    memory.trim_heap()
    load = [os.getloadavg()[0]]
    with ProcessPoolExecutor(len(ARMS), multiprocessing.get_context("spawn")) as pool:
        runs = {arm: pool.submit(train, arm, folder, data, seed, args.steps, args.every) for arm in ARMS}
        spent = {arm: run.result() for arm, run in runs.items()}
        load.append(os.getloadavg()[0])
        found = curves(pool, folder, bench)
    _keep(folder / "cpu_seconds.json", spent)
    reach = {arm: seconds_to_reach(found[arm], found["vqa_only"][-1]["accuracy"]) for arm in ARMS}
    return {
        "seed": seed,
        "load_1_min": [round(value, 2) for value in load],
        "cpu_seconds": json.loads((folder / "cpu_seconds.json").read_text()),
        "curves": {
            arm: [{k: v for k, v in p.items() if k != "answers"} for p in curve] for arm, curve in found.items()
        },
        "at_equal_seconds": at_equal_seconds(found),
        "at_equal_steps": compare(*(found[arm][-1]["answers"] for arm in ARMS))["overall"],
        "seconds_to_the_last_accuracy_of_vqa_only": reach,
    }


def _keep(path: Path, spent: Mapping[str, float | None]) -> None:
    """Write processor seconds down; a run that goes on knows those of its last start alone, and says nothing."""
    if all(spent.values()):
        path.write_text(json.dumps({arm: round(value, 1) for arm, value in spent.items() if value}))
    elif not path.is_file():
        path.write_text("null")


def plot(path: Path, seeds: list[dict[str, Any]], chance: float) -> None:
    """Accuracy against seconds: thin lines for seeds, bands for 95 % intervals over items (of the first seed)."""
    from matplotlib.figure import Figure

    from pseudogd.reports.names import colour, label

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    for number, seed in enumerate(seeds):
        for arm, curve in seed["curves"].items():
            x, y = [p["seconds"] for p in curve], [100 * p["accuracy"] for p in curve]
            name = f"{label(arm)}, seed {seed['seed']}"
            axes.plot(x, y, color=colour(arm), marker="o", markersize=3, alpha=1 - 0.4 * (number > 0), label=name)
            if number == 0:
                low, high = zip(*((100 * a, 100 * b) for a, b in (p["ci95"] for p in curve)))
                axes.fill_between(x, low, high, color=colour(arm), alpha=0.12, linewidth=0)
    axes.axhline(100 * chance, color="#6b7280", linewidth=0.8, linestyle="--", label="chance")
    axes.set_ylim(bottom=100 * chance - 1)
    axes.set(xlabel="seconds of training (one core each, at the same time)", ylabel="items right, per cent")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130, metadata={"Software": None})


def parse() -> argparse.Namespace:
    parser = arguments(__doc__, photos=3000, items=2000, steps=1000, every=125, seeds=1)
    parser.add_argument("--out", help="folder for photos, runs and answers; default: one that is removed afterwards")
    parser.add_argument("--plot", help="PNG to write")
    return parser.parse_args()


def main() -> None:
    args = parse()
    one_thread()
    # processes of the pool read these when they start
    os.environ.update({**memory.ENVIRONMENT, **os.environ, "OMP_NUM_THREADS": "1"})
    with tempfile.TemporaryDirectory() as scratch:
        args.out = args.out or scratch
        spec = WorldBench(items=args.items, split="dev")
        bench = build_world_bench(Path(args.out) / spec.label, spec, workers=len(ARMS), quiet=True)
        seeds = [one_seed(seed, bench, args) for seed in range(args.seeds)]
        chance = json.loads((bench / "bench.json").read_text())["baselines"]["random"]["overall"]
    if args.plot:
        plot(Path(args.plot), seeds, chance)
    del args.out
    emit(
        Path(__file__).stem,
        args,
        {
            "seeds": seeds,
            "difference_at_equal_seconds": [seed["at_equal_seconds"]["difference"] for seed in seeds],
            "ratio_of_seconds_joint_to_vqa_only": statistics.median(_seconds_ratio(seed["curves"]) for seed in seeds),
            "floor": f"chance: {chance:.3f} of the items right, whatever the seconds",
        },
    )


def _seconds_ratio(found: Mapping[str, Curve]) -> float:
    return round(found["joint"][-1]["seconds"] / found["vqa_only"][-1]["seconds"], 3)


if __name__ == "__main__":
    main()

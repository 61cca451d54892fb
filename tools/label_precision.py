"""How often questions made from a teacher's depth have the right answer, on photos whose true depth is known.

    python tools/label_precision.py runs/demo/data runs/demo/photos [--depth-sigma 0.05 0.08] [--sunk inf]

Every fact that the questions room would ask of the teacher's geometry is compared with the same fact measured on the
truth, there without margins. Facts of which the rule of thumb in the flat picture is wrong stand in a row of their own:
balanced training draws half of its questions from them. Things' depth errors come first: `depth_sigma` of the scene
settings is what the questions room believes them to be. Marked points are left out: each depth map draws its own.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from pseudogd.benchmarks.truth import TruePhoto, true_photos
from pseudogd.geometry.types import Geometry
from pseudogd.store.dataset import Store
from pseudogd.vqa.build import build_scene
from pseudogd.vqa.fact import Fact
from pseudogd.vqa.guards import Margins
from pseudogd.vqa.scene import Scene, SceneSettings
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.synth import task_facts

TASKS = ("nearer", "direction", "distance", "hypothetical", "localization", "size")
NO_MARGINS = Margins(
    sigmas=0.0, depth_ratio=1.0, rank_gap=0.0, side_gap=0.0, height_gap=0.0, size_ratio=1.0, distance_sigmas=0.0,
    min_distance=0.0, closest_ratio=1.0, closest_gap=0.0, stand_off=0.1, sector=0.0,
)  # fmt: skip
SPACING = math.log(1.3)  # answers in metres count as right within this ratio: wrong options are farther away
MOST = 3000


def scene_of(photo: TruePhoto, geometry: Geometry, settings: SceneSettings) -> Scene:
    size = (geometry.camera.width, geometry.camera.height)
    return build_scene(geometry, photo.objects, image_id=photo.name, size=size, settings=settings)


def facts_of(scene: Scene, margins: Margins) -> dict[tuple, tuple[Fact, object]]:
    """What is claimed about what: key -> (fact, claim). The order in which a fact names things is often its answer."""
    found = {}
    for task in TASKS:
        for fact in islice(task_facts(scene, task, SynthSettings(margins=margins)), MOST):
            if "point" in fact.form:
                continue
            things, claim = fact.operands, fact.answer
            if task in ("nearer", "size"):
                form = fact.form.split(".")[1]
                same = {"pair_far": "pair_near", "smaller": "larger", "narrower": "wider", "shorter": "taller"}
                things, claim = (same.get(form, form), frozenset(things)), things[0]
            elif task == "localization":
                things = (things[0], frozenset(things[1:]))
            elif task == "distance":
                things, claim = frozenset(things), math.log(max(fact.value, 1e-3))
            found.setdefault((task, fact.form if task not in ("nearer", "size") else "", things), (fact, claim))
    return found


def agree(task: str, one: object, other: object) -> bool:
    return abs(one - other) < SPACING if task == "distance" else one == other


def depth_errors(scenes: list[tuple[Scene, Scene]]) -> dict[str, float]:
    """Errors of log depth of things: what all of a photo share, and what is each one's own (quantiles of its size)."""
    shared, own = [], []
    for true, told in scenes:
        right = {thing.object_id: float(np.median(thing.z)) for thing in true.objects}
        errors = np.array([math.log(np.median(t.z) / right[t.object_id]) for t in told.objects if t.object_id in right])
        if len(errors) > 1:
            shared.append(float(np.median(errors)))
            own += list(np.abs(errors - np.median(errors)))
    return {"shared_68": float(np.quantile(np.abs(shared), 0.68)), "own_68": float(np.quantile(own, 0.68)),
            "own_95": float(np.quantile(own, 0.95))}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--photos", type=int, default=250)
    parser.add_argument("--depth-sigma", type=float, nargs="+", default=[0.05])
    parser.add_argument("--sunk", type=float, default=SceneSettings.sunk, help="metres; inf believes every depth")
    args = parser.parse_args()
    store = Store(args.data)
    ids = {Path(row["path"]).name: row["image_id"] for row in store.photos().to_pylist()}
    photos = [p for p in islice(true_photos(args.truth), args.photos) if p.path.name in ids]
    teachers = [store.geometry(ids[p.path.name]) for p in photos]
    trusting, believing = SceneSettings(sunk=math.inf), SceneSettings(sunk=args.sunk)
    pairs = [(scene_of(p, p.geometry, trusting), scene_of(p, g, believing)) for p, g in zip(photos, teachers)]
    truths = [facts_of(true, NO_MARGINS) for true, _ in pairs]
    print(json.dumps({"photos": len(photos), **{k: round(v, 3) for k, v in depth_errors(pairs).items()}}))
    for sigma in args.depth_sigma:
        counts: dict[tuple[str, str], Counter] = defaultdict(Counter)
        settings = replace(believing, depth_sigma=sigma)
        for photo, geometry, truth in zip(photos, teachers, truths):
            for key, (fact, claim) in facts_of(scene_of(photo, geometry, settings), Margins()).items():
                rule = fact.evidence.get("shortcut")
                count = counts[key[0], "" if rule is None else "rule right" if rule["right"] else "rule wrong"]
                count["asked"] += 1
                count["known"] += key in truth
                count["right"] += key in truth and agree(key[0], claim, truth[key][1])
        print(f"depth_sigma {sigma}")
        for (task, rule), count in sorted(counts.items()):
            share = count["right"] / max(1, count["known"])
            print(f"  {task:13s} {rule:11s} asked {count['asked']:6d} comparable {count['known']:6d} right {share:.3f}")


if __name__ == "__main__":
    main()

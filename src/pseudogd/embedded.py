"""The embedded default: the whole road once, on photos of simulated rooms, with the shipped teacher and student.

Nothing here is a short cut: photos are an ordinary folder, the checkpoints are ordinary checkpoints, and every stage is
a public verb with options that anyone may give.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pseudogd
from pseudogd.engines.commands import Command, run_beside
from pseudogd.engines.local import SHARD_SIZE
from pseudogd.errors import InputError
from pseudogd.progress import notice, track
from pseudogd.store.shards import shard_paths
from pseudogd.training import memory

if TYPE_CHECKING:
    from pseudogd.stages.audit import Audit

ARMS = ("vqa_only", "joint")
CHECKPOINTS_SEED = 1000
"""Of the photos that the shipped teacher and student were trained on: no demo may see those."""
RECIPE: dict[str, Any] = {
    "data": {"turns": "auto", "turns_per_row": 8, "cache_mb": 128},
    "optim": {
        "steps": 1000,
        "batch_size": 8,
        "lr": {"tower": 2.5e-4, "projector": 2.5e-4, "llm": 5e-4, "head": 2e-3},
        "warmup": 0.1,
        "betas": [0.9, 0.98],
        "precision": "bf16",
    },
    "geometry": {
        "lambda": 2.0,
        "taps": [-1],
        "head_width": 96,
        "head_blocks": 0,
        "subcells": 2,
        "weights": {"anchor": 0.0},
    },
    "checkpoint": {"every": 400},
}
"""What differs from a recipe's defaults: a model of 3 M parameters learns faster than one of 3 B. The rates of tower,
language model and the geometry head were chosen on the development split (`docs/results.md`)."""
QUESTIONS: dict[str, float] = {
    "nearer": 4,
    "direction": 1,
    "distance": 3,
    "hypothetical": 8,
    "localization": 6,
    "size": 6,
}
FORMATS = {"mc": 0.8, "open": 0.1, "yesno": 0.1}
"""More questions than by default, as many are thinned out again (`data.balance`), most by letter as in the bench."""
DRAWS: dict[str, Any] = {"wordings": "plain", "fair": False, "without": ["distance.gap"]}
"""In the student's few words. Fair draws would find a sixth as many hypothetical questions in rooms of five things; the
audit's thinning leaves questions as hard to guess, four times as many. Gaps are too few to balance their numbers."""

LIMITS = {"wordings": 2.0}
"""A student of few words is asked in one plain wording for each form and format; else the audit's defaults."""


@dataclass(frozen=True)
class Demo:
    """Sizes of the demo. `split` is the world bench's: `test` to report, `dev` to choose settings by."""

    photos: int = 6000
    items: int = 2000
    split: str = "test"
    probe_photos: int = 300
    seed: int = 0
    panels: int = 4

    def __post_init__(self) -> None:
        if self.seed == CHECKPOINTS_SEED:
            raise InputError(f"seed {self.seed} is that of the photos which trained the teacher; choose another")


def demo(
    out: str | os.PathLike[str] = "runs/demo",
    *,
    seed: int = 0,
    photos: int = 6000,
    items: int = 2000,
    split: str = "test",
    steps: int | None = None,
    workers: int | None = None,
    student: str | os.PathLike[str] | None = None,
    quiet: bool = False,
) -> Path:
    """Render photos, label, annotate, synthesise, train both arms, evaluate, export, report. Returns the report's path.

    `student` is the base checkpoint to train, of any supported family; None is the embedded one.
    Started again after an interruption it goes on where it stopped. Raises PseudoGDError as the verbs do.
    """
    base = None if student is None else Path(student)
    run = _Demo(Path(out), Demo(photos=photos, items=items, split=split, seed=seed), steps, workers, quiet, base)
    return run()


class _Demo:
    """One demo run and what it has measured so far."""

    def __init__(
        self, out: Path, size: Demo, steps: int | None, workers: int | None, quiet: bool, student: Path | None
    ) -> None:
        self.out, self.size, self.steps, self.quiet, self.student = out, size, steps, quiet, student
        self.workers = workers or min(2, os.cpu_count() or 1)
        self.seconds: dict[str, float] = {}
        self.audit: Audit | None = None
        self.photos, self.data, self.rooms = out / "photos", out / "data", out / "bench" / "world" / "rooms"

    def __call__(self) -> Path:
        from pseudogd.world import checkpoint

        self.out.mkdir(parents=True, exist_ok=True)
        student = self.student or checkpoint("student")
        self._photos()
        self._questions()
        self._train(student)
        self._evaluate(student)
        measures = self._measure(student)
        (self.out / "measures.json").write_text(json.dumps(measures, indent=1) + "\n", encoding="utf-8")
        with self._stage("view"):
            page = pseudogd.view(self.data, seed=self.size.seed, quiet=True)
        report = pseudogd.report(self.out)
        notice(f"questions with their evidence: {page}", self.quiet)
        notice(f"report: {report}", self.quiet)
        return report

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        """Time a stage; a stage that was finished in an earlier run keeps the time that it took then."""
        path = self.out / "seconds.json"
        known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        start = time.perf_counter()
        yield
        took = time.perf_counter() - start
        self.seconds[name] = max(took, float(known.get(name, 0.0)))
        path.write_text(json.dumps({**known, **self.seconds}), encoding="utf-8")

    def _photos(self) -> None:
        from pseudogd.world import render_folder

        with self._stage("render"):
            if not (self.photos / "annotations.json").is_file():
                with track("render", self.size.photos, unit="photos", quiet=self.quiet) as bar:
                    render_folder(
                        self.photos,
                        self.size.photos,
                        "train",
                        self.size.seed,
                        workers=self.workers,
                        progress=bar.advance,
                    )

    def _questions(self) -> None:
        with self._stage("label"):
            self._label()
        with self._stage("annotate"):
            pseudogd.annotate(self.data, f"coco:{self.photos / 'annotations.json'}", quiet=self.quiet)
        with self._stage("synth"):
            pseudogd.synth(
                self.data,
                QUESTIONS,
                seed=self.size.seed,
                workers=self.workers,
                quiet=self.quiet,
                formats=FORMATS,
                **DRAWS,
            )
        with self._stage("audit"):
            self.audit = pseudogd.audit(
                self.data, thin=True, most=1_000_000, workers=self.workers, quiet=self.quiet, **LIMITS
            )

    def _label(self) -> None:
        """In a process of its own: half a GB of torch in this one would stand beside the trainings."""
        where = ["--out", str(self.data), "--cameras", str(self.photos / "cameras.json")]
        hands = ["--workers", str(self.workers), "--quiet"]
        arguments = [sys.executable, "-m", "pseudogd", "label", str(self.photos), *where, *hands]
        command = Command("label", arguments, self.size.photos, partial(_labelled, self.data / "geometry"))
        run_beside([command], at_once=1, env=os.environ, title="label", unit="photos", quiet=self.quiet)

    def _recipe(self, arm: str, student: Path) -> Path:
        import yaml

        recipe = {
            "arm": arm,
            "out": str(self.out / arm),
            "seed": self.size.seed,
            "model": {"path": str(student)},
            **RECIPE,
            "data": {"path": str(self.data), **RECIPE["data"]},
        }
        if self.steps:
            recipe["optim"] = {**RECIPE["optim"], "steps": self.steps}
        path = self.out / f"{arm}.yaml"
        path.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
        return path

    def _train(self, student: Path) -> None:
        """Both arms, each in a process of its own with one thread: on two cores that is twice as fast as in turn."""
        steps = self.steps or RECIPE["optim"]["steps"]
        commands = [
            Command(
                f"train {arm}",
                [sys.executable, "-m", "pseudogd", "train", str(self._recipe(arm, student)), "--quiet"],
                steps,
                partial(_last_step, self.out / arm / "metrics.jsonl"),
            )
            for arm in ARMS
        ]
        memory.trim_heap()  # what making questions has used is not to stand beside two trainings
        with self._stage("train"):
            # what the user has set stands, but two trainings with two threads each would wait for one another
            env = {**memory.ENVIRONMENT, **os.environ, "OMP_NUM_THREADS": "1"}
            run_beside(commands, at_once=self.workers, env=env, title=f"train {' + '.join(ARMS)}", quiet=self.quiet)
        for arm in ARMS:
            result = json.loads((self.out / arm / "train.json").read_text(encoding="utf-8"))
            self.seconds[f"train {arm}"] = float(result["result"]["seconds"])

    def _evaluate(self, student: Path) -> None:
        from pseudogd.benchmarks.world_bench import WorldBench, build_world_bench

        with self._stage("bench"):
            spec = WorldBench(items=self.size.items, split=self.size.split)
            bench = build_world_bench(self.out / "bench" / "world", spec, workers=self.workers, quiet=self.quiet)
        with self._stage("eval"):
            for arm, model in self._models(student).items():
                pseudogd.evaluate(model, bench, self.out / arm, quiet=self.quiet)

    def _models(self, student: Path) -> dict[str, Path]:
        return {"base": student, **{arm: self.out / arm / "model" for arm in ARMS}}

    def _measure(self, student: Path) -> dict[str, Any]:
        from pseudogd.benchmarks.probe import depth_probe
        from pseudogd.benchmarks.teacher_errors import teacher_errors
        from pseudogd.reports.versions import versions

        with self._stage("teacher"):
            labelled = self.out / "teacher_check"
            pseudogd.label(self.rooms, "embedded", labelled, self.rooms / "cameras.json", quiet=True)
            teacher = teacher_errors(labelled, self.rooms)
        with self._stage("probe"):
            probes = {
                arm: depth_probe(model, self.photos, self.rooms, max_photos=self.size.probe_photos)
                for arm, model in self._models(student).items()
            }
            self._panels(student, labelled)
        with self._stage("export"):
            exported = {arm: pseudogd.export(self.out / arm, self.out / arm / "export", quiet=True) for arm in ARMS}
        return {
            "title": "pseudogd demo",
            "seed": self.size.seed,
            "seconds": {name: round(value, 1) for name, value in self.seconds.items()},
            "teacher": teacher,
            "questions": _about_questions(self.data, self.audit) if self.audit else {},
            "depth_probe": probes,
            "export": {"max_abs_logit_diff": max(result.max_abs_logit_diff for result in exported.values())},
            "versions": versions(),
            "notes": NOTES,
        }

    def _panels(self, student: Path, labelled: Path) -> None:
        """Photo, true depth, the teacher's depth, and what a linear probe reads off each tower, for a few rooms."""
        import numpy as np

        from pseudogd.benchmarks.probe import probe_maps
        from pseudogd.benchmarks.truth import true_photos
        from pseudogd.reports.pictures import save_panel
        from pseudogd.store.dataset import Store
        from pseudogd.store.photos import load_photo, photo_id

        fit_on = list(true_photos(self.photos, with_objects=False, normals=False))[: self.size.probe_photos]
        shown = list(true_photos(self.rooms, with_objects=False, normals=False))[: self.size.panels]
        maps = {arm: probe_maps(model, fit_on, shown) for arm, model in self._models(student).items()}
        store = Store(labelled)
        for k, photo in enumerate(shown):
            depths = {"true": photo.geometry.depth, "teacher": store.geometry(photo_id(photo.path)).depth}
            depths |= {arm: maps[arm][k] for arm in maps}
            save_panel(self.out / "panels" / f"{k:02d}.npz", np.asarray(load_photo(photo.path)), depths)


NOTES = (
    "Photos, rooms of the bench and both checkpoints are simulated: what is shown is that the road works and what "
    "joint distillation adds on it, not how good a large model gets.",
)


def _about_questions(data: Path, audit: Audit) -> dict[str, Any]:
    """What the report says of the training questions: how many of each task, kept by training, and the audit."""
    from pseudogd.stages.audit import told

    return {
        "made": audit.total,
        "kept": audit.kept,
        "tasks": dict(audit.made_of["tasks"]),
        "audit": [{"verdict": check.verdict, "check": check.title, "told": told(check)} for check in audit.checks],
        "pages": [f"{data.name}/audit.html", f"{data.name}/view.html"],
    }


def _labelled(folder: Path) -> int:
    """How many photos the finished shards hold, the last one taken for a full one."""
    return SHARD_SIZE * len(shard_paths(folder))


def _last_step(path: Path) -> int:
    """The step of the last whole line of a metrics file; 0 before there is one."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    for line in reversed(lines):
        try:
            return int(json.loads(line)["step"])
        except (ValueError, KeyError):
            continue
    return 0

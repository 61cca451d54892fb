"""Geometry and objects to spatial questions, each with its evidence. Needs no GPU; photos are opened to be marked."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pseudogd.engines.jobs import Job
from pseudogd.engines.local import SHARD_SIZE, run_stage
from pseudogd.engines.ray_engine import engine_of
from pseudogd.engines.result import Outcome, StageResult
from pseudogd.errors import InputError
from pseudogd.geometry.types import Scale
from pseudogd.progress import notice
from pseudogd.stages._estimate import Estimate, measured
from pseudogd.stages._upstream import digest, origins
from pseudogd.stages.marking import can_mark, marked_photo, tell_of_marks
from pseudogd.stages.rerender import rerender as write_again
from pseudogd.stages.settings_file import believing, merged, read_settings
from pseudogd.store.dataset import Store
from pseudogd.store.manifest import plain_settings
from pseudogd.vqa.build import build_scene
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.settings import DEFAULT_TASKS, SynthSettings
from pseudogd.vqa.synth import synthesise
from pseudogd.vqa.tasks import module_of
from pseudogd.vqa.vocabulary import wording_hash

SETTINGS = (
    *("formats", "scene", "margins", "stability", "least_margin", "without", "wordings", "units", "numbers", "fair"),
    "marks",
)
"""Names of what may be set, besides tasks and seed."""
_IN_WORDS = ("formats", "wordings", "units", "numbers")
"""Settings that may change without asking the geometry again."""
_NO_SETTINGS = ("seed", "wording", "shard_size", "second", "rerendered")
"""What the manifest holds of the stage beside `SynthSettings`."""
_LACKS = {"metric": "metres", "ratio": "true shape", "bearing": "true shape"}
"""By kind of question: what depth that is not metric, or not even right up to a factor, does not give."""


@dataclass(frozen=True)
class SynthResult(StageResult):
    """Counts of `synth`: `tasks` maps each task to its number of questions."""

    tasks: Mapping[str, int] | None = None


def synth(
    data: str | os.PathLike[str],
    tasks: str | Sequence[str] | Mapping[str, float] | None = None,
    *,
    formats: Mapping[str, float] | None = None,
    scene: Mapping[str, Any] | None = None,
    margins: Mapping[str, Any] | None = None,
    wordings: str | None = None,
    stability: Mapping[str, Any] | None = None,
    least_margin: Mapping[str, float] | None = None,
    without: Sequence[str] | None = None,
    units: str | None = None,
    numbers: str | None = None,
    fair: bool | None = None,
    marks: str | None = None,
    settings_file: str | os.PathLike[str] | None = None,
    second: str | os.PathLike[str] | None = None,
    rerender: bool = False,
    seed: int = 0,
    workers: int = 1,
    shard_size: int = SHARD_SIZE,
    max_failures: int = 0,
    overwrite: bool = False,
    num_shards: int = 1,
    shard: int = 0,
    engine: str = "local",
    dry_run: bool = False,
    quiet: bool = False,
) -> SynthResult | Estimate:
    """Write the spatial questions of every photo of the data folder `data`.

    tasks     names ("nearer,size=20" or a list: at most 20 of size a photo, of nearer its quota), or name -> most of a
              photo. Default: all, by their quotas.
    formats   shares of ``mc``, ``open``, ``yesno`` and ``steps`` (the answer after the steps of its formula); those not
              named are not used. Default: 0.6, 0.2, 0.2, 0.
    wordings  "all" (default), or "plain" for a student of few words.
    scene, margins   settings of `vqa.scene.SceneSettings` and `vqa.guards.Margins` that differ from their defaults. The
              errors of depth are by default those that the teacher states of itself.
    stability which errors of the geometry an answer must survive: `vqa.stability.StabilitySettings`.
    least_margin, without   least margin of a fact by its form, and forms that are not asked; `calibrate` proposes both.
    units     of lengths: "m" (default), "cm", "ft" or "in".
    numbers   "honest" (default): no finer than their error allows; "error": with the error said; "fixed".
    fair      True (default): no answer can be guessed from the flat picture or from what is usual; False asks more.
    marks     "off" (default): things that no words tell apart are not asked about. "ambiguous": they get a number on a
              copy of the photo, beside the data, and the questions that speak of one show that copy.
    settings_file   YAML with any of the above under their names; what is given beside it comes first.
    second    another data folder, of the same photos by another teacher: answers must be the same there.
    rerender  put the questions that are there in the words, units, numbers and formats given now, without geometry.
    overwrite  delete the questions there instead of refusing other settings.
    num_shards, shard   this is one job of several, as in `label`.
    engine    "local", "ray" or "ray:ADDRESS", as in `label`.
    dry_run   write nothing, and measure on some of the photos what it will take.

    The same data, settings and seed give the same rows in the same order. Raises InputError for an unknown task or
    setting, for a metric task on a teacher without metric depth, or when an earlier stage is missing; SettingsMismatch
    when the folder holds questions made with other settings.
    """
    given = {"tasks": _quotas(tasks), "formats": formats, "scene": scene, "margins": margins, "wordings": wordings}
    given |= {"stability": stability, "least_margin": least_margin, "without": without}
    given |= {"units": units, "numbers": numbers, "fair": fair, "marks": marks}
    wanted = merged({} if settings_file is None else read_settings(settings_file), given)
    if rerender:
        if dry_run:
            raise InputError("dry_run: to rerender takes seconds; leave out one of both")
        return _rerendered(data, wanted, seed, max_failures, quiet)
    reader = Store(data)
    reader.require("objects")
    plan = SynthSettings.from_dict(believing(wanted, reader.settings("geometry").get("depth_error")))
    plan = _fitting(reader, plan, asked=tasks is not None, quiet=quiet)
    other = None if second is None else _Second(second, reader)
    plain = {**plan.to_dict(), "seed": seed, "wording": _wording(plan), "shard_size": shard_size}
    if other is not None:
        plain["second"] = other.teacher
    job, cluster = Job(shard, num_shards), engine_of(engine, workers)
    if dry_run:
        do = lambda photo: _questions(reader, photo, plan, seed, other)  # noqa: E731
        return measured("questions", reader.photos().to_pylist(), do, workers=workers, jobs=num_shards, quiet=quiet)
    with job.writing(Path(data), "questions", overwrite=overwrite):
        store = Store.open(data, "questions", plain, resume=not overwrite)
        photos = store.photos().to_pylist()
        made_from = [origins(store, stage, verify=True) for stage in ("geometry", "objects")]
        made_from += [] if other is None else [other.origin]
        result = run_stage(
            photos,
            lambda photo: _questions(store, photo, plan, seed, other),
            store=store,
            stage="questions",
            keys=[
                digest(
                    *(p["image_id"], p["path"], *(known.get(p["image_id"]) for known in made_from)),
                    *(can_mark(store, p) if plan.marks != "off" else ()),
                )
                for p in photos
            ],
            names=[photo["path"] for photo in photos],
            workers=workers,
            shard_size=shard_size,
            max_failures=max_failures,
            job=job,
            engine=cluster,
            title="synth",
            quiet=quiet,
        )
    if not result.complete:
        return SynthResult(**{**asdict(result), "out": result.out})
    tell_of_marks(Store(data), plan.marks, quiet)
    return SynthResult(**{**asdict(result), "out": result.out}, tasks=_counted(data, plan, quiet))


def _counted(data: str | os.PathLike[str], plan: SynthSettings, quiet: bool) -> dict[str, int]:
    counts = dict.fromkeys(plan.to_dict()["tasks"], 0)
    for task in Store(data).questions(["task"])["task"].to_pylist():
        counts[task] = counts.get(task, 0) + 1
    notice("questions: " + ", ".join(f"{task} {count:,}" for task, count in counts.items()), quiet)
    return counts


def _rerendered(
    data: str | os.PathLike[str], wanted: Mapping[str, Any], seed: int, max_failures: int, quiet: bool
) -> SynthResult:
    """The questions that are there in other words; facts, and so tasks and margins, stay those that they were."""
    if fixed := sorted(set(wanted) - set(_IN_WORDS)):
        raise InputError(f"{fixed[0]}: cannot change when only the words do; leave it out, or leave out --rerender")
    start = time.monotonic()
    store = Store(data)
    if "questions" not in store.manifest.stages:
        store.require("questions")
    old = store.manifest.stages["questions"].settings
    plan = SynthSettings.from_dict({**{k: v for k, v in old.items() if k not in _NO_SETTINGS}, **wanted})
    kept = {key: value for key, value in old.items() if key in _NO_SETTINGS}
    plain = {**kept, **plan.to_dict(), "wording": _wording(plan), "rerendered": seed}
    with Job().writing(Path(data), "questions"):
        done = write_again(store, plan, plain_settings(plain), seed, quiet)
    counts, seconds = _counted(data, plan, quiet), time.monotonic() - start
    rows = done["rows"]
    return SynthResult("questions", store.root, rows, rows, done["failures"], 0, seconds, max_failures, counts)


class _Second:
    """The same photos and objects as another teacher sees them."""

    def __init__(self, data: str | os.PathLike[str], first: Store) -> None:
        self.store = Store(data)
        self.origin = origins(self.store, "geometry")
        common = set(self.origin).intersection(first.geometry_ids())
        if not common:
            raise InputError(f"{data}: has no photo of {first.root}; label the same photos with another teacher")
        info = self.store.geometry(min(common)).teacher
        self.teacher = {"name": info.name, "revision": info.revision, "settings": info.settings_hash}

    def scene(
        self, photo: Mapping[str, Any], objects: Sequence[Mapping[str, Any]], plan: SynthSettings
    ) -> Scene | None:
        """None for a photo that the second teacher has not seen."""
        if photo["image_id"] not in self.origin:
            return None
        size = (photo["width"], photo["height"])
        geometry = self.store.geometry(photo["image_id"])
        return build_scene(geometry, objects, image_id=photo["image_id"], size=size, settings=plan.scene)


def _quotas(tasks: str | Sequence[str] | Mapping[str, float] | None) -> Mapping[str, float] | None:
    if tasks is None or isinstance(tasks, Mapping):
        return tasks
    names = [name.strip() for name in tasks.split(",")] if isinstance(tasks, str) else list(tasks)
    if not any(names):
        raise InputError(f"tasks = {tasks!r}: names no task; all are: {', '.join(DEFAULT_TASKS)}")
    return dict(_quota(name) for name in names if name)


def _quota(text: str) -> tuple[str, float]:
    """``nearer`` or ``nearer=20``, at most so many questions a photo."""
    name, given, number = (part.strip() for part in text.partition("="))
    try:
        return name, float(number) if given else DEFAULT_TASKS.get(name, 1.0)
    except ValueError:
        raise InputError(f"tasks: {text!r} must be a name, or name=number of questions a photo") from None


def _fitting(store: Store, settings: SynthSettings, asked: bool, quiet: bool) -> SynthSettings:
    """Settings without the tasks that this teacher's depth can never answer; InputError if one was asked for."""
    ids = store.geometry_ids()
    first = store.geometry(ids[0]) if ids else None
    if first is None or first.scale is Scale.METRIC:
        return settings
    mute = {kind: what for kind, what in _LACKS.items() if first.scale is Scale.AFFINE_DISPARITY or kind == "metric"}
    out = [task for task, quota in settings.tasks.items() if quota > 0 and module_of(task).NEEDS in mute]
    if not out:
        return settings
    missing = {mute[module_of(task).NEEDS] for task in out}
    verb = "needs" if len(out) == 1 else "need"
    said = (
        f"{', '.join(out)} {verb} {' and '.join(sorted(missing))}, "
        f"but teacher {first.teacher.name} gives {first.scale.value} depth"
    )
    if asked:
        raise InputError(f"{store.root}: {said}; leave it out or label with a metric teacher")
    notice(f"note: {said}; left out", quiet)
    return replace(settings, tasks={name: quota for name, quota in settings.tasks.items() if name not in out})


def _wording(settings: SynthSettings) -> str:
    return wording_hash(
        [task for task, quota in settings.tasks.items() if quota > 0], plain=settings.wordings == "plain"
    )


def _questions(
    store: Store, photo: Mapping[str, Any], plan: SynthSettings, seed: int, other: _Second | None
) -> Outcome:
    image_id, objects = photo["image_id"], store.objects(photo["image_id"])
    found = None if plan.marks == "off" else marked_photo(store, photo, objects, seed)
    objects = objects if found is None else found.objects
    size = (photo["width"], photo["height"])
    scene = build_scene(store.geometry(image_id), objects, image_id=image_id, size=size, settings=plan.scene)
    second = None if other is None else other.scene(photo, objects, plan)
    rows = [q.row() for q in synthesise(scene, settings=plan, seed=seed, path=photo["path"], second=second)]
    return Outcome(rows) if found is None else found.outcome(rows, scene.skipped)

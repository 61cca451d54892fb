"""Geometry and objects to spatial questions, each with its evidence. Needs no GPU and never opens a photo."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pseudogd.engines.jobs import Job
from pseudogd.engines.local import SHARD_SIZE, run_stage
from pseudogd.engines.ray_engine import engine_of
from pseudogd.engines.result import StageResult
from pseudogd.errors import InputError
from pseudogd.geometry.types import Scale
from pseudogd.progress import notice
from pseudogd.stages._upstream import digest, origins
from pseudogd.store.dataset import Store
from pseudogd.vqa.build import build_scene
from pseudogd.vqa.phrasing import wording_hash
from pseudogd.vqa.settings import DEFAULT_TASKS, SynthSettings
from pseudogd.vqa.synth import synthesise

METRIC_TASKS = ("distance",)


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
    seed: int = 0,
    workers: int = 1,
    shard_size: int = SHARD_SIZE,
    max_failures: int = 0,
    overwrite: bool = False,
    num_shards: int = 1,
    shard: int = 0,
    engine: str = "local",
    quiet: bool = False,
) -> SynthResult:
    """Write the spatial questions of every photo of the data folder `data`.

    tasks     names ("nearer,size" or a list; default quotas), or name -> most questions per photo. Default: all.
    formats   shares of ``mc``, ``open`` and ``yesno``; those not named are not used. Default: 0.6, 0.2, 0.2.
    scene, margins   settings of `vqa.scene.SceneSettings` and `vqa.guards.Margins` that differ from their defaults.
    overwrite  delete the questions there instead of refusing other settings.
    num_shards, shard   this is one job of several, as in `label`.
    engine    "local", "ray" or "ray:ADDRESS", as in `label`.

    The same data, settings and seed give the same rows in the same order. Raises InputError for an unknown task or
    setting, for a metric task on a teacher without metric depth, or when an earlier stage is missing; SettingsMismatch
    when the folder holds questions made with other settings.
    """
    given = {"tasks": _quotas(tasks), "formats": formats, "scene": scene, "margins": margins}
    settings = SynthSettings.from_dict({name: value for name, value in given.items() if value is not None})
    reader = Store(data)
    reader.require("objects")
    settings = _fitting(reader, settings, asked=tasks is not None, quiet=quiet)
    plain = {**settings.to_dict(), "seed": seed, "wording": wording_hash(), "shard_size": shard_size}
    job, cluster = Job(shard, num_shards), engine_of(engine, workers)
    with job.writing(Path(data), "questions", overwrite=overwrite):
        store = Store.open(data, "questions", plain, resume=not overwrite)
        photos = store.photos().to_pylist()
        geometry, objects = (origins(store, stage, verify=True) for stage in ("geometry", "objects"))
        result = run_stage(
            photos,
            lambda photo: _questions(store, photo, settings, seed),
            store=store,
            stage="questions",
            keys=[
                digest(p["image_id"], p["path"], geometry[p["image_id"]], objects.get(p["image_id"])) for p in photos
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
    counts = dict.fromkeys(settings.to_dict()["tasks"], 0)
    for task in Store(data).questions(["task"])["task"].to_pylist():
        counts[task] += 1
    notice("questions: " + ", ".join(f"{task} {count:,}" for task, count in counts.items()), quiet)
    return SynthResult(**{**asdict(result), "out": result.out}, tasks=counts)


def _quotas(tasks: str | Sequence[str] | Mapping[str, float] | None) -> Mapping[str, float] | None:
    if tasks is None or isinstance(tasks, Mapping):
        return tasks
    names = [name.strip() for name in tasks.split(",")] if isinstance(tasks, str) else list(tasks)
    if not any(names):
        raise InputError(f"tasks = {tasks!r}: names no task; all are: {', '.join(DEFAULT_TASKS)}")
    return {name: DEFAULT_TASKS.get(name, 1.0) for name in names if name}


def _fitting(store: Store, settings: SynthSettings, asked: bool, quiet: bool) -> SynthSettings:
    """Settings without the tasks that this teacher's depth can never answer; InputError if one was asked for."""
    ids = store.geometry_ids()
    first = store.geometry(ids[0]) if ids else None
    metric = [task for task in METRIC_TASKS if settings.tasks.get(task, 0) > 0]
    if first is None or first.scale is Scale.METRIC or not metric:
        return settings
    said = f"{', '.join(metric)} needs metres, but teacher {first.teacher.name} gives {first.scale.value} depth"
    if asked:
        raise InputError(f"{store.root}: {said}; leave it out or label with a metric teacher")
    notice(f"note: {said}; left out", quiet)
    return replace(settings, tasks={name: quota for name, quota in settings.tasks.items() if name not in metric})


def _questions(store: Store, photo: Mapping[str, Any], settings: SynthSettings, seed: int) -> list[dict[str, Any]]:
    image_id = photo["image_id"]
    scene = build_scene(
        store.geometry(image_id),
        store.objects(image_id),
        image_id=image_id,
        size=(photo["width"], photo["height"]),
        settings=settings.scene,
    )
    return [question.row() for question in synthesise(scene, settings=settings, seed=seed, path=photo["path"])]

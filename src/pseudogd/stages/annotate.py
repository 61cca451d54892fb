"""Photos to named objects: whoever knows where things are says so once, and it is written down."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from pseudogd.engines.jobs import Job
from pseudogd.engines.local import SHARD_SIZE, ShardFunction, reason_of, run_batches, run_stage
from pseudogd.engines.ray_engine import engine_of
from pseudogd.engines.result import Outcome, StageResult
from pseudogd.errors import InputError
from pseudogd.objects.coco import CocoSource
from pseudogd.objects.detectors import NAMES, is_detector
from pseudogd.progress import notice
from pseudogd.stages._estimate import Estimate, measured, spread, timed
from pseudogd.stages._upstream import digest, origins
from pseudogd.stages.detect import ACTOR_THREADS, Detecting, PhotoItem, open_source, read_photo
from pseudogd.store.dataset import Store

if TYPE_CHECKING:
    from pseudogd.objects.open_vocabulary import OpenVocabulary

NAMING = 2
"""Changes whenever things that no file names are named in another way: their photos are done again then."""

_NO_GEOMETRY = "label made no geometry"


@dataclass(frozen=True)
class AnnotateResult(StageResult):
    """Counts of `annotate`: `objects` named things; `left_out` things that have no name, for the reasons that
    `Store(out).left_out("objects")` lists."""

    objects: int = 0
    left_out: int = 0


@dataclass(frozen=True)
class _Item(PhotoItem):
    """One photo to annotate, or (with a reason) one entry of the source that belongs to no photo; `told` where `label`
    has already said why the photo is not there."""

    reason: str = ""
    told: bool = False


def annotate(
    data: str | os.PathLike[str],
    source: str | CocoSource,
    segmenter: str | None = None,
    classes: str | Sequence[str] | None = None,
    vocabulary: str | os.PathLike[str] | None = None,
    *,
    workers: int = 1,
    shard_size: int = SHARD_SIZE,
    max_failures: int = 0,
    overwrite: bool = False,
    num_shards: int = 1,
    shard: int = 0,
    engine: str = "local",
    dry_run: bool = False,
    quiet: bool = False,
    **options: Any,
) -> AnnotateResult | Estimate:
    """Write the named objects of every photo of the data folder `data`.

    source    ``coco:FILE``: a COCO annotation file. Its annotations' extra key ``name`` is taken where it points at one
              thing of the photo; else colour and category, the category alone, a measured colour, the place in a row.
              ``grounding-dino:``, ``mm-grounding-dino:`` or ``owlv2:FOLDER_OR_HUB_ID``: a detector.
              What no words point at alone is kept without a name, for `synth marks=ambiguous`.
    segmenter  ``sam:`` or ``sam2:FOLDER_OR_HUB_ID``, for a detector: masks for its boxes. Without it boxes alone.
    classes, vocabulary   what a detector looks for: names with commas between, or a file with one a line.
    workers   processes; with a detector, threads that read photos.
    max_failures   how many lines the ledger may get before the result's `exit_code` is 1.
    overwrite  delete the objects (and the questions made from them) instead of refusing other settings.
    options   of a detector: box_threshold, text_threshold, doubt, template, device, dtype, revision,
              segmenter_revision, batch_size, and those of `objects.open_vocabulary.Filters`.
    num_shards, shard   this is one job of several, as in `label`.
    engine    "local", "ray" or "ray:ADDRESS", as in `label`; with a detector each actor has networks of its own.

    dry_run   write nothing, and measure on some of the photos what it will take, once the networks are loaded.

    Entries whose file_name is missing, unknown or leads out of the folder, photos of another size than annotated, and
    damaged outlines become lines of the failure ledger; the rest is done. Photos that `label` could not do are no
    failures again. Raises InputError for a source that cannot be
    used or a folder without finished geometry, SettingsMismatch when the folder was annotated with other settings.
    """
    job = Job(shard, num_shards)
    shared: dict[str, Any] = {"shard_size": shard_size, "max_failures": max_failures, "job": job, "quiet": quiet}
    if isinstance(source, str) and is_detector(source):
        shared["engine"] = engine_of(engine, workers)
        found, batch_size = open_source(source, segmenter, classes, vocabulary, options)
        settings = {**found.settings, "naming": NAMING, "shard_size": shard_size}
        if dry_run:
            return _detector_measured(found, _labelled(data), batch_size, workers, num_shards, quiet)
        with job.writing(Path(data), "objects", overwrite=overwrite), ThreadPoolExecutor(workers) as threads:
            store = Store.open(data, "objects", settings, resume=not overwrite)
            origin = origins(store, "geometry")
            photos = _photos(store)
            keys = [digest(item.name, item.image_id, origin.get(item.image_id)) for item in photos]
            classes = list(found.detector.classes)

            def build() -> ShardFunction:
                """In an actor, which has networks of its own."""
                again, _ = open_source(source, segmenter, classes, None, options)
                hands = ThreadPoolExecutor(ACTOR_THREADS)
                return Detecting(again, store, photos, hands, batch_size, ACTOR_THREADS).shard

            run = Detecting(found, store, photos, threads, batch_size, workers)
            result = _run_detector(run, store, photos, keys, threads, {**shared, "build": build, "gpu": True})
        return _counted(result, data, quiet)
    if isinstance(source, str) and not source.startswith("coco:"):
        raise InputError(_unknown(source))
    if given := [
        *options,
        *(k for k, v in (("segmenter", segmenter), ("classes", classes), ("vocabulary", vocabulary)) if v is not None),
    ]:
        raise InputError(f"source {source!r}: {given[0]} is for detectors; leave it out")
    coco = _open(source, quiet)
    cluster = engine_of(engine, workers)
    if dry_run:
        reader = _labelled(data)
        own = [item for item in _items(reader, coco) if not item.reason]
        do = partial(_annotated, coco, reader)
        return measured("objects", own, do, workers=workers, jobs=num_shards, quiet=quiet)
    with job.writing(Path(data), "objects", overwrite=overwrite):
        store = Store.open(data, "objects", {"source": "coco", "shard_size": shard_size}, resume=not overwrite)
        items = _items(store, coco)
        result = run_stage(
            items,
            lambda item: _annotated(coco, store, item),
            store=store,
            stage="objects",
            keys=_keys(store, coco, items),
            names=[item.name for item in items],
            workers=workers,
            engine=cluster,
            title="annotate",
            **shared,
        )
    return _counted(result, data, quiet)


def _labelled(data: str | os.PathLike[str]) -> Store:
    store = Store(data)
    store.require("geometry")
    return store


def _photos(store: Store) -> list[PhotoItem]:
    return [
        PhotoItem(photo["path"], photo["image_id"], photo["width"], photo["height"])
        for photo in store.photos().to_pylist()
    ]


def _detector_measured(
    found: OpenVocabulary, store: Store, batch_size: int, workers: int, jobs: int, quiet: bool
) -> Estimate:
    photos = _photos(store)
    chosen = spread(photos)
    with ThreadPoolExecutor(workers) as threads:
        run = Detecting(found, store, chosen, threads, batch_size, workers)
        try:
            do = lambda span: run.shard(span, lambda count: None)()  # noqa: E731
            return timed("objects", len(photos), len(chosen), do, jobs=jobs, quiet=quiet)
        finally:
            run.close(cancel=True)


def _run_detector(
    run: Detecting,
    store: Store,
    photos: Sequence[PhotoItem],
    keys: Sequence[str],
    threads: ThreadPoolExecutor,
    shared: Mapping[str, Any],
) -> StageResult:
    try:
        result = run_batches(
            len(photos),
            run.shard,
            store=store,
            stage="objects",
            keys=keys,
            names=[photo.name for photo in photos],
            title="annotate",
            **shared,
        )
        run.close()
        return result
    except BaseException:
        run.close(cancel=True)
        threads.shutdown(wait=True, cancel_futures=True)
        raise


def _counted(result: StageResult, data: str | os.PathLike[str], quiet: bool) -> AnnotateResult:
    """The result with the numbers of things, and a line about those that were left out."""
    if not result.complete:
        return AnnotateResult(**{**asdict(result), "out": result.out})
    fresh = Store(data)
    objects = sum(len(fresh.objects(image_id)) for image_id in fresh.geometry_ids())
    notes = [note for note in fresh.left_out("objects") if note.reason != _NO_GEOMETRY]
    if absent := len(fresh.left_out("objects")) - len(notes):
        notice(f"note: {_NO_GEOMETRY} of {absent:,} of the photos that the source names", quiet)
    reasons = Counter(note.reason.rpartition(": ")[2] for note in notes)
    if notes:
        most = "; ".join(f"{reason} ({count:,})" for reason, count in reasons.most_common(3))
        notice(f"note: {len(notes)} annotations were left out: {most}", quiet)
    return AnnotateResult(**{**asdict(result), "out": result.out}, objects=objects, left_out=len(notes))


def _open(source: str | CocoSource, quiet: bool) -> CocoSource:
    if isinstance(source, CocoSource):
        return source
    kind, _, path = str(source).partition(":")
    if kind != "coco" or not path:
        raise InputError(_unknown(source))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        coco = CocoSource(path)
    for warning in caught:
        notice(f"warning: {warning.message}", quiet)
    return coco


def _unknown(source: str) -> str:
    detectors = ", ".join(f"{name}:" for name in NAMES if name != "detector")
    return (
        f"source {source!r}: unknown; use coco:FILE with a COCO annotation file, or a detector "
        f"({detectors} with a checkpoint folder or hub id)"
    )


def _items(store: Store, coco: CocoSource) -> list[_Item]:
    """The photos in row order, each under the name that the source knows; then the source's stray entries."""
    items = []
    for photo in store.photos().to_pylist():
        names = [photo["path"], *photo["aliases"]]
        name = next((name for name in names if coco.knows(name)), photo["path"])
        items.append(_Item(name, photo["image_id"], photo["width"], photo["height"]))
    strays = [_Item(label, "", 0, 0, reason) for label, reason in coco.problems]
    here = [item.name for item in items]
    failed = store.failures().filter(pc.field("stage") == "geometry")["image"].to_pylist()
    unknown = coco.unmatched([*here, *failed])
    strays += [_Item(name, "", 0, 0, "no photo of this name has geometry here") for name in unknown]
    left_out = sorted(set(coco.unmatched(here)) - set(unknown))
    strays += [_Item(name, "", 0, 0, _NO_GEOMETRY, told=True) for name in left_out]
    return items + strays


def _keys(store: Store, coco: CocoSource, items: Sequence[_Item]) -> list[str]:
    """What the rows of each photo depend on; where things are named by how they look, also whether it can be seen."""
    origin = origins(store, "geometry")
    keys = []
    for item in items:
        parts: list[Any] = [
            item.name, item.image_id, item.reason, origin.get(item.image_id), coco.fingerprint(item.name)
        ]  # fmt: skip
        if item.image_id and coco.nameless(item.name):
            parts.append([NAMING, store.photo_path(item.image_id).is_file()])
        keys.append(digest(*parts))
    return keys


def _annotated(coco: CocoSource, store: Store, item: _Item) -> Outcome:
    if item.reason:
        return Outcome(notes=[item.reason]) if item.told else Outcome(failures=[item.reason])
    blind: list[str] = []

    def pixels() -> Any:
        try:
            return np.asarray(read_photo(store, item))
        except InputError as error:
            why = reason_of(error).removeprefix(f"{item.name}: ")
            blind.append(f"colours were not measured: {why}")
            return None

    found = coco.read(item.name, item.width, item.height, pixels)
    row: Mapping[str, Any] = {"image_id": item.image_id, "objects": found.rows, "unnamed": found.unnamed or None}
    unknown = not coco.knows(item.name)
    notes = [] if unknown else found.left_out
    return Outcome(rows=[row], failures=found.failures + blind, notes=notes)

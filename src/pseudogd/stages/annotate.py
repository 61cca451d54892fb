"""Photos to named objects: whoever knows where things are says so once, and it is written down."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pseudogd.engines.jobs import Job
from pseudogd.engines.local import SHARD_SIZE, run_stage
from pseudogd.engines.ray_engine import engine_of
from pseudogd.engines.result import Outcome, StageResult
from pseudogd.errors import InputError
from pseudogd.objects.coco import CocoSource
from pseudogd.progress import notice
from pseudogd.stages._upstream import digest, origins
from pseudogd.store.dataset import Store


@dataclass(frozen=True)
class AnnotateResult(StageResult):
    """Counts of `annotate`: `objects` named things; `left_out` annotations without words that point at them alone."""

    objects: int = 0
    left_out: int = 0


@dataclass(frozen=True)
class _Item:
    """One photo to annotate, or (with a reason) one entry of the source that belongs to no photo."""

    name: str
    image_id: str = ""
    width: int = 0
    height: int = 0
    reason: str = ""


def annotate(
    data: str | os.PathLike[str],
    source: str | CocoSource,
    *,
    workers: int = 1,
    shard_size: int = SHARD_SIZE,
    max_failures: int = 0,
    overwrite: bool = False,
    num_shards: int = 1,
    shard: int = 0,
    engine: str = "local",
    quiet: bool = False,
) -> AnnotateResult:
    """Write the named objects of every photo of the data folder `data`.

    source    ``coco:FILE``: a COCO annotation file. Its annotations' extra key ``name`` is taken where it points at one
              thing of the photo; else colour and category, else the category alone. What no words point at is left out.
    workers   processes.
    max_failures   how many lines the ledger may get before the result's `exit_code` is 1.
    overwrite  delete the objects (and the questions made from them) instead of refusing other settings.
    num_shards, shard   this is one job of several, as in `label`.
    engine    "local", "ray" or "ray:ADDRESS", as in `label`.

    Entries whose file_name is missing, unknown or leads out of the folder, photos of another size than annotated, and
    damaged outlines become lines of the failure ledger; the rest is done. Raises InputError for a source that cannot be
    used or a folder without finished geometry, SettingsMismatch when the folder was annotated with other settings.
    """
    coco = _open(source, quiet)
    job, cluster = Job(shard, num_shards), engine_of(engine, workers)
    with job.writing(Path(data), "objects", overwrite=overwrite):
        store = Store.open(data, "objects", {"source": "coco", "shard_size": shard_size}, resume=not overwrite)
        items = _items(store, coco)
        origin = origins(store, "geometry")
        keys = [
            digest(item.name, item.image_id, item.reason, origin.get(item.image_id), coco.fingerprint(item.name))
            for item in items
        ]
        result = run_stage(
            items,
            lambda item: _annotated(coco, item),
            store=store,
            stage="objects",
            keys=keys,
            names=[item.name for item in items],
            workers=workers,
            shard_size=shard_size,
            max_failures=max_failures,
            job=job,
            engine=cluster,
            title="annotate",
            quiet=quiet,
        )
    if not result.complete:
        return AnnotateResult(**{**asdict(result), "out": result.out})
    fresh = Store(data)
    photos = [item for item in items if item.image_id]
    objects = sum(len(fresh.objects(item.image_id)) for item in photos)
    offered = sum(coco.count(item.name) for item in photos)
    left_out = max(0, offered - objects - _bad_outlines(fresh, photos))
    if left_out:
        notice(f"note: {left_out} annotations were left out: crowds, or no words point at one of them alone", quiet)
    return AnnotateResult(**{**asdict(result), "out": result.out}, objects=objects, left_out=left_out)


def _open(source: str | CocoSource, quiet: bool) -> CocoSource:
    if isinstance(source, CocoSource):
        return source
    kind, _, path = str(source).partition(":")
    if kind != "coco" or not path:
        raise InputError(f"source {str(source)!r}: unknown; use coco:FILE with a COCO annotation file")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        coco = CocoSource(path)
    for warning in caught:
        notice(f"warning: {warning.message}", quiet)
    return coco


def _items(store: Store, coco: CocoSource) -> list[_Item]:
    """The photos in row order, each under the name that the source knows; then the source's stray entries."""
    items = []
    for photo in store.photos().to_pylist():
        names = [photo["path"], *photo["aliases"]]
        name = next((name for name in names if coco.knows(name)), photo["path"])
        items.append(_Item(name, photo["image_id"], photo["width"], photo["height"]))
    strays = [_Item(label, reason=reason) for label, reason in coco.problems]
    unknown = coco.unmatched(item.name for item in items)
    strays += [_Item(name, reason="no photo of this name has geometry here") for name in unknown]
    return items + strays


def _annotated(coco: CocoSource, item: _Item) -> Outcome:
    if item.reason:
        return Outcome(failures=[item.reason])
    found = coco.read(item.name, item.width, item.height)
    row: Mapping[str, Any] = {"image_id": item.image_id, "objects": found.rows}
    return Outcome(rows=[row], failures=found.failures)


def _bad_outlines(store: Store, photos: list[_Item]) -> int:
    """Ledger lines about single annotations of these photos."""
    names = {item.name for item in photos}
    lines = store.failures().to_pylist()
    return sum(line["stage"] == "objects" and line["image"] in names for line in lines)

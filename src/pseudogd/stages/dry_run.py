"""What labelling a folder would take, from a measured sample; nothing is written."""

from __future__ import annotations

import json
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pseudogd.engines.jobs import Job
from pseudogd.engines.local import SHARD_SIZE
from pseudogd.errors import InputError
from pseudogd.progress import format_rate, format_seconds, notice
from pseudogd.stages._entries import identify
from pseudogd.stages._lanes import Lanes
from pseudogd.stages.label import _Run
from pseudogd.store import schemas
from pseudogd.store.containers import container_kind
from pseudogd.store.inputs import Inputs, find_photos
from pseudogd.store.photos import MAX_PIXELS
from pseudogd.store.shards import parquet_bytes
from pseudogd.teachers import load_teacher
from pseudogd.teachers.base import Teacher
from pseudogd.teachers.cameras import CameraFile

_BATCHES = 3  # after one to warm up


@dataclass(frozen=True)
class Estimate:
    """Photos, seconds and bytes that `label` is expected to take; `seconds` are those of each of `jobs` jobs.

    `sample` photos were measured, evenly spaced over the folder; `failed` of them could not be labelled.
    """

    photos: int
    photo_bytes: int
    sample: int
    failed: int
    photos_per_second: float
    bytes_per_photo: float
    seconds: float
    bytes: int
    jobs: int = 1
    exit_code: int = 0

    def __str__(self) -> str:
        jobs = f" in each of {self.jobs} jobs" if self.jobs > 1 else ""
        failed = f", {self.failed} of them failed" if self.failed else ""
        return (
            f"{self.photos:,} photos of {_size(self.photo_bytes)}: about {format_seconds(self.seconds)}{jobs} "
            f"and {_size(self.bytes)} ({format_rate(self.photos_per_second)} photos/s, "
            f"{self.bytes_per_photo / 1e3:,.1f} kB a photo, measured on {self.sample}{failed})"
        )

    def to_json(self) -> str:
        """All numbers as one JSON object."""
        return json.dumps({key: value for key, value in asdict(self).items() if key != "exit_code"})


def estimate(
    photos: str | os.PathLike[str],
    teacher: str | Teacher = "embedded",
    cameras: str | os.PathLike[str] | None = None,
    *,
    batch_size: int = 16,
    workers: int = 2,
    max_pixels: int = MAX_PIXELS,
    num_shards: int = 1,
    compact_maps: bool | None = None,
    quiet: bool = False,
    **teacher_options: Any,
) -> Estimate:
    """Label some photos of a folder without writing anything, and say what all of them will take.

    Loading the teacher is left out. Raises InputError as `label` does, and for photos
    that lie in no folder or .jsonl yet.
    """
    Job(0, num_shards)
    if "://" in str(photos) or (container_kind(str(photos)) not in (None, "jsonl") and Path(photos).is_file()):
        raise InputError(f"{photos}: a dry run writes nothing, so it cannot unpack; give it a folder of some photos")
    found = _in_place(photos)
    camera_file = CameraFile(cameras) if cameras is not None else None
    guide = load_teacher(teacher, **teacher_options) if isinstance(teacher, str) else teacher
    wanted = min(len(found.paths), (1 + _BATCHES) * batch_size)
    chosen = [found.paths[index * len(found.paths) // wanted] for index in range(wanted)]
    warm = min(batch_size, len(chosen) // 2)
    notice(f"dry run: labelling {len(chosen)} of {len(found.paths):,} photos", quiet)
    with ThreadPoolExecutor(workers) as threads:
        lanes = Lanes(guide)
        try:
            rows, failed, seconds = [], 0, 0.0
            for paths in (chosen[:warm], chosen[warm:]):
                begun = time.perf_counter()
                entries = identify(paths, found.root, threads, quiet=True)
                run = _Run(guide, entries, camera_file, threads, lanes, batch_size, workers, max_pixels, compact_maps)
                outcomes = run.shard(range(len(entries)), lambda count: None)()
                seconds = time.perf_counter() - begun
                failed += sum(bool(outcome.failures) for outcome in outcomes)
                rows += [row for outcome in outcomes for row in outcome.rows]
        finally:
            lanes.close(cancel=True)
    each = _bytes_of(rows) / len(rows) if rows else 0.0
    rate = (len(chosen) - warm) / seconds
    count = len(found.paths)
    kept = count * len(rows) / len(chosen)  # some fail, some are the same photo again
    size = sum(path.stat().st_size for path in found.paths if path.is_file())
    return Estimate(
        count, size, len(chosen), failed, rate, each, count / rate / num_shards, round(kept * each), num_shards
    )


def _in_place(photos: str | os.PathLike[str]) -> Inputs:
    """The photos, with whatever has to be written for it in a folder that goes away."""
    with tempfile.TemporaryDirectory() as scratch:
        return find_photos(photos, scratch, quiet=True)


def _bytes_of(rows: list[Any]) -> int:
    """What the rows take in shards of the usual size."""
    total = 0
    for start in range(0, len(rows), SHARD_SIZE):
        table = schemas.to_table("geometry", rows[start : start + SHARD_SIZE])
        group, raw = schemas.ROW_GROUP["geometry"], schemas.RAW_COLUMNS["geometry"]
        total += len(parquet_bytes(table, row_group_size=group, raw=raw))
    return total


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB"

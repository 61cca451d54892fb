"""What a stage would take, extrapolated from a sample of its photos; nothing is written."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from pseudogd.engines.local import SHARD_SIZE, attempt
from pseudogd.engines.processes import WorkerPool
from pseudogd.engines.result import Outcome
from pseudogd.errors import InputError
from pseudogd.progress import format_rate, format_seconds, notice
from pseudogd.store import schemas
from pseudogd.store.shards import parquet_bytes

T = TypeVar("T")
SAMPLE = 64
_WARM = 8  # photos before the clock runs; half of a smaller sample
_PARTS = {"objects": "objects", "questions": ""}
"""By stage: what lies in a row's column of that name, or nothing where every row is one."""


@dataclass(frozen=True)
class Estimate:
    """Photos, seconds and bytes that a stage is expected to take; `seconds` are those of each of `jobs` jobs.

    `sample` photos were measured, evenly spaced over the folder; `failed` of them could not be done. `photo_bytes` is
    the size of the photos where the stage was asked to find them, `unpacked_bytes` that of those it will unpack first.
    `parts_per_photo` counts the objects of `annotate` and the questions of `synth`.
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
    unpacked_bytes: int = 0
    parts: str = ""
    parts_per_photo: float = 0.0
    exit_code: int = 0

    @classmethod
    def of(
        cls,
        stage: str,
        photos: int,
        rows: Sequence[Mapping[str, Any]],
        *,
        sample: int,
        failed: int,
        rate: float,
        jobs: int = 1,
        photo_bytes: int = 0,
        unpacked_bytes: int = 0,
    ) -> Estimate:
        """From the rows that `sample` of `photos` photos gave at `rate` photos per second."""
        size = _bytes_of(stage, rows)
        column = _PARTS.get(stage)
        parts = 0 if column is None else sum(len(row[column]) if column else 1 for row in rows)
        done = len(rows) if stage == "geometry" else sample - failed
        return cls(
            photos,
            photo_bytes,
            sample,
            failed,
            rate,
            size / done if done else 0.0,
            photos / rate / jobs,
            round(photos * size / sample),  # some fail, some are the same photo again
            jobs,
            unpacked_bytes,
            "" if column is None else stage,
            parts / sample,
        )

    def __str__(self) -> str:
        jobs = f" in each of {self.jobs} jobs" if self.jobs > 1 else ""
        failed = f", {self.failed} of them failed" if self.failed else ""
        size = f" of {format_size(self.photo_bytes)}" if self.photo_bytes else ""
        unpacked = f", and {format_size(self.unpacked_bytes)} of unpacked photos" if self.unpacked_bytes else ""
        parts = f", {self.parts_per_photo:,.1f} {self.parts} a photo" if self.parts else ""
        return (
            f"{self.photos:,} photos{size}: about {format_seconds(self.seconds)}{jobs} "
            f"and {format_size(self.bytes)}{unpacked} ({format_rate(self.photos_per_second)} photos/s, "
            f"{self.bytes_per_photo / 1e3:,.1f} kB a photo{parts}, measured on {self.sample}{failed})"
        )

    def to_json(self) -> str:
        """All numbers as one JSON object."""
        return json.dumps({key: value for key, value in asdict(self).items() if key != "exit_code"})


def spread(things: Sequence[T], wanted: int = SAMPLE) -> list[T]:
    """`wanted` of the things, evenly spaced; all of fewer."""
    count = min(len(things), wanted)
    return [things[index * len(things) // count] for index in range(count)]


def measured(
    stage: str,
    photos: Sequence[T],
    fn: Callable[[T], Any],
    *,
    workers: int = 1,
    jobs: int = 1,
    quiet: bool = False,
) -> Estimate:
    """Call a stage's function of one photo, as `engines.local.run_stage` would, for a sample of the photos."""
    chosen = spread(photos)
    with WorkerPool(lambda index: attempt(fn, chosen[index]), workers) as pool:
        return timed(stage, len(photos), len(chosen), lambda span: list(pool.map(span)), jobs=jobs, quiet=quiet)


def timed(
    stage: str,
    photos: int,
    sample: int,
    run: Callable[[range], Sequence[Outcome]],
    *,
    jobs: int = 1,
    quiet: bool = False,
) -> Estimate:
    """Call `run(range of the sample's indices)`, first for a few to warm up. Raises InputError without photos."""
    if not photos:
        raise InputError("dry run: the data folder has no photos with geometry")
    warm = min(_WARM, sample // 2)
    notice(f"dry run: measuring {sample} of {photos:,} photos", quiet)
    outcomes = list(run(range(warm)))
    begun = time.perf_counter()
    outcomes += run(range(warm, sample))
    rate = (sample - warm) / (time.perf_counter() - begun)
    rows = [row for outcome in outcomes for row in outcome.rows]
    failed = sum(bool(outcome.failures) for outcome in outcomes)
    return Estimate.of(stage, photos, rows, sample=sample, failed=failed, rate=rate, jobs=jobs)


def _bytes_of(stage: str, rows: Sequence[Mapping[str, Any]]) -> int:
    """What the rows take in shards of the usual size."""
    total = 0
    for start in range(0, len(rows), SHARD_SIZE):
        table = schemas.to_table(stage, rows[start : start + SHARD_SIZE])
        group, raw = schemas.ROW_GROUP.get(stage), schemas.RAW_COLUMNS.get(stage, ())
        total += len(parquet_bytes(table, row_group_size=group, raw=raw))
    return total


def format_size(count: float) -> str:
    """Bytes for people: 1.23 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB"

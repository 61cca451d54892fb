"""What labelling a folder would take, from a measured sample; nothing is written."""

from __future__ import annotations

import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pseudogd.engines.jobs import Job
from pseudogd.progress import notice
from pseudogd.stages._entries import identify
from pseudogd.stages._estimate import Estimate
from pseudogd.stages._lanes import Lanes
from pseudogd.stages.label import _Run
from pseudogd.store.inputs import sample_photos
from pseudogd.store.photos import MAX_PIXELS
from pseudogd.teachers import load_teacher
from pseudogd.teachers.base import Teacher
from pseudogd.teachers.cameras import CameraFile

_BATCHES = 3  # after one to warm up


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

    Loading the teacher is left out. Photos in tars and tables are read once from end to end, to count them; those that
    are measured are unpacked into a folder of the system's that goes away. So are those of an address, which is
    otherwise listed only: the time of fetching all is left out. Raises InputError as `label` does, and for tars and
    tables at an address.
    """
    Job(0, num_shards)
    with tempfile.TemporaryDirectory(prefix="pseudogd-") as scratch, ThreadPoolExecutor(workers) as threads:
        found = sample_photos(photos, scratch, (1 + _BATCHES) * batch_size, quiet=quiet)
        chosen = found.paths
        cameras = cameras if cameras is not None else found.cameras
        camera_file = CameraFile(cameras) if cameras is not None else None
        guide = load_teacher(teacher, **teacher_options) if isinstance(teacher, str) else teacher
        warm = min(batch_size, len(chosen) // 2)
        notice(f"dry run: labelling {len(chosen)} of {found.count:,} photos", quiet)
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
    return Estimate.of(
        "geometry",
        found.count,
        rows,
        sample=len(chosen),
        failed=failed,
        rate=(len(chosen) - warm) / seconds,
        jobs=num_shards,
        photo_bytes=found.bytes,
        unpacked_bytes=found.bytes if found.unpacked else 0,
    )

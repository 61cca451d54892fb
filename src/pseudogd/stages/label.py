"""Photos to geometry: the teacher runs over a folder once, and what it says is written down."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

from pseudogd.engines.jobs import Job
from pseudogd.engines.local import SHARD_SIZE, Advance, ShardFunction, attempt, reason_of, run_batches
from pseudogd.engines.ray_engine import engine_of
from pseudogd.engines.result import Outcome, StageResult
from pseudogd.errors import InputError
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import CAMERA_SOURCES
from pseudogd.geometry.uprights import Edges
from pseudogd.progress import notice
from pseudogd.stages._entries import Entry, identify
from pseudogd.stages._lanes import Bounded, Lanes, Steady, hands
from pseudogd.store.dataset import Store
from pseudogd.store.inputs import find_photos
from pseudogd.store.photos import MAX_PIXELS, open_photo
from pseudogd.store.rows import geometry_row
from pseudogd.teachers import load_teacher
from pseudogd.teachers.asking import Asker
from pseudogd.teachers.base import Photo, Teacher
from pseudogd.teachers.cameras import CameraFile, camera_and_source, source_of
from pseudogd.teachers.complete import complete, edges_of
from pseudogd.teachers.licences import terms_note

GRAVITY = 2
"""Changes whenever up is found in another way: a folder never holds rows of both."""
_ACTOR_THREADS = 2
_MOST_WAITING = 4  # batches of photos in memory that wait for others of their size


@dataclass(frozen=True)
class LabelResult(StageResult):
    """Counts of `label`; `duplicates` files had the bytes of another one and share its row."""

    duplicates: int = 0


def label(
    photos: str | os.PathLike[str],
    teacher: str | Teacher = "embedded",
    out: str | os.PathLike[str] = "data",
    cameras: str | os.PathLike[str] | None = None,
    *,
    batch_size: int = 16,
    workers: int = 2,
    shard_size: int = SHARD_SIZE,
    max_pixels: int = MAX_PIXELS,
    max_failures: int = 0,
    overwrite: bool = False,
    num_shards: int = 1,
    shard: int = 0,
    compact_maps: bool | None = None,
    engine: str = "local",
    quiet: bool = False,
    **teacher_options: Any,
) -> LabelResult:
    """Write the geometry of every photo to the data folder `out`.

    photos    a folder; a .jsonl with a `path` on every line; a WebDataset .tar, a .parquet or .arrow file with
              pictures, or a folder of those; or an address that fsspec knows (s3://...). See `pseudogd.store.inputs`.
    teacher   a name for `load_teacher`, or a Teacher. `teacher_options` go there (device, size, accept_licence,
              confidence, second_teacher ...).
    cameras   a cameras.json. A photo that it does not name has its camera from EXIF; without that the focal length is
              unknown, and with it normals and metric space.
    workers   threads that read photos and write maps beside the network.
    max_failures   how many photos may fail before the result's `exit_code` is 1; the good ones are always done.
    overwrite  delete what `out` holds instead of refusing other settings.
    engine    "local", "ray" or "ray:ADDRESS": on a cluster `workers` actors have a teacher each; `out` and the photos
              must be folders that all its machines see.
    compact_maps   maps in a sixth of the room (`store.compact`): depth right to 1e-4, confidence coarser, and normals
              that follow from depth computed on reading. By default maps of 65,536 pixels (256 x 256) or more are
              stored so and smaller ones as PNG; true or false holds for all.
    num_shards, shard   this is job `shard` of so many that fill `out` at the same time, here or on other machines that
              see the same folder. Each makes its own shards; the last one to finish closes the stage.

    Run again after an interruption it goes on where it stopped, to the same bytes. Raises InputError for a folder
    without photos, a teacher or cameras file that cannot be used, or an output that cannot be written;
    SettingsMismatch when `out` was made with other settings.
    """
    if batch_size < 1 or workers < 1:
        raise InputError(f"batch_size = {batch_size}, workers = {workers}: both must be at least 1")
    job, cluster = Job(shard, num_shards), engine_of(engine, workers)
    found = find_photos(photos, out, quiet=quiet)
    root, paths, cameras = found.root, found.paths, cameras if cameras is not None else found.cameras
    camera_file = CameraFile(cameras) if cameras is not None else None
    guide = load_teacher(teacher, **teacher_options)
    if terms := terms_note(guide.info):
        notice(terms, quiet)
    settings = {
        "teacher": dict(guide.settings),
        "cameras": camera_file is not None,
        "max_pixels": max_pixels,
        "gravity": GRAVITY,
        "shard_size": shard_size,
        **({} if compact_maps is None else {"compact_maps": compact_maps}),
    }
    if guide.errors:
        settings["depth_error"] = dict(guide.errors)
    _hint_at_cameras(Path(photos), camera_file, quiet)
    writing = job.writing(Path(out), "geometry", overwrite=overwrite, create=True)
    with writing, hands(workers) as threads:
        store = Store.open(out, "geometry", settings, resume=not overwrite, photos=root)
        entries = identify(paths, root, threads, quiet)
        count, duplicates = len(paths), len(paths) - len(entries)
        del paths, found

        def build() -> ShardFunction:
            """In an actor, which has a teacher of its own."""
            again = load_teacher(teacher, **teacher_options)
            settings = (batch_size, _ACTOR_THREADS, max_pixels, compact_maps)
            return _Run(again, entries, camera_file, hands(_ACTOR_THREADS), Lanes(again), *settings).shard

        lanes = Lanes(guide)
        run = _Run(guide, entries, camera_file, threads, lanes, batch_size, workers, max_pixels, compact_maps, quiet)
        try:
            result = run_batches(
                len(entries),
                run.shard,
                store=store,
                stage="geometry",
                keys=[run.key(entry) for entry in entries],
                names=[entry.name for entry in entries],
                shard_size=shard_size,
                max_failures=max_failures,
                job=job,
                engine=cluster,
                build=build,
                gpu=True,
                counts={"photos": count, "duplicates": duplicates},
                title="label",
                quiet=quiet,
            )
            lanes.close()
            if result.complete:
                _count_cameras(store, quiet)
        except BaseException:
            lanes.close(cancel=True)
            threads.shutdown(wait=True, cancel_futures=True)
            raise
    return LabelResult(**{**asdict(result), "out": result.out}, duplicates=duplicates)


class _Run:
    """Photos are read and resized by threads, go through the network in batches, and are encoded by threads.

    All of it overlaps: while the last photos of a shard are encoded, those of the next one are read.
    """

    def __init__(
        self,
        teacher: Teacher,
        entries: Sequence[Entry],
        cameras: CameraFile | None,
        threads: ThreadPoolExecutor,
        lanes: Lanes,
        batch_size: int,
        workers: int,
        max_pixels: int,
        compact_maps: bool | None = None,
        quiet: bool = True,
    ) -> None:
        self._teacher, self._entries, self._cameras, self._lanes = (
            Steady(teacher, batch_size),
            entries,
            cameras,
            lanes,
        )
        self._asker = Asker(self._teacher, quiet)
        self._batch_size, self._max_pixels, self._compact = batch_size, max_pixels, compact_maps
        self._ahead = batch_size + 2 * workers
        self._readers = threads
        self._threads = Bounded(threads, batch_size + 2 * workers)  # maps that wait for their encoding are large

    def key(self, entry: Entry) -> str:
        """Whatever the photo's row depends on besides the settings."""
        camera = self._cameras.entry(entry.name) if self._cameras else None
        return repr((entry.name, entry.image_id, entry.aliases, camera, self._teacher.fingerprint(entry.name)))

    def shard(self, span: range, advance: Advance) -> Callable[[], list[Outcome]]:
        """A function that waits for the outcomes of the entries in `span`, all of which are on their way.

        Which photos share a batch depends on their order alone.
        """
        advance = _one_at_a_time(advance)
        failed: dict[int, Outcome] = {}
        passes: list[Future[Mapping[int, Future[Outcome]]]] = []
        waiting: dict[Any, list[tuple[int, _Ready]]] = {}
        for index, ready in self._read_ahead(span):
            if isinstance(ready, Outcome):
                failed[index] = ready
                advance(1)
                continue
            bucket = self._teacher.bucket(ready.prepared)
            waiting.setdefault(bucket, []).append((index, ready))
            if len(waiting[bucket]) < self._batch_size:
                if sum(map(len, waiting.values())) < _MOST_WAITING * self._batch_size:
                    continue
                bucket = max(waiting, key=lambda key: len(waiting[key]))
            passes.append(self._lanes.submit(self._infer, waiting.pop(bucket), advance))
        passes += [self._lanes.submit(self._infer, batch, advance) for batch in waiting.values()]

        def outcomes() -> list[Outcome]:
            found: dict[int, Outcome | Future[Outcome]] = dict(failed)
            for done in passes:
                found.update(done.result())
            return [one.result() if isinstance(one := found[index], Future) else one for index in span]

        return outcomes

    def _read_ahead(self, span: range) -> Iterable[tuple[int, _Ready | Outcome]]:
        """The prepared photos in order, a bounded number of them in memory."""
        pending: list[tuple[int, Future[_Ready | Outcome]]] = []
        for index in span:
            pending.append((index, self._readers.submit(self._read, self._entries[index])))
            if len(pending) >= self._ahead:
                first, future = pending.pop(0)
                yield first, future.result()
        for index, future in pending:
            yield index, future.result()

    def _read(self, entry: Entry) -> _Ready | Outcome:
        try:
            return self._prepare(entry)
        except Exception as error:  # one bad photo stops no other
            return Outcome(failures=[reason_of(error).removeprefix(f"{entry.name}: ")])

    def _prepare(self, entry: Entry) -> _Ready:
        if not Path(entry.path).as_posix().endswith(entry.name):
            raise InputError(f"{entry.name}: the file name is not UTF-8; rename it")
        loaded = open_photo(entry.path, self._max_pixels, entry.name)
        if loaded.image_id != entry.image_id:
            raise InputError(f"{entry.name}: changed while it was being read; run the same command again")
        width, height = loaded.image.size
        camera, source = camera_and_source(entry.name, *loaded.full_size, self._cameras, loaded.exif)
        camera = None if camera is None else camera.resized(width, height)
        prepared = self._teacher.prepare(Photo(loaded.image, camera, entry.name))
        return _Ready(entry, width, height, prepared, edges_of(loaded.image), self._compact, camera, source)

    def _infer(self, batch: Sequence[tuple[int, _Ready]], advance: Advance) -> Mapping[int, Future[Outcome]]:
        sizes = [(ready.width, ready.height) for _, ready in batch]
        found = self._asker.ask([ready.prepared for _, ready in batch], sizes)
        advance(len(batch))
        return {
            index: self._threads.submit(attempt, _row, (ready, answer))
            for (index, ready), answer in zip(batch, found, strict=True)
        }


def _one_at_a_time(advance: Advance) -> Advance:
    """Passes that run at the same time count on one bar."""
    lock = Lock()

    def counted(count: int) -> None:
        with lock:
            advance(count)

    return counted


@dataclass(frozen=True)
class _Ready:
    """A photo that waits for the network."""

    entry: Entry
    width: int
    height: int
    prepared: Any
    edges: Edges
    compact_maps: bool | None = None
    camera: Camera | None = None
    source: str = "unknown"


def _row(found: tuple[_Ready, Any]) -> list[dict[str, Any]]:
    ready, geometry = found
    if isinstance(geometry, Exception):
        raise geometry
    entry, source = ready.entry, source_of(geometry.camera, ready.camera, ready.source)
    return [
        geometry_row(
            complete(replace(geometry, camera_source=source), ready.edges),
            image_id=entry.image_id,
            path=entry.name,
            width=ready.width,
            height=ready.height,
            aliases=entry.aliases,
            compact_maps=ready.compact_maps,
            derived_normals=geometry.normals is None,
        )
    ]


def _count_cameras(store: Store, quiet: bool) -> None:
    """Write into the manifest, and say, whence the photos' intrinsics are."""
    found = Counter(source for source in store.camera_sources() if source is not None)
    counts = {source: found[source] for source in CAMERA_SOURCES if found[source]}
    store.add_counts("geometry", {f"camera_{source}": count for source, count in counts.items()})
    if counts:
        notice("cameras: " + ", ".join(f"{source} {count:,}" for source, count in counts.items()), quiet)


def _hint_at_cameras(photos: Path, used: CameraFile | None, quiet: bool) -> None:
    if used is None and (photos / "cameras.json").is_file():
        notice(f"note: {photos / 'cameras.json'} is there but not used; pass --cameras to use it", quiet)

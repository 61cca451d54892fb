"""Photos through a detector and a segmenter, in batches: what `annotate` does where nobody has drawn the outlines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from pseudogd.engines.local import Advance, reason_of
from pseudogd.engines.result import Outcome
from pseudogd.errors import InputError
from pseudogd.stages._lanes import Lanes, on_one_thread
from pseudogd.store.dataset import Store
from pseudogd.store.photos import open_photo

if TYPE_CHECKING:
    from pseudogd.objects.open_vocabulary import OpenVocabulary

BATCH_SIZE = 8
ACTOR_THREADS = 2
_BOTH = ("device", "dtype")


@dataclass(frozen=True)
class PhotoItem:
    """A photo with geometry: its name, id and size in pixels."""

    name: str
    image_id: str
    width: int
    height: int


def open_source(
    source: str, segmenter: str | None, classes: str | Sequence[str] | None, vocabulary: Any, options: Mapping[str, Any]
) -> tuple[OpenVocabulary, int]:
    """The networks of ``FAMILY:CHECKPOINT`` with or without a segmenter, and the batch size. Raises `InputError`."""
    from pseudogd.objects.detectors import load_detector
    from pseudogd.objects.open_vocabulary import Filters, OpenVocabulary
    from pseudogd.objects.segmenters import load_segmenter
    from pseudogd.objects.vocabulary import parse_classes, read_vocabulary

    if classes is not None and vocabulary is not None:
        raise InputError(f"source {source!r}: give --classes or --vocabulary, not both")
    if classes is None and vocabulary is None:
        raise InputError(f"source {source!r}: say what to look for, by --classes chair,table or by --vocabulary FILE")
    names = read_vocabulary(vocabulary) if vocabulary is not None else parse_classes(classes or "")
    own = {field.name for field in fields(Filters)}
    rest = dict(options)
    batch_size = rest.pop("batch_size", BATCH_SIZE)
    if not isinstance(batch_size, int) or batch_size < 1:
        raise InputError(f"batch_size = {batch_size!r}: must be at least 1")
    filters = Filters(**{key: rest.pop(key) for key in list(rest) if key in own})
    for key in ("box_threshold", "text_threshold", "doubt"):
        value = rest.get(key, 0.5)
        if not isinstance(value, (int, float)) or not 0 < value <= 1:
            raise InputError(f"{key} = {value!r}: must be a number above 0 and at most 1")
    for_masks = {key: rest[key] for key in _BOTH if key in rest}
    if "segmenter_revision" in rest:
        for_masks["revision"] = rest.pop("segmenter_revision")
    masks = None if segmenter is None else load_segmenter(segmenter, **for_masks)
    family, _, path = source.partition(":")
    label = f"{family}:{Path(path).resolve().name if Path(path).is_dir() else path}"
    detector = on_one_thread(lambda: load_detector(source, names, **rest))  # it may ask its network about the names
    return OpenVocabulary(detector, masks, filters, label), batch_size


class Detecting:
    """Photos are read and resized by threads and go through the networks in batches, one thread to a pass on a CPU."""

    def __init__(
        self,
        source: OpenVocabulary,
        store: Store,
        items: Sequence[PhotoItem],
        threads: ThreadPoolExecutor,
        batch_size: int,
        workers: int,
    ):
        self._source, self._store, self._items, self._threads = source, store, items, threads
        self._batch_size, self._ahead = batch_size, batch_size + 2 * workers
        self._lanes, self._one_at_a_time = _lanes_of(source), Lock()

    def shard(self, span: range, advance: Advance) -> Callable[[], list[Outcome]]:
        """A function that waits for the outcomes of the photos in `span`, all of which are on their way.

        Which photos share a batch depends on their order alone.
        """
        failed: dict[int, Outcome] = {}
        passes: list[Future[dict[int, Outcome]]] = []
        waiting: dict[Any, list[tuple[int, Any]]] = {}
        for index, ready in self._read_ahead(span):
            if isinstance(ready, Outcome):
                failed[index] = ready
                self._count(advance, 1)
                continue
            bucket = self._source.bucket(ready)
            waiting.setdefault(bucket, []).append((index, ready))
            if len(waiting[bucket]) < self._batch_size:
                if sum(map(len, waiting.values())) < 2 * self._batch_size:
                    continue
                bucket = max(waiting, key=lambda key: len(waiting[key]))
            passes.append(self._lanes.submit(self._infer, waiting.pop(bucket), advance))
        passes += [self._lanes.submit(self._infer, batch, advance) for batch in waiting.values()]

        def outcomes() -> list[Outcome]:
            found = dict(failed)
            for done in passes:
                found.update(done.result())
            return [found[index] for index in span]

        return outcomes

    def close(self, cancel: bool = False) -> None:
        """Wait for the passes that run; with `cancel` those that have not begun are left."""
        self._lanes.close(cancel)

    def _count(self, advance: Advance, count: int) -> None:
        """Passes that run at the same time count on one bar."""
        with self._one_at_a_time:
            advance(count)

    def _read_ahead(self, span: range) -> Any:
        """The prepared photos in order, a bounded number of them in memory."""
        pending: list[tuple[int, Future[Any]]] = []
        for index in span:
            pending.append((index, self._threads.submit(self._read, self._items[index])))
            if len(pending) >= self._ahead:
                first, future = pending.pop(0)
                yield first, future.result()
        for index, future in pending:
            yield index, future.result()

    def _read(self, item: PhotoItem) -> Any:
        try:
            return self._source.prepare(read_photo(self._store, item))
        except Exception as error:  # one bad photo stops no other
            return Outcome(failures=[reason_of(error).removeprefix(f"{item.name}: ")])

    def _infer(self, batch: Sequence[tuple[int, Any]], advance: Advance) -> dict[int, Outcome]:
        found = self._source.infer([ready for _, ready in batch])
        self._count(advance, len(batch))
        outcomes = {}
        for (index, _), one in zip(batch, found, strict=True):
            if isinstance(one, Exception):
                outcomes[index] = Outcome(failures=[reason_of(one)])
            else:
                row = {"image_id": self._items[index].image_id, "objects": one.rows, "unnamed": one.unnamed or None}
                outcomes[index] = Outcome(rows=[row], failures=one.failures, notes=one.left_out)
        return outcomes


@dataclass(frozen=True)
class _Networks:
    """All that a photo goes through, under the name by which `Lanes` looks for the device."""

    model: Any


def _lanes_of(source: OpenVocabulary) -> Lanes:
    """Lanes for both networks."""
    import torch

    networks = [each.model for each in (source.detector, source.segmenter) if each is not None]
    return Lanes(_Networks(torch.nn.ModuleList(networks)))


def read_photo(store: Store, item: PhotoItem) -> Any:
    """The upright RGB picture that the geometry was made from. Raises `InputError` if it is gone or another one now."""
    loaded = open_photo(store.photo_path(item.image_id), name=item.name)
    if loaded.image_id != item.image_id:
        raise InputError(f"{item.name}: is another picture than the one with geometry; run label again")
    return loaded.image

"""Run a stage on this machine: shard by shard, starting where an earlier run stopped.

The bytes on disk depend on the inputs, their order and the settings, never on the number of workers or on when a run
was killed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from pseudogd.engines.jobs import Job
from pseudogd.engines.processes import WorkerPool
from pseudogd.engines.ray_engine import RayEngine
from pseudogd.engines.result import Outcome, StageResult
from pseudogd.errors import PseudoGDError
from pseudogd.progress import track
from pseudogd.store.dataset import Store
from pseudogd.store.shards import Failure, Slice, plan

T = TypeVar("T")
Advance = Callable[[int], None]
ShardFunction = Callable[[range, Advance], "Sequence[Outcome] | Callable[[], Sequence[Outcome]]"]

SHARD_SIZE = 256
_ALONE = Job()


def run_stage(
    items: Sequence[T],
    fn: Callable[[T], Outcome | Iterable[Mapping[str, Any]]],
    *,
    store: Store,
    stage: str,
    keys: Sequence[str],
    names: Sequence[str] | None = None,
    workers: int = 1,
    engine: RayEngine | None = None,
    **options: Any,
) -> StageResult:
    """Map a pure function over inputs and write what it returns as the stage's shards.

    `fn(item)` gives the rows of one input, or an `Outcome` with failures beside the rows. What it raises becomes a line
    in the failure ledger, and the other inputs go on. `keys[i]` says all that rows of input i depend on besides the
    stage's settings (a changed key means: do the shard again); `names[i]` is what the ledger calls it (default: the
    key). `workers` > 1 runs in that many processes, `engine` on a cluster. See `run_batches` for the other options.
    """
    if engine is not None:

        def build() -> ShardFunction:
            return lambda span, advance: [attempt(fn, items[index]) for index in span]

        return run_batches(
            len(items), build(), store=store, stage=stage, keys=keys, names=names, engine=engine, build=build, **options
        )
    with WorkerPool(lambda index: attempt(fn, items[index]), workers) as pool:

        def shard(span: range, advance: Advance) -> list[Outcome]:
            outcomes = []
            for outcome in pool.map(span):
                outcomes.append(outcome)
                advance(1)
            return outcomes

        return run_batches(len(items), shard, store=store, stage=stage, keys=keys, names=names, **options)


def run_batches(
    count: int,
    fn: ShardFunction,
    *,
    store: Store,
    stage: str,
    keys: Sequence[str],
    names: Sequence[str] | None = None,
    shard_size: int = SHARD_SIZE,
    max_failures: int = 0,
    counts: Mapping[str, int] | None = None,
    job: Job = _ALONE,
    engine: RayEngine | None = None,
    build: Callable[[], ShardFunction] | None = None,
    gpu: bool = False,
    title: str | None = None,
    unit: str = "photos",
    quiet: bool = False,
) -> StageResult:
    """As `run_stage`, for a function of many inputs: `fn(range of indices, advance)` returns one Outcome for each.

    It may return a function that waits for them instead: they are then collected and written while `fn` has begun on
    the next shard, so that its hands never rest at the end of one.

    Shards that an earlier run finished from the same inputs are skipped. Ctrl-C or a kill loses at most the shard in
    work. `counts` are further numbers for the manifest. Of several jobs each makes its own shards, and who finds all of
    them there finishes the stage. With an `engine` its actors each call `build()` for a function like `fn`, with a GPU
    each if `gpu`. Raises PseudoGDError when the output cannot be written.
    """
    names = keys if names is None else names
    if not count == len(keys) == len(names):
        raise ValueError(f"{count} inputs need as many keys ({len(keys)}) and names ({len(names)})")
    started = time.monotonic()
    plan_of_all = plan(keys, shard_size)
    del keys  # of millions of inputs these are the larger part
    parts = [part for part in plan_of_all if job.makes(part)]
    damaged = {part.index: said for part in parts if (said := store.damage(stage, part)) is not None}
    missing = [part for part in parts if part.index in damaged or not store.has_shard(stage, part)]
    mine = sum(part.stop - part.start for part in parts)
    resumed = mine - sum(part.stop - part.start for part in missing)
    if missing:
        store.reopen(stage)
    with track(title or stage, mine, done=resumed, unit=unit, quiet=quiet) as bar:
        for said in damaged.values():
            bar.note(f"warning: {said}; it is made again")
        if resumed:
            bar.note(f"{resumed:,} of {mine:,} {unit} were already done")
        if engine is not None and build is not None and missing:
            engine.run(missing, _remotely(build, store, stage, names), bar.advance, gpu=gpu)
        else:
            _work(missing, fn, bar.advance, lambda part, outcomes: _write(store, stage, part, names, outcomes))
    complete = job.alone or all(store.has_shard(stage, part) for part in plan_of_all)
    done = store.finish(stage, len(plan_of_all), counts) if complete else store.count_shards(stage, parts)
    seconds = time.monotonic() - started
    made = done["rows"], done["failures"]
    return StageResult(stage, store.root, mine, *made, resumed, seconds, max_failures, complete)


def _remotely(
    build: Callable[[], ShardFunction], store: Store, stage: str, names: Sequence[str]
) -> Callable[[], Callable[[Slice], None]]:
    """What an actor does: it makes the function once, and writes one shard after another."""

    def make() -> Callable[[Slice], None]:
        fn = build()

        def shard(part: Slice) -> None:
            outcomes = fn(range(part.start, part.stop), lambda count: None)
            _write(store, stage, part, names, outcomes if callable(outcomes) else lambda: outcomes)

        return shard

    return make


def _work(
    parts: Sequence[Slice],
    fn: ShardFunction,
    advance: Advance,
    write: Callable[[Slice, Callable[[], Sequence[Outcome]]], None],
) -> None:
    writer = ThreadPoolExecutor(1, thread_name_prefix="write")
    writing: Future[None] | None = None
    try:
        for part in parts:
            outcomes = fn(range(part.start, part.stop), advance)
            if writing is not None:
                writing.result()  # one shard at most waits beside the one in work
            if callable(outcomes):
                writing = writer.submit(write, part, outcomes)
            else:  # here: whoever forks must not do so while another thread writes
                write(part, lambda outcomes=outcomes: outcomes)
        if writing is not None:
            writing.result()
    finally:
        writer.shutdown(wait=False, cancel_futures=True)  # after Ctrl-C nobody waits for a shard that is not done


def _write(
    store: Store, stage: str, part: Slice, names: Sequence[str], outcomes: Callable[[], Sequence[Outcome]]
) -> None:
    span, found = range(part.start, part.stop), outcomes()
    if len(found) != len(span):
        raise ValueError(f"{stage}: {len(found)} outcomes for {len(span)} inputs")
    rows = [row for outcome in found for row in outcome.rows]
    failures = [Failure(names[index], reason) for index, outcome in zip(span, found) for reason in outcome.failures]
    notes = [Failure(names[index], note) for index, outcome in zip(span, found) for note in outcome.notes]
    store.write_shard(stage, part, rows, failures, notes)


def attempt(fn: Callable[[T], Outcome | Iterable[Mapping[str, Any]]], item: T) -> Outcome:
    """Call `fn(item)`; what it raises becomes the reason of a failure, so that one bad input stops no other."""
    try:
        result = fn(item)
        return result if isinstance(result, Outcome) else Outcome(rows=list(result))
    except Exception as error:
        return Outcome(failures=[reason_of(error)])


def reason_of(error: Exception) -> str:
    """One line for the failure ledger; an error that is not ours is named as unexpected."""
    lines = str(error).strip().splitlines() or ["no message"]
    return lines[0] if isinstance(error, PseudoGDError) else f"unexpected {type(error).__name__}: {lines[0]}"

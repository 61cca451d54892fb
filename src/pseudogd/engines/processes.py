"""Worker processes that share a function by forking, so that it need not be picklable."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any

from pseudogd.errors import PseudoGDError

_CALLS: dict[int, Callable[[int], Any]] = {}  # children find the function here: they are forked after it is put in
_TOKENS = itertools.count()
_SPAN = 8  # indices per message: a message costs about as much as one small photo


class WorkerPool:
    """Maps a function of an index over ranges, in order, in `workers` processes (in this one if 1, or without fork)."""

    def __init__(self, call: Callable[[int], Any], workers: int) -> None:
        self._call, self._token = call, next(_TOKENS)
        self._workers = workers if "fork" in multiprocessing.get_all_start_methods() else 1
        self._executor: ProcessPoolExecutor | None = None

    def map(self, span: range) -> Iterator[Any]:
        """Results in order of the indices. PseudoGDError when a worker was killed from outside."""
        if self._workers <= 1:
            yield from map(self._call, span)
            return
        executor = self._start()
        pieces = [span[start : start + _SPAN] for start in range(0, len(span), _SPAN)]
        pending: list[Future[list[Any]]] = [executor.submit(_run, self._token, piece) for piece in pieces]
        try:
            for future in pending:
                yield from future.result()
        except BrokenProcessPool as error:
            raise PseudoGDError(
                "a worker process was killed, perhaps for want of memory; run again with fewer --workers"
            ) from error

    def _start(self) -> ProcessPoolExecutor:
        if self._executor is None:
            _CALLS[self._token] = self._call
            self._executor = ProcessPoolExecutor(
                self._workers,
                mp_context=multiprocessing.get_context("fork"),
                initializer=_begin_worker,
                initargs=(os.getpid(),),
            )
        return self._executor

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
        _CALLS.pop(self._token, None)


def _run(token: int, piece: range) -> list[Any]:
    return [_CALLS[token](index) for index in piece]


def _begin_worker(parent: int) -> None:
    """Leave Ctrl-C to the parent, and go when the parent was killed: nobody else would end this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)

"""Ctrl-C in the middle of training: finish the step, save, stop; twice: stop at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any


class Interrupt:
    """While it is entered, the first SIGINT sets `requested` and the second raises KeyboardInterrupt.

    Outside of the main thread, where Python lets nobody handle signals, it does nothing.
    """

    def __init__(self, note: Callable[[str], None] = lambda text: None):
        self.requested = False
        self._note = note
        self._before: Any = None

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        self._note("stopping after this step, with a checkpoint; Ctrl-C again stops at once")

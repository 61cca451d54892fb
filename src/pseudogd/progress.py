"""Progress of long work: a bar on a terminal, a plain line now and then elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

LINE_EVERY_SECONDS = 10.0


class Bar(Protocol):
    """What `track` hands out: count what was done, and say a line without breaking the bar."""

    def advance(self, count: int = 1) -> None: ...

    def note(self, text: str) -> None: ...


class SilentBar:
    """Counts nothing and says nothing."""

    def advance(self, count: int = 1) -> None:
        return None

    def note(self, text: str) -> None:
        return None


class LineBar:
    """One plain line at most every `every` seconds: fit for log files."""

    def __init__(
        self, title: str, total: int | None, done: int, unit: str, stream: TextIO, every: float = LINE_EVERY_SECONDS
    ) -> None:
        self.title, self.total, self.unit, self.stream, self.every = title, total, unit, stream, every
        self.done = self.start_done = done
        self.started = self.last_line = time.monotonic()

    def advance(self, count: int = 1) -> None:
        self.done += count
        now = time.monotonic()
        if now - self.last_line >= self.every and (self.total is None or self.done < self.total):
            self.last_line = now
            self._say(self._status(now))

    def note(self, text: str) -> None:
        self._say(f"{self.title}: {text}")

    def close(self) -> None:
        seconds = time.monotonic() - self.started
        made = self.done - self.start_done
        rate = f", {format_rate(made / seconds)} {self.unit}/s" if made and seconds > 0.1 else ""
        self._say(f"{self.title}: {self._counts()} {self.unit} in {format_seconds(seconds)}{rate}")

    def _counts(self) -> str:
        return f"{self.done:,}" if self.total is None else f"{self.done:,}/{self.total:,}"

    def _status(self, now: float) -> str:
        rate = (self.done - self.start_done) / max(now - self.started, 1e-9)
        if self.total is None:
            return f"{self.title}: {self._counts()} {self.unit}, {format_rate(rate)} {self.unit}/s"
        left = format_seconds((self.total - self.done) / rate) if rate > 0 else "unknown time"
        share = 100 * self.done / max(self.total, 1)
        counts = f"{self._counts()} {self.unit} ({share:.0f} %)"
        return f"{self.title}: {counts}, {format_rate(rate)} {self.unit}/s, {left} left"

    def _say(self, text: str) -> None:
        print(text, file=self.stream, flush=True)


class TerminalBar:
    """A live bar with rate and time left. It refreshes itself without a thread, so that the process may fork."""

    REFRESH_SECONDS = 0.1

    def __init__(self, title: str, total: int | None, done: int, unit: str, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn
        from rich.text import Text

        started = time.monotonic()

        class Rate(ProgressColumn):
            """Items per second and time left, over the work of this run alone (resumed items cost nothing)."""

            def render(self, task: Any) -> Text:
                made = task.completed - done
                elapsed = time.monotonic() - started
                if made <= 0 or elapsed <= 0:
                    return Text(unit)
                rate = made / elapsed
                if total is None:
                    return Text(f"{unit}  {format_rate(rate)}/s")
                left = format_seconds((total - task.completed) / rate)
                return Text(f"{unit}  {format_rate(rate)}/s  {left} left")

        self._refreshed = started
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            Rate(),
            console=Console(file=stream),
            auto_refresh=False,
        )
        self._task = self._progress.add_task(title, total=total, completed=done)
        self._progress.start()
        self._progress.refresh()

    def advance(self, count: int = 1) -> None:
        self._progress.advance(self._task, count)
        now = time.monotonic()
        if now - self._refreshed >= self.REFRESH_SECONDS:
            self._refreshed = now
            self._progress.refresh()

    def note(self, text: str) -> None:
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        self._progress.refresh()
        self._progress.stop()


@contextmanager
def track(
    title: str,
    total: int | None,
    *,
    done: int = 0,
    unit: str = "photos",
    quiet: bool = False,
    stream: TextIO | None = None,
    every: float = LINE_EVERY_SECONDS,
) -> Iterator[Bar]:
    """Follow `total` items of work (None: nobody knows how many), of which `done` were there before this run.

    On a terminal a live bar with rate and time left; without one a plain line about every `every` seconds and one at
    the end; with `quiet` nothing at all. Written to `stream` (standard error).
    """
    stream = sys.stderr if stream is None else stream
    if quiet:
        yield SilentBar()
        return
    bar: LineBar | TerminalBar
    if stream.isatty():
        bar = TerminalBar(title, total, done, unit, stream)
    else:
        bar = LineBar(title, total, done, unit, stream, every)
    try:
        yield bar
    finally:
        bar.close()


def notice(text: str, quiet: bool = False) -> None:
    """Say one line on standard error, unless quiet."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def format_rate(rate: float) -> str:
    """Items per second with about three digits: 1234.5 -> '1,234', 3.14159 -> '3.14'."""
    if rate >= 100:
        return f"{rate:,.0f}"
    return f"{rate:.3g}"


def format_seconds(seconds: float) -> str:
    """Seconds as a person says them: 42 s, 3 min 05 s, 2 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"

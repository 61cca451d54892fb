"""Long commands side by side, each in a process of its own, under one bar."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from pseudogd.errors import PseudoGDError
from pseudogd.progress import notice, track

SAVING_SECONDS = 60.0
"""How long a stopped command may take to save what it has."""


@dataclass(frozen=True)
class Command:
    """What to run, and how many of its `steps` it has done by now."""

    name: str
    arguments: Sequence[str]
    steps: int
    done: Callable[[], int]


def run_beside(
    commands: Sequence[Command],
    *,
    at_once: int,
    env: Mapping[str, str],
    title: str,
    quiet: bool,
    unit: str = "steps",
) -> None:
    """Run all commands, `at_once` at a time, with one bar over all their steps (called `unit` on the bar).

    Ctrl-C is handed on once to those that run, and they are waited for, so that they can save what they have. When one
    fails the others are stopped in the same way, and PseudoGDError tells the last line that it said.
    """
    crew = _Crew(commands, at_once, env)
    try:
        crew.step()
        notice(f"{title}: preparing", quiet)
        before = crew.done()
        while crew.busy and crew.done() == before:  # what loading takes would spoil the time left
            crew.step()
        with track(title, sum(c.steps for c in commands), done=before, unit=unit, quiet=quiet) as bar:
            shown = before
            while crew.busy:
                crew.step()
                now = crew.done()
                bar.advance(max(0, now - shown))
                shown = max(shown, now)
    finally:
        crew.stop()


class _Crew:
    def __init__(self, commands: Sequence[Command], at_once: int, env: Mapping[str, str]) -> None:
        self.commands, self.at_once, self.env = commands, max(1, at_once), dict(env)
        self.waiting = list(commands)
        self.running: list[tuple[Command, subprocess.Popen[bytes], IO[bytes]]] = []

    @property
    def busy(self) -> bool:
        return bool(self.waiting or self.running)

    def done(self) -> int:
        return sum(min(c.done(), c.steps) for c in self.commands)

    def step(self, seconds: float = 0.5) -> None:
        """Start what may start, wait a little, and look who has finished."""
        while self.waiting and len(self.running) < self.at_once:
            command = self.waiting.pop(0)
            # a file, not a pipe: nobody reads while it runs, and a full pipe would stop it
            said = tempfile.TemporaryFile()  # noqa: SIM115 (closed when the command has ended)
            process = subprocess.Popen(command.arguments, env=self.env, stderr=said, start_new_session=True)
            self.running.append((command, process, said))
        time.sleep(seconds)
        for entry in [entry for entry in self.running if entry[1].poll() is not None]:
            self.running.remove(entry)
            command, process, said = entry
            with said:
                if process.returncode:
                    said.seek(0)
                    lines = said.read().decode(errors="replace").strip().splitlines()
                    why = lines[-1] if lines else f"exit code {process.returncode}, and not a word"
                    raise PseudoGDError(f"{command.name} stopped: {why}")

    def stop(self) -> None:
        for _, process, _ in self.running:
            process.send_signal(signal.SIGINT)
        for _, process, said in self.running:
            try:
                process.wait(SAVING_SECONDS)
            except subprocess.TimeoutExpired:  # started in the background, where Ctrl-C is ignored
                process.terminate()
                process.wait()
            said.close()
        self.running.clear()

"""All checks in one run, and what they found."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pseudogd.errors import InputError
from pseudogd.progress import notice, track
from pseudogd.vqa.selftest.regressions import REGRESSIONS
from pseudogd.vqa.selftest.run import Check, check_task
from pseudogd.vqa.tasks import TASKS

MISTAKES = "known mistakes"


@dataclass(frozen=True)
class SelftestResult:
    """`checks` in the order in which they ran."""

    checks: tuple[Check, ...]

    @property
    def flaws(self) -> list[str]:
        """What is wrong, a line each."""
        return [f"{check.task}: {check.name}: {flaw}" for check in self.checks for flaw in check.flaws]

    @property
    def exit_code(self) -> int:
        """0 when nothing is wrong, else 1."""
        return int(bool(self.flaws))


def run_all(tasks: str | Sequence[str] | None, more: Mapping[str, Callable[[], list[str]]], quiet: bool) -> list[Check]:
    """Checks of the tasks, then known mistakes: those of this room and ``more``. A line for each task unless quiet."""
    names = _names(tasks)
    found: list[Check] = []
    with track("selftest", len(names) + 1, unit="tasks", quiet=quiet) as bar:
        for task in names:
            checks = check_task(task)
            notice(_line(task, checks), quiet)
            found += checks
            bar.advance(1)
        mistakes = [Check(MISTAKES, name, 1, tuple(check())) for name, check in {**REGRESSIONS, **more}.items()]
        notice(_line(MISTAKES, mistakes), quiet)
        bar.advance(1)
    return found + mistakes


def _names(tasks: str | Sequence[str] | None) -> list[str]:
    if tasks is None:
        return list(TASKS)
    names = [name.strip() for name in tasks.split(",")] if isinstance(tasks, str) else list(tasks)
    for name in names:
        if name not in TASKS:
            near = difflib.get_close_matches(name, TASKS, n=1, cutoff=0.0)[0]
            raise InputError(f"unknown task {name!r}; nearest is {near!r}, all are: {', '.join(TASKS)}")
    return names


def _line(task: str, checks: Sequence[Check]) -> str:
    wrong = sum(len(check.flaws) for check in checks)
    said = f"{wrong} wrong" if wrong else "all right"
    return f"{task:18s} {sum(check.count for check in checks):6,d} checked, {said}"

"""One oracle a task: it tells from the blocks alone, in closed form, what is wrong with a fact.

An oracle is a module named as its task with

    flaw   (room, scene, fact) -> None for a true fact, else a line that says what the truth is.
    ROOMS  optional: rooms that reach every form of the task; `golden.ROOMS` by default.

What an oracle may read of a fact is what its question says: form, operands, slots, answer, value, marked points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import ROOMS, Room

Oracle = Callable[[Room, Scene, Fact], str | None]


def oracle_of(task: str) -> Oracle:
    """The ``flaw`` function of a task. ModuleNotFoundError when the task has none."""
    flaw: Oracle = import_module(f"{__name__}.{task}").flaw
    return flaw


def rooms_of(task: str) -> Sequence[Room]:
    """The rooms on which a task is tested."""
    rooms: Sequence[Room] = getattr(import_module(f"{__name__}.{task}"), "ROOMS", ROOMS)
    return rooms

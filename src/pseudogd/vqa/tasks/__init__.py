"""One file per kind of spatial question. A new file is a new task; there is no list to keep.

A task is a module with

    QUOTA    most questions per photo by default; 0 leaves the task out unless it is asked for.
    NEEDS    the kind of its most undemanding form: where a scene does not support it, the task has nothing to say.
    FORMS    {"task.form": Form}: every wording of every question and answer.
    facts    (scene, rng, margins) -> Iterator[Fact], in the order in which they would be asked.
    answer   (scene, fact) -> what that fact's question would be answered in a scene of the same objects, without any
             margin: one of the fact's own answers, a number for facts of style "number", None where it cannot be said.
    TELLING  optional, {form or task: words}: names with such a word give the answer away (see `hints`).
    steps    optional, (fact) -> sentences that lead from the fact's own numbers to its answer.

Names that begin with an underscore are no tasks. `docs/new-task.md` walks through one.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.phrasing import Form
from pseudogd.vqa.scene import Scene

TASKS: tuple[str, ...] = tuple(
    sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
)


@cache
def module_of(task: str) -> ModuleType:
    """The module of a task. KeyError for an unknown name."""
    if task not in TASKS:
        raise KeyError(task)
    return import_module(f"{__name__}.{task}")


def facts_of(task: str) -> Callable[..., Iterator[Any]]:
    """The ``facts(scene, rng, margins)`` function of a task. KeyError for an unknown name."""
    facts: Callable[..., Iterator[Any]] = module_of(task).facts
    return facts


@cache
def answer_of(task: str) -> Callable[[Scene, Fact], str | float | None]:
    """The ``answer(scene, fact)`` function of a task. KeyError for an unknown name."""
    answer: Callable[[Scene, Fact], str | float | None] = module_of(task).answer
    return answer


def quotas() -> dict[str, float]:
    """Most questions per photo of every task that is asked by default."""
    return {task: float(module_of(task).QUOTA) for task in TASKS if module_of(task).QUOTA > 0}


@cache
def forms() -> Mapping[str, Form]:
    """Every form of every task by its name."""
    return {name: form for task in TASKS for name, form in module_of(task).FORMS.items()}


def answer_in(scene: Scene, fact: Fact) -> str | float | None:
    """What the question of ``fact`` would be answered in ``scene``, a scene of the same objects, without margins.

    A number for facts of style "number", else one of the fact's own answers; None where the scene cannot say, be it
    that an operand is missing or that the geometry does not support the kind.
    """
    if not scene.supports(fact.kind) or any(scene.find(operand) is None for operand in fact.operands):
        return None
    return answer_of(fact.task)(scene, fact)

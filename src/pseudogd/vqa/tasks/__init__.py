"""One file per kind of spatial question. A new file with a ``facts`` function is a new task; no list to keep."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

TASKS: tuple[str, ...] = tuple(
    sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
)


def facts_of(task: str) -> Callable[..., Iterator[Any]]:
    """The ``facts(scene, rng, margins)`` function of a task. KeyError for an unknown name."""
    if task not in TASKS:
        raise KeyError(task)
    return import_module(f"{__name__}.{task}").facts

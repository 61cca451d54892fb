"""Whether a recipe will train here: every part of a run looked at before hours are spent on it, each said in one line.

Nothing is written to the run folder. What is estimated is read off the model without its weights (`estimate`); the
last look loads them and makes real steps (`trial`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from pseudogd.errors import PseudoGDError
from pseudogd.training.doctor import costs, data, student
from pseudogd.training.doctor.case import FAIL, PASS, SKIP, WARN, Case, Check, Diagnosis, Finding, SeenPhoto
from pseudogd.training.doctor.trial import STEPS
from pseudogd.training.recipe import Recipe

__all__ = ["FAIL", "LOOKS", "PASS", "SKIP", "WARN", "Check", "Diagnosis", "SeenPhoto", "diagnose"]

LOOKS: dict[str, tuple[Callable[[Case], Finding], tuple[str, ...]]] = {
    "family": (student.family, ()),
    "processor": (student.processor, ("family",)),
    "data": (data.data, ()),
    "rows": (data.rows, ("processor", "data")),
    "views": (data.views, ("rows",)),
    "labels": (data.labels, ("views",)),
    "taps": (student.taps, ("processor",)),
    "parameters": (student.parameters, ("taps",)),
    "memory": (costs.memory, ("parameters", "views")),
    "time": (costs.time, ("memory",)),
    "licence": (data.licence, ("data",)),
    "disk": (costs.disk, ("parameters",)),
    "step": (costs.step, ("memory", "labels")),
}
"""name -> what looks, and which looks must not have failed before."""


def diagnose(
    recipe: Recipe,
    sample: Callable[[], Path],
    instead_of: str | None = None,
    told: Callable[[Check], None] = lambda check: None,
    tries: int = STEPS,
) -> Diagnosis:
    """Look at everything a run of this recipe needs.

    Args:
        recipe: the run.
        sample: makes a small data folder, for a recipe whose own is not there.
        instead_of: the checkpoint in whose place `recipe.model.path` stands.
        told: is given every check as soon as it is made.
        tries: real steps that are made, two at least.
    """
    found = Diagnosis(recipe)
    case = Case(recipe, sample, instead_of, _device(recipe), found, tries)
    broken: set[str] = set()
    for name, (look, needed) in LOOKS.items():
        missing = [other for other in needed if other in broken]
        if missing:
            check = Check(name, SKIP, f"not looked at, for it needs {missing[0]}")
        else:
            try:
                check = Check(name, *look(case))
            except PseudoGDError as error:
                check = Check(name, FAIL, " ".join(str(error).split()))
        if check.status in (FAIL, SKIP):
            broken.add(name)
        found.checks.append(check)
        told(check)
    found.recipe = case.recipe
    return found


def _device(recipe: Recipe) -> torch.device:
    """Where the trainer will put the model."""
    if recipe.device != "cpu" and torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    if recipe.device != "cpu" and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")

"""What must be true in the first steps of a run, said in one line where it is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from pseudogd.errors import InputError, PseudoGDError
from pseudogd.student.batch import PhotoTargets

STEPS = 3
"""Gradients are looked at in so many first steps: what stands behind a layer of zeros gets none in the very first."""

_WHY = {
    "tower": "the vision tower learns nothing: something detaches its states",
    "projector": "the projector learns nothing: language does not read the photos",
    "llm": "the language model learns nothing: do the rows have any labels?",
    "head": "the geometry head learns nothing: does any photo of these rows have usable geometry?",
}


class FirstSteps:
    """Sees that every part that is trained gets a gradient within the first steps."""

    def __init__(self, trained: Mapping[str, Iterable[torch.nn.Parameter]]):
        self._parameters = {part: list(parameters) for part, parameters in trained.items()}
        self._waiting: dict[str, int] = {}

    def look(self, expected: Iterable[str]) -> None:
        """After the backward pass of a step in which the parts `expected` ought to get a gradient.

        Raises:
            PseudoGDError: a part was expected in `STEPS` steps and had none in any.
        """
        for part in expected:
            parameters = self._parameters.get(part, [])
            if not parameters or self._waiting.get(part, 0) < 0:
                continue
            if any(_is_nonzero(p.grad) for p in parameters):
                self._waiting[part] = -1
                continue
            self._waiting[part] = self._waiting.get(part, 0) + 1
            if self._waiting[part] >= STEPS:
                raise PseudoGDError(f"no gradient reached {part} in {STEPS} steps: {_WHY[part]}")

    @property
    def done(self) -> bool:
        """Whether nothing is left to look at."""
        return all(self._waiting.get(part, 0) < 0 for part, p in self._parameters.items() if p)


def _is_nonzero(gradient: Tensor | None) -> bool:
    if gradient is None:
        return False
    local = gradient.to_local() if hasattr(gradient, "to_local") else gradient
    return bool(local.any())


def coverage(photos: Iterable[PhotoTargets]) -> float:
    """Share of cells, over all views of some photos, about which geometry says something; 0 where there is no view."""
    known = total = 0
    for photo in photos:
        for _, targets in photo.views:
            known += int((targets.weight > 0).sum())
            total += targets.weight.size
    return known / total if total else 0.0


def check_coverage(found: float, least: float, photos: int) -> None:
    """Raise InputError where geometry covers less than `least` of the cells of the `photos` that were looked at."""
    if found < least:
        raise InputError(
            f"geometry says something about {found:.1%} of the visual cells of {photos} photos, less than "
            f"geometry.min_coverage={least:.0%}; look at the labels with `pseudogd doctor`, or lower it"
        )

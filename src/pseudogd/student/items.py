"""What an optimizer step holds: however its rows are shared out, the shares of its losses add up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pseudogd.distill.kinds import TERMS
from pseudogd.student.batch import GeometryBatch
from pseudogd.student.families.base import FamilyAdapter

IGNORED = -100
"""Label of a token that is not to be learnt."""


@dataclass(frozen=True)
class Items:
    """How much one optimizer step holds, over all of its micro-batches and ranks: what sums of losses are divided by.

    Attributes:
        labels: () label tokens that are predicted.
        views: (len(TERMS),) views that pay each geometry term, see `GeometryBatch.items`.
        tokens: () visual tokens that the language model reads.
    """

    labels: Tensor
    views: Tensor
    tokens: Tensor

    @classmethod
    def of(
        cls,
        batches: Iterable[tuple[Mapping[str, Any], GeometryBatch | None]],
        family: FamilyAdapter,
        reduce: Callable[[Tensor], Tensor] | None = None,
    ) -> Items:
        """What the micro-batches of one step hold together, each (inputs, geometry) as `Joint` will be given them.

        `reduce` gets the counts, (2 + len(TERMS),) float32, and gives their sum over all ranks; None for one process.
        """
        counts = torch.stack([_held(inputs, geometry, family) for inputs, geometry in batches]).sum(0)
        counts = (counts if reduce is None else reduce(counts)).clamp(min=1)
        return cls(labels=counts[0], views=counts[2:], tokens=counts[1])


def _held(inputs: Mapping[str, Any], geometry: GeometryBatch | None, family: FamilyAdapter) -> Tensor:
    """Labels (the first token of a row is never predicted), visual tokens, and views that pay each term."""
    ids = inputs["input_ids"]
    labels = (inputs["labels"][..., 1:] != IGNORED).sum()
    photo = (ids == family.image_token_id).sum()
    views = torch.zeros(len(TERMS)) if geometry is None else geometry.items()
    return torch.cat([torch.stack([labels, photo]).float(), views.to(ids.device)])

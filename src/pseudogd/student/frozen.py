"""What the encoder was before training: the measure of the anchor."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from pseudogd.student.families.base import FamilyAdapter

_CAST = (nn.Linear, nn.Conv2d, nn.Conv3d)
"""Layers whose weights autocast casts."""


def frozen_encoder(model: Any, family: FamilyAdapter, dtype: torch.dtype | None) -> nn.Module:
    """A copy of the model without its language model, frozen: tower, projector, and whatever stands beside them.

    Weights that are not trained (under LoRA those of the tower) are shared, not copied. Matrices that are copied get
    `dtype` (None: keep their own), in which autocast would run them anyhow; norms and embeddings keep theirs.
    """
    # not even a reference to the language model: sharded later on, it would stay in memory as a whole
    left_out = {id(part): nn.Identity() for part in _language(model)}
    shared = {id(p): p for p in (*shared_parameters(model), *model.buffers())}
    frozen = copy.deepcopy(model, memo={**left_out, **shared})
    for parameter in frozen.parameters():
        parameter.requires_grad_(False)
    for part in (family.tower(frozen), family.projector(frozen)):
        part.eval()
        for module in part.modules():
            if isinstance(module, _CAST):
                for parameter in module.parameters(recurse=False):
                    if dtype is not None and id(parameter) not in shared:
                        parameter.data = parameter.data.to(dtype)
    return frozen


def shared_parameters(model: Any) -> list[nn.Parameter]:
    """What the copy has in common with the model: all that is neither trained nor the language model's."""
    inner = {id(p) for part in _language(model) for p in part.parameters()}
    return [p for p in model.parameters() if id(p) not in inner and not p.requires_grad]


def _language(model: Any) -> list[nn.Module]:
    return [part for part in (model.get_decoder(), model.get_output_embeddings()) if part is not None]

"""What the encoder was before training: the measure of the anchor."""

from __future__ import annotations

import copy

import torch
from torch import nn

from pseudogd.student.families.base import FamilyAdapter

_CAST = (nn.Linear, nn.Conv2d, nn.Conv3d)
"""Layers whose weights autocast casts."""


def frozen_encoder(model: nn.Module, family: FamilyAdapter, dtype: torch.dtype | None) -> nn.Module:
    """A copy of the model whose tower and projector are frozen.

    Weights that are not trained (the language model's, and under LoRA those of the tower) are shared, not copied.
    Matrices that are copied get `dtype` (None: keep their own), in which autocast would run them anyhow; norms and
    embeddings keep theirs.
    """
    parts = (family.tower(model), family.projector(model))
    own = {id(p) for part in parts for p in part.parameters() if p.requires_grad}
    shared = {id(p): p for p in (*model.parameters(), *model.buffers()) if id(p) not in own}
    frozen = copy.deepcopy(model, memo=shared)
    for part in (family.tower(frozen), family.projector(frozen)):
        part.requires_grad_(False).eval()
        for module in part.modules():
            if isinstance(module, _CAST):
                for parameter in module.parameters(recurse=False):
                    if dtype is not None and id(parameter) not in shared:
                        parameter.data = parameter.data.to(dtype)
    return frozen

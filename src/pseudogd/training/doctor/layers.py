"""The layers of one part of a model as numbers: what an estimate needs to know of them, on any device."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Layer:
    """One linear layer, convolution or norm.

    Attributes:
        reads, gives: numbers of one token; both are a norm's width.
        size: parameters of its weight.
        norm: whether it is one; `written_out`: one of several operations (RMSNorm), not of one kernel.
        trained: whether its weight is.
        full: whether its weight is float32.
        added: whether its output is added to another layer's at once (the second half of an adapter).
        shares: whether a layer beside it reads numbers of the same width, most likely the same ones.
    """

    reads: int
    gives: int
    size: int
    norm: bool
    written_out: bool
    trained: bool
    full: bool
    added: bool
    shares: bool


def layers_of(module: nn.Module, without: nn.Module | None = None) -> list[Layer]:
    """The layers inside of `module`, but for those inside of `without`."""
    skipped = {id(m) for m in without.modules()} if without is not None else set()
    found: list[Layer] = []
    seen: set[tuple[str, int]] = set()
    for name, inner in module.named_modules():
        if id(inner) in skipped or not _counts(inner):
            continue
        layer = _layer(name, inner)
        beside = (name.partition(".lora_A.")[0].rpartition(".")[0], layer.reads)
        found.append(replace(layer, shares=beside in seen and not layer.norm))
        if not layer.norm:
            seen.add(beside)
    return found


def blocks_of(module: nn.Module) -> list[nn.Module]:
    """The list of modules that holds most of a part's weights: its transformer blocks."""
    lists = [m for m in module.modules() if isinstance(m, nn.ModuleList) and len(m)]
    return list(max(lists, key=lambda blocks: count(blocks.parameters())))


def plain(model: Any) -> Any:
    """The model itself, without a `peft` wrapper (its adapters are in the modules)."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def count(parameters: Iterable[nn.Parameter]) -> int:
    """How many numbers."""
    return sum(p.numel() for p in parameters)


def nbytes(parameters: Iterable[nn.Parameter]) -> int:
    """How many bytes."""
    return sum(p.numel() * p.element_size() for p in parameters)


def _counts(module: nn.Module) -> bool:
    weight = module._parameters.get("weight")
    if weight is None or isinstance(module, nn.Embedding):
        return False
    return weight.ndim == 1 or isinstance(module, (nn.Linear, nn.Conv2d, nn.Conv3d))


def _layer(name: str, module: nn.Module) -> Layer:
    weight = module.weight
    norm = weight.ndim == 1
    return Layer(
        reads=weight.numel() // (1 if norm else weight.shape[0]),
        gives=weight.shape[0],
        size=weight.numel(),
        norm=norm,
        written_out=norm and not isinstance(module, nn.LayerNorm),
        trained=weight.requires_grad,
        full=weight.dtype == torch.float32,
        added="lora_B" in name.split("."),
        shares=False,
    )

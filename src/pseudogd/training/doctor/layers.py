"""The layers of one part of a model as numbers: what an estimate needs to know of them, on any device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from transformers.activations import QuickGELUActivation


@dataclass(frozen=True)
class Layer:
    """One linear layer, convolution or norm.

    Attributes:
        reads, gives: numbers of one token; both are a norm's width.
        size: parameters of its weight.
        norm: whether it is one; `written_out`: one of several operations (RMSNorm), not of one kernel.
        trained: whether its weight is.
        full: whether its weight is float32.
        enters: whether it reads a float32 copy (the first half of an adapter).
        added: whether its output is added to another layer's at once (the second half of an adapter).
        shares: whether a trained layer beside it reads numbers of the same width, most likely the same ones.
        summed: whether its output goes into a sum, which keeps nothing of it: the last of its module's layers.
        between: numbers kept between it and the layer that reads its activation: a gate before it is multiplied, or an
            activation that is made of two operations.
    """

    reads: int
    gives: int
    size: int
    norm: bool
    written_out: bool
    trained: bool
    full: bool
    enters: bool
    added: bool
    shares: bool
    summed: bool
    between: int


def layers_of(module: nn.Module, without: nn.Module | None = None) -> list[Layer]:
    """The layers inside of `module`, but for those inside of `without`."""
    skipped = {id(m) for m in without.modules()} if without is not None else set()
    counted = [(name, m) for name, m in module.named_modules() if id(m) not in skipped and _counts(m)]
    beside: dict[str, list[tuple[str, nn.Module]]] = {}
    for name, inner in counted:
        if inner.weight.ndim > 1 and ".lora_" not in name:
            beside.setdefault(_parent(name), []).append((_own(name), inner))
    modules = dict(module.named_modules())
    last = {members[-1][0] for members in beside.values()}
    between = {members[0][0]: _between(modules[parent], [m for _, m in members]) for parent, members in beside.items()}
    found: list[Layer] = []
    seen: set[tuple[str, int]] = set()
    for name, inner in counted:
        layer, own, adapter = _layer(name, inner), _own(name), ".lora_" in name
        read = (_parent(name), layer.reads)
        found.append(
            replace(
                layer,
                shares=read in seen and own not in last and not layer.norm,
                summed=own in last and not adapter,
                between=0 if adapter else between.get(own, 0),
            )
        )
        if layer.trained and not layer.norm:
            seen.add(read)
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
        enters="lora_A" in name.split("."),
        added="lora_B" in name.split("."),
        shares=False,
        summed=False,
        between=0,
    )


def _own(name: str) -> str:
    """The layer's name, that of the layer which it adapts for an adapter's half."""
    return name.partition(".lora_")[0].removesuffix(".base_layer")


def _parent(name: str) -> str:
    return _own(name).rpartition(".")[0]


def _between(parent: nn.Module, layers: Sequence[nn.Module]) -> int:
    """What the first of a module's layers leaves for the backward pass on the way to the next, beside its output."""
    shapes = [tuple(layer.weight.shape[:2]) for layer in layers]
    if len(shapes) == 3 and shapes[0] == shapes[1] == shapes[2][::-1]:  # down(act(gate(x)) * up(x))
        return shapes[0][0]
    if any(isinstance(child, QuickGELUActivation) for child in parent.children()):  # x * sigmoid(1.702 x)
        return shapes[0][0]
    return 0

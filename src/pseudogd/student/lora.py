"""Low-rank adapters (LoRA, Hu et al. 2022) by PEFT, on the tower, on the language model, or on both.

Which layers get one is decided by full paths, never by bare names: `q_proj` alone would hit both parts, `proj` would
hit the patch embedding of some towers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import nn

from pseudogd.errors import InputError
from pseudogd.student.families.base import FamilyAdapter


@dataclass(frozen=True)
class LoraPart:
    """Rank of one part's adapters, and alpha: alpha / r is what their update is multiplied by; None: 2 r."""

    r: int
    alpha: float | None = None

    @property
    def scale(self) -> float:
        return 2 * self.r if self.alpha is None else self.alpha


def llm_pattern(model: nn.Module) -> str:
    """Full-match pattern of every linear layer inside the language model's layers, the output layer left out.

    Raises:
        InputError: the model keeps its layers in a way that is not known here.
    """
    decoder = model.get_decoder()
    prefix = next((n for n, m in model.named_modules() if m is decoder), None)
    layers = getattr(decoder, "layers", None)
    if prefix is None or layers is None:
        raise InputError(f"the language model of {type(model).__name__} has no layers that LoRA is known to fit")
    names = sorted({n for n, m in layers.named_modules() if isinstance(m, nn.Linear)})
    inside = sorted({name.partition(".")[2] for name in names})
    return rf"{re.escape(prefix)}\.layers\.\d+\.({'|'.join(map(re.escape, inside))})"


def add_lora(
    model: nn.Module, family: FamilyAdapter, tower: LoraPart | None, llm: LoraPart | None, dropout: float = 0.0
) -> Any:
    """The model with adapters, everything else frozen; layers that language never reads get none.

    Raises:
        InputError: no part was asked for, or a pattern hit nothing, or layers of another part.
    """
    from peft import LoraConfig, get_peft_model

    asked = [(family.lora_pattern, tower), (llm_pattern(model) if llm else "", llm)]
    parts = [(pattern, part) for pattern, part in asked if part is not None]
    if not parts:
        raise InputError("LoRA was asked for neither the tower nor the language model; set lora.tower.r or lora.llm.r")
    unused = sorted({name.rpartition(".")[0] for name in family.unused_parameters(model)})
    wanted = _hit(model, parts, unused)
    inside = {id(m) for m in family.tower(model).modules()}
    for (pattern, _), names in zip(parts, wanted):
        of_tower = pattern == family.lora_pattern
        modules = dict(model.named_modules())
        if not names or any((id(modules[n]) in inside) != of_tower for n in names):
            raise InputError(f"the LoRA pattern {pattern!r} does not fit {type(model).__name__}: it hits {names[:3]}")
    first = parts[0][1]
    config = LoraConfig(
        r=first.r,
        lora_alpha=first.scale,
        lora_dropout=dropout,
        target_modules="|".join(f"({pattern})" for pattern, _ in parts),
        exclude_modules="|".join(map(re.escape, unused)) or None,
        rank_pattern={pattern: part.r for pattern, part in parts[1:]},
        alpha_pattern={pattern: part.scale for pattern, part in parts[1:]},
    )
    adapted = get_peft_model(model, config)
    got = {name.removeprefix("base_model.model.") for name, m in adapted.named_modules() if hasattr(m, "lora_A")}
    if got != {name for names in wanted for name in names}:
        raise InputError(f"LoRA reached {len(got)} layers of {type(model).__name__}, not those that were meant")
    return adapted


def _hit(model: nn.Module, parts: Iterable[tuple[str, LoraPart]], unused: list[str]) -> list[list[str]]:
    """For each pattern, the names of the layers that it matches and that are used."""
    skipped = set(unused)
    names = [name for name, _ in model.named_modules() if name not in skipped]
    return [[name for name in names if re.fullmatch(pattern, name)] for pattern, _ in parts]


def is_adapted(model: nn.Module) -> bool:
    """Whether the model is wrapped by PEFT."""
    return hasattr(model, "peft_config") and hasattr(model, "merge_and_unload")


def merged(model: Any) -> Any:
    """The ordinary model, adapters added into its weights (in place: the adapted model is no longer one)."""
    return model.merge_and_unload(safe_merge=True) if is_adapted(model) else model

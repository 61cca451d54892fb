"""Which parameter belongs to which part of the student, which parts learn, and how each learns."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from pseudogd.student.families.base import FamilyAdapter
from pseudogd.student.joint import Joint, freeze_unused
from pseudogd.student.lora import LoraPart, add_lora
from pseudogd.training.recipe import Recipe
from pseudogd.training.sections import LoraPartSection, OptimSection

PARTS = ("tower", "projector", "llm", "head")


def parts_of(model: nn.Module, family: FamilyAdapter, head: nn.Module | None = None) -> dict[str, list[nn.Parameter]]:
    """part -> its parameters, each parameter once. What is neither tower, projector nor head counts as llm."""
    owner: dict[int, str] = {}
    for part, module in (("tower", family.tower(model)), ("projector", family.projector(model))):
        owner |= {id(parameter): part for parameter in module.parameters()}
    parts: dict[str, list[nn.Parameter]] = {part: [] for part in PARTS}
    for parameter in model.parameters():
        parts[owner.get(id(parameter), "llm")].append(parameter)
    parts["head"] = [] if head is None else list(head.parameters())
    return parts


def prepare(model: Any, family: FamilyAdapter, recipe: Recipe) -> Any:
    """The model with adapters where the recipe wants them, and with everything frozen that is not to be trained.

    Frozen are parts whose learning rate is 0, what language can never train, and under LoRA all but the adapters of the
    part. Trained weights become float32, whatever the checkpoint's type. Adapters start as the recipe's seed decides.
    """
    unused = {id(dict(model.named_parameters())[name]) for name in freeze_unused(model, family)}
    adapters = {"tower": _lora(recipe.lora.tower), "llm": _lora(recipe.lora.llm)}
    if recipe.uses_lora:
        torch.manual_seed(recipe.seed)
        model = add_lora(model, family, **adapters, dropout=recipe.lora.dropout)
    added = {id(p) for name, p in model.named_parameters() if ".lora_" in name}
    for part, parameters in parts_of(model, family).items():
        learns = getattr(recipe.optim.lr, part) > 0
        for parameter in parameters:
            whole = adapters.get(part) is None and id(parameter) not in unused
            parameter.requires_grad_(learns and (id(parameter) in added or whole))
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
    return model


def parameter_groups(joint: Joint, optim: OptimSection) -> list[dict[str, Any]]:
    """AdamW groups named `<part>` and `<part>.plain`: the latter, norms and biases, without weight decay."""
    groups = []
    for part, parameters in parts_of(joint.plain_model(), joint.family, joint.head).items():
        trained = [p for p in parameters if p.requires_grad]
        for name, members, decay in (
            (part, [p for p in trained if p.ndim > 1], optim.weight_decay),
            (f"{part}.plain", [p for p in trained if p.ndim <= 1], 0.0),
        ):
            if members:
                lr = getattr(optim.lr, part)
                groups.append({"params": members, "lr": lr, "weight_decay": decay, "name": name})
    return groups


def _lora(section: LoraPartSection) -> LoraPart | None:
    return LoraPart(section.r, section.alpha) if section.r else None

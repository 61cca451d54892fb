"""Which parameter belongs to which part of the student, and how each part learns."""

from __future__ import annotations

from typing import Any

from torch import nn

from pseudogd.student.joint import Joint, freeze_unused
from pseudogd.training.recipe import OptimSection

PARTS = ("tower", "projector", "llm", "head")


def parts_of(joint: Joint) -> dict[str, dict[str, nn.Parameter]]:
    """part -> name -> parameter, each parameter once. What is neither tower, projector nor head counts as llm."""
    model = joint.plain_model()
    owner: dict[int, str] = {}
    modules = {"tower": joint.family.tower(model), "projector": joint.family.projector(model), "head": joint.head}
    for part, module in modules.items():
        for parameter in module.parameters() if module is not None else ():
            owner[id(parameter)] = part
    parts: dict[str, dict[str, nn.Parameter]] = {part: {} for part in PARTS}
    for name, parameter in joint.named_parameters():
        parts[owner.get(id(parameter), "llm")][name] = parameter
    return parts


def freeze(joint: Joint, optim: OptimSection) -> None:
    """Freeze parts whose learning rate is 0, and parameters that language can never train."""
    freeze_unused(joint.plain_model(), joint.family)
    for part, parameters in parts_of(joint).items():
        if getattr(optim.lr, part) == 0:
            for parameter in parameters.values():
                parameter.requires_grad_(False)


def parameter_groups(joint: Joint, optim: OptimSection) -> list[dict[str, Any]]:
    """AdamW groups named `<part>` and `<part>.plain`: the latter, norms and biases, without weight decay."""
    groups = []
    for part, parameters in parts_of(joint).items():
        trained = [p for p in parameters.values() if p.requires_grad]
        for name, members, decay in (
            (part, [p for p in trained if p.ndim > 1], optim.weight_decay),
            (f"{part}.plain", [p for p in trained if p.ndim <= 1], 0.0),
        ):
            if members:
                lr = getattr(optim.lr, part)
                groups.append({"params": members, "lr": lr, "weight_decay": decay, "name": name})
    return groups

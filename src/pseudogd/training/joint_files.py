"""A `Joint` on disk: an ordinary model with its processor, and the geometry head in a file of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pseudogd.student.head import GeometryHead
from pseudogd.student.joint import Joint
from pseudogd.student.lora import is_adapted
from pseudogd.training import checkpoints, sharding

HEAD_NAME = "geometry_head.safetensors"


def save(joint: Joint, processor: Any, folder: Path, weights: Mapping[str, Tensor] | None = None) -> None:
    """Write model, processor and head into `folder`.

    With adapters: those, in PEFT's own format, and beside them whatever else was trained. `weights` are the full ones
    of a sharded `Joint`.
    """
    plain = joint.plain_model()
    full = None if weights is None else _under("model.", weights)
    plain.save_pretrained(folder, **({} if full is None else {"state_dict": full}))
    if is_adapted(plain):
        checkpoints.save_trained(folder, plain, full)
    processor.save_pretrained(folder)
    save_head(joint, folder, weights)


def save_head(joint: Joint, folder: Path, weights: Mapping[str, Tensor] | None = None) -> None:
    """Write the geometry head with the taps it listens to; nothing where there is none."""
    if joint.head is not None:
        taps = {"place": joint.taps.place, "layers": list(joint.taps.layers)}
        joint.head.save(folder / HEAD_NAME, taps, None if weights is None else _under("head.", weights))


def load(joint: Joint, folder: Path) -> None:
    """Put what `save` wrote into `joint`, sharded or not."""
    plain = joint.plain_model()
    if is_adapted(plain):
        sharding.load_into(plain, checkpoints.load_trained(folder, plain))
    else:
        sharding.load_into(plain, type(plain).from_pretrained(folder, dtype=torch.float32).state_dict())
    if joint.head is not None:
        head, _ = GeometryHead.load(folder / HEAD_NAME)
        sharding.load_into(joint.head, head.state_dict())


def _under(prefix: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}

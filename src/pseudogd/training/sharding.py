"""FSDP2: what is sharded over the ranks, put together again to be saved and dealt out to be loaded.

Checkpoints are the same files whether a run was sharded or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, distribute_tensor

from pseudogd.student.families.base import FamilyAdapter
from pseudogd.student.joint import Joint
from pseudogd.training import ranks


def is_sharded(model: nn.Module) -> bool:
    """Whether any parameter is spread over ranks."""
    return any(isinstance(p, DTensor) for p in model.parameters())


def whole(value: Any) -> Any:
    """A sharded tensor in full (all ranks must ask, in the same order); other values as they are."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def gathered(model: nn.Module, keep: bool) -> dict[str, Tensor] | None:
    """The full state on the CPU where `keep`, empty elsewhere; None if nothing is sharded. All ranks must ask."""
    if not is_sharded(model):
        return None
    found = {}
    for name, value in model.state_dict().items():
        full = whole(value.detach())
        if keep:
            found[name] = full.cpu()
    return found


def gathered_optimizer(optimizer: torch.optim.Optimizer, keep: bool) -> dict[str, Any]:
    """The optimizer's state dict with full tensors, on the CPU where `keep`. All ranks must ask."""
    state = optimizer.state_dict()
    full: dict[int, dict[str, Any]] = {}
    for index, values in state["state"].items():
        put = {name: whole(value) for name, value in values.items()}
        if keep:
            full[index] = {k: v.detach().cpu() if isinstance(v, Tensor) else v for k, v in put.items()}
    return {"state": full, "param_groups": state["param_groups"]}


def dealt_optimizer(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> dict[str, Any]:
    """A state dict of full tensors as this rank's optimizer takes it."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    dealt = {
        index: {name: _like(value, parameters[index]) for name, value in values.items()}
        for index, values in state["state"].items()
    }
    return {**state, "state": dealt}


@torch.no_grad()
def load_into(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy full tensors into the parameters and buffers of those names; what `state` does not name stays as it is."""
    for name, target in model.state_dict(keep_vars=True).items():
        if name in state:
            target.copy_(_like(state[name], target))


def _like(value: Any, target: Tensor) -> Any:
    """`value` sharded as `target`, if it has its shape and `target` is sharded."""
    if isinstance(target, DTensor) and isinstance(value, Tensor) and value.shape == target.shape:
        return distribute_tensor(value.to(target.device), target.device_mesh, target.placements)
    return value


def shard(joint: Joint, device: torch.device) -> None:
    """Spread a `Joint` over all ranks, in place: each of `units` on its own, whatever is in none of them together.

    Sharded here rather than by the library's trainer, which does so on accelerators alone: this way a test on the CPU
    runs what a GPU runs.
    """
    from torch.distributed.fsdp import fully_shard

    joint.to(device)
    mesh = init_device_mesh(device.type, (ranks.world(),))
    for unit in units(joint.plain_model(), joint.family):
        fully_shard(unit, mesh=mesh)
    fully_shard(joint, mesh=mesh)


def units(model: Any, family: FamilyAdapter) -> list[nn.Module]:
    """What is gathered while it is at work alone: blocks of tower and language model, embeddings, the output layer.

    Embeddings that are the output layer's weights too stay out: their unit would be whole from first to last anyhow.
    """
    found = [*_layers(family.tower(model)), *_layers(model.get_decoder())]
    words, output = model.get_input_embeddings(), model.get_output_embeddings()
    if output is not None and words.weight is not output.weight:
        found += [words, output]
    return found


def _layers(part: nn.Module) -> nn.ModuleList:
    """The list of modules that holds most of a part's weights."""
    lists = [m for m in part.modules() if isinstance(m, nn.ModuleList) and len(m)]
    return max(lists, key=lambda modules: sum(p.numel() for p in modules.parameters()))

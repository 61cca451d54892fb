"""Several processes that train one model: who writes, who waits, and whether they still agree.

Started by `torchrun` or `accelerate launch`, which set the environment that is read here. One process is rank 0 of 1.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import torch
import torch.distributed as dist

from pseudogd.errors import PseudoGDError

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "GROUP_RANK")
"""What a launcher sets; a process of our own that is alone must not inherit it."""


def world() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this one is."""
    return int(os.environ.get("RANK", "0"))


def is_main() -> bool:
    """Whether this process writes files and shows progress."""
    return rank() == 0


def meet(on_cpu: bool) -> None:
    """Join the other processes, if there are any."""
    if world() > 1:
        from accelerate import PartialState

        PartialState(cpu=on_cpu)


def leave() -> None:
    """Part from the other processes, at the end of a program; nothing can be said to them afterwards.

    A thread of the group that is still at work when the interpreter ends aborts the process, and with it a run that was
    finished (https://github.com/pytorch/pytorch/issues/190489).
    """
    if world() > 1 and dist.is_initialized():
        dist.destroy_process_group()


def barrier() -> None:
    """Wait for the others."""
    if world() > 1 and dist.is_initialized():
        dist.barrier()


def any_of(flag: bool, device: torch.device) -> bool:
    """Whether it is so on any rank; all of them must ask."""
    if world() == 1:
        return flag
    found = torch.tensor(int(flag), device=device)
    dist.all_reduce(found, op=dist.ReduceOp.MAX)
    return bool(found)


def check_agreement(parameters: Iterable[torch.nn.Parameter], step: int) -> None:
    """See that every rank holds the very same weights; all ranks must ask.

    Raises:
        PseudoGDError: they do not, as happens when a gradient is not synchronised.
    """
    if world() == 1:
        return
    sums = [torch.stack([p.detach().double().sum(), p.detach().double().square().sum()]) for p in parameters]
    mine = torch.stack(sums)
    others = [torch.empty_like(mine) for _ in range(world())]
    dist.all_gather(others, mine)
    apart = sum(int((other != others[0]).any(dim=1).sum()) for other in others)
    if apart:
        raise PseudoGDError(
            f"the {world()} ranks no longer hold the same weights after step {step} ({apart} of {len(mine)} tensors "
            "differ): a gradient was not synchronised; report this with your recipe"
        )


def without_launcher(environment: dict[str, str]) -> dict[str, str]:
    """The environment of a process that trains with nobody."""
    return {name: value for name, value in environment.items() if name not in VARIABLES}

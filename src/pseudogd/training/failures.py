"""What stops a training run from outside, in one line each that says how to go on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from pseudogd.errors import InputError, PseudoGDError
from pseudogd.training import checkpoints

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
_DEAD_RANK = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "Timed out waiting", "NCCL error")


@contextmanager
def explained(run: Path, step: Callable[[], int]) -> Iterator[None]:
    """Inside, errors of the library and the machine become ours.

    Args:
        run: the run folder, whose checkpoints are left as they are.
        step: how many steps were made.

    Raises:
        InputError: a data worker could not read a row or a photo.
        PseudoGDError: out of memory, a worker that was killed, a rank that went away.
    """
    try:
        yield
    except PseudoGDError as error:
        raise _unwrapped(error) from error
    except (MemoryError, RuntimeError) as error:
        said = _say(error, run, step() + 1)
        if said is None:
            raise
        raise PseudoGDError(said) from error


def _unwrapped(error: PseudoGDError) -> PseudoGDError:
    """An error of a data worker comes with its traceback as the message; the last line is what it said."""
    text = str(error)
    if "in DataLoader worker process" not in text:
        return error
    return InputError(re.sub(r"^[\w.]+: ", "", text.strip().splitlines()[-1]))


def _say(error: BaseException, run: Path, step: int) -> str | None:
    text = str(error)
    kept = _kept(run)
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(t in text for t in _OUT_OF_MEMORY):
        return (
            f"out of memory in step {step}; lower optim.batch_size and raise optim.grad_accum by as much, or set "
            f"optim.gradient_checkpointing=true, or train adapters (lora.*); {kept}"
        )
    if "DataLoader worker" in text:
        return (
            f"a data worker was killed in step {step}, as a system out of (shared) memory does; lower data.workers or "
            f"data.cache_mb; {kept}"
        )
    if any(t in text for t in _DEAD_RANK):
        return f"another rank went away in step {step}: its own output says why; {kept}"
    return None


def _kept(run: Path) -> str:
    found = checkpoints.checkpoints(run)
    return f"{found[-1]} is intact, and the same command goes on from it" if found else "there is no checkpoint yet"

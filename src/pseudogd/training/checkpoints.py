"""Folders that appear whole or not at all, and the state that a resumed run needs, without pickle.

A checkpoint is an ordinary model (config, safetensors, processor) with a few files beside it: the geometry head, the
optimizer's state, the state of every random number generator, and how far the run was.
"""

from __future__ import annotations

import errno
import json
import os
import random
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from pseudogd.errors import InputError
from pseudogd.store.durable import sync

OPTIMIZER_NAME = "optimizer.safetensors"
TRAINED_NAME = "trained.safetensors"
_CHECKPOINT = re.compile(r"^checkpoint-(\d+)$")
_UNFINISHED = ".unfinished"
_DELETED = ".deleted"


@contextmanager
def appearing_folder(final: Path) -> Iterator[Path]:
    """A folder to write into, which gets its name only when everything in it is on disk.

    What was there under the name before is replaced. Raises InputError, and leaves nothing behind, when the disk is
    full or the place cannot be written.
    """
    aside = final.with_name(f".{final.name}{_UNFINISHED}")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        yield aside
        readable = aside.stat().st_mode & 0o666  # safetensors makes files that only their owner may read
        for path in sorted(aside.rglob("*"), reverse=True):
            if path.is_file():
                path.chmod(readable)
            sync(path)
        sync(aside)
        delete_folder(final)
        os.rename(aside, final)
        sync(final.parent)
    except (OSError, SafetensorError) as error:
        raise InputError(_write_error(final, error)) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def delete_folder(folder: Path) -> None:
    """Delete a folder so that no half of it is ever seen under its name."""
    if not folder.exists():
        return
    doomed = folder.with_name(f".{folder.name}{_DELETED}")
    shutil.rmtree(doomed, ignore_errors=True)
    os.rename(folder, doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def remove_leftovers(run: Path) -> None:
    """Delete what a killed process was still writing or deleting."""
    for path in run.glob(".*"):
        if path.is_dir() and path.name.endswith((_UNFINISHED, _DELETED)):
            shutil.rmtree(path, ignore_errors=True)


def checkpoints(run: Path) -> list[Path]:
    """The run's checkpoints, oldest first."""
    found = [(int(m[1]), path) for path in run.glob("checkpoint-*") if (m := _CHECKPOINT.match(path.name))]
    return [path for _, path in sorted(found)]


def keep_newest(run: Path, count: int) -> None:
    """Delete all but the `count` newest checkpoints."""
    for path in checkpoints(run)[:-count]:
        delete_folder(path)


def save_trained(folder: Path, model: torch.nn.Module, full: Mapping[str, torch.Tensor] | None = None) -> None:
    """Write the parameters of `model` that are trained, by name; from `full` where they are sharded."""
    source = _trained(model) if full is None else {name: full[name] for name in _trained(model)}
    save_file({name: p.detach().cpu().contiguous() for name, p in source.items()}, folder / TRAINED_NAME)


def load_trained(folder: Path, model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """What `save_trained` wrote. Raises InputError when other parameters of `model` are trained now."""
    mine = _trained(model)
    with safe_open(folder / TRAINED_NAME, framework="pt") as file:
        if set(file.keys()) != set(mine):
            raise InputError(f"{folder}: holds other trained parameters than this recipe trains; train again")
        return {name: file.get_tensor(name) for name in mine}


def _trained(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def save_optimizer(folder: Path, optimizer: Mapping[str, Any], scheduler: Mapping[str, Any]) -> None:
    """Write the state dicts of a torch optimizer and a learning rate schedule as one safetensors file."""
    tensors, plain = {}, {}
    for index, values in optimizer["state"].items():
        for name, value in values.items():
            if isinstance(value, torch.Tensor):
                tensors[f"{index}.{name}"] = value.detach().cpu().contiguous()
            else:
                plain[f"{index}.{name}"] = value
    rest = {"param_groups": optimizer["param_groups"], "plain": plain, "scheduler": dict(scheduler)}
    save_file(tensors, folder / OPTIMIZER_NAME, metadata={"rest": json.dumps(rest)})


def load_optimizer(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The state dicts that `save_optimizer` wrote: (optimizer, scheduler)."""
    with safe_open(folder / OPTIMIZER_NAME, framework="pt") as file:
        rest = json.loads(file.metadata()["rest"])
        values = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
    state: dict[int, dict[str, Any]] = {}
    for key, value in {**values, **rest["plain"]}.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    return {"state": state, "param_groups": rest["param_groups"]}, rest["scheduler"]


RandomState = tuple[dict[str, torch.Tensor], dict[str, Any]]
"""Tensors and plain values: the state of the generators of Python, NumPy, torch and every CUDA device."""


def random_state() -> RandomState:
    """The state of every generator of this process."""
    version, words, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    tensors = {
        "python": torch.tensor(words, dtype=torch.int64),
        "numpy": torch.from_numpy(keys.astype(np.int64)),
        "torch": torch.random.get_rng_state(),
    }
    if torch.cuda.is_available():
        tensors |= {f"cuda.{i}": state for i, state in enumerate(torch.cuda.get_rng_state_all())}
    return tensors, {"python": [version, gauss], "numpy": [kind, position, has_gauss, cached]}


def save_random_state(path: Path, state: RandomState) -> None:
    """Write what `random_state` gave."""
    tensors, rest = state
    save_file(tensors, path, metadata={"rest": json.dumps(rest)})


def load_random_state(path: Path) -> None:
    """Put every generator back to where `save_random_state` found it; CUDA devices that are gone are passed over."""
    with safe_open(path, framework="pt") as file:
        rest = json.loads(file.metadata()["rest"])
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
    version, gauss = rest["python"]
    random.setstate((version, tuple(tensors["python"].tolist()), gauss))
    kind, position, has_gauss, cached = rest["numpy"]
    np.random.set_state((kind, tensors["numpy"].numpy().astype(np.uint32), position, has_gauss, cached))
    torch.random.set_rng_state(tensors["torch"])
    for i in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        if f"cuda.{i}" in tensors:
            torch.cuda.set_rng_state(tensors[f"cuda.{i}"], i)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of ours. Raises InputError when it is gone or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); delete its folder and train again") from error


def _write_error(path: Path, error: Exception) -> str:
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or "os error 28" in str(error)
    mend = "make room and run the same command again" if full else "choose another folder or mend its permissions"
    reason = getattr(error, "strerror", None) or " ".join(str(error).split())
    return f"{path}: cannot be written ({reason}); {mend}"

"""A transformers checkpoint from a folder or the hub: its config, weights, preprocessor file and licence."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import AutoConfig, AutoModelForDepthEstimation, PretrainedConfig
from transformers.utils import cached_file, logging

from pseudogd.errors import InputError

_MOST_OF_CARD = 100_000
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def checkpoint_folder(path: str) -> Path:
    """Where a checkpoint lies, if it is a folder at all and no hub id. InputError when it can be neither."""
    folder = Path(path)
    if not folder.is_dir() and (folder.is_absolute() or path.startswith((".", "~")) or path.count("/") != 1):
        raise InputError(f"{path}: no such checkpoint folder, and no hub id (OWNER/NAME)")
    return folder


def load_config(path: str, revision: str | None) -> PretrainedConfig:
    """The checkpoint's config.json. InputError when there is none that can be read; no code of it is run."""
    folder = checkpoint_folder(path)
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise InputError(f"{path}: holds no config.json; give the folder of a transformers checkpoint")
    try:
        return AutoConfig.from_pretrained(path, revision=revision, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be loaded as a checkpoint ({first_line(error)})") from error


def load_model(path: str, revision: str | None, config: PretrainedConfig) -> torch.nn.Module:
    """The depth network in float32, from safetensors alone. InputError when weights are broken or missing."""
    return from_safetensors(AutoModelForDepthEstimation, path, revision, config=config)


def from_safetensors(cls: Any, path: str, revision: str | None, **more: Any) -> torch.nn.Module:
    """A model of a transformers class in float32. InputError when its weights are broken or missing."""
    try:
        with no_bars():
            model, report = cls.from_pretrained(
                path,
                revision=revision,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                **more,
            )
    except Exception as error:  # transformers, safetensors and torch each raise kinds of their own for broken files
        raise InputError(f"{path}: its weights cannot be loaded ({first_line(error)})") from error
    if report["missing_keys"]:
        raise InputError(f"{path}: lacks weights ({sorted(report['missing_keys'])[0]} and others); is it complete?")
    return model


@contextmanager
def no_bars() -> Iterator[None]:
    """Progress is ours to show: transformers draws a bar for its own steps even when nobody looks."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def load_preprocessor(path: str, revision: str | None) -> dict[str, Any] | None:
    """Content of the checkpoint's preprocessor_config.json; None without one. InputError when it is no JSON object."""
    file = cached_file(
        path,
        "preprocessor_config.json",
        revision=revision,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
    )
    if file is None:
        return None
    try:
        values = json.loads(Path(file).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file}: is not JSON ({error})") from error
    if not isinstance(values, dict):
        raise InputError(f"{file}: must hold an object")
    return values


def weights_hash(model: torch.nn.Module) -> str:
    """First 16 hex digits of the SHA-256 of all tensors with their names: the same however the files are cut."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


def move(model: torch.nn.Module, device: str | None, dtype: str) -> torch.nn.Module:
    """The network on `device` (None: a GPU if there is one) in `dtype`. InputError for a device that is not there."""
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return model.to(torch.device(device), DTYPES[dtype])
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device {device!r}: cannot be used ({first_line(error)})") from error


def check_dtype(dtype: str) -> None:
    """InputError for a type of weights that is not offered."""
    if dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r}: choose one of {', '.join(DTYPES)}")


def card_licence(path: str) -> str | None:
    """The licence that the model card in a checkpoint's folder names in its head; None where none is told."""
    try:
        with open(Path(path) / "README.md", encoding="utf-8") as file:
            text = file.read(_MOST_OF_CARD)
        head = yaml.safe_load(text.split("---")[1]) if text.startswith("---") else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError, IndexError):
        return None
    values = head if isinstance(head, dict) else {}
    told = values.get("license_name") if values.get("license") == "other" else values.get("license")
    return told.strip()[:200] if isinstance(told, str) and told.strip() else None


def stated_errors(config: PretrainedConfig, path: str) -> dict[str, float]:
    """`depth_error` of a config.json, see `Teacher.errors`; empty without it. InputError for what cannot be."""
    stated = getattr(config, "depth_error", None)
    if stated is None:
        return {}
    good = isinstance(stated, dict) and set(stated) <= {"own", "shared"}
    if not good or not all(isinstance(value, (int, float)) and 0 <= value < 1 for value in stated.values()):
        raise InputError(f"{path}: config.json: depth_error = {stated!r} must be own and shared, as shares of depth")
    return {name: float(value) for name, value in sorted(stated.items())}


def checkpoint_name(path: str) -> str:
    """What a checkpoint is called in rows: a folder's last part, a hub id as it is."""
    folder = Path(path)
    return folder.resolve().name if folder.exists() else path


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its kind when it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__

"""Detector and segmenter checkpoints: a folder or hub id, safetensors alone, no code of theirs is run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoImageProcessor, AutoTokenizer
from transformers.utils import cached_file, logging

from pseudogd.errors import InputError, PseudoGDError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_QUIETLY = {
    "_raise_exceptions_for_gated_repo": False,
    "_raise_exceptions_for_missing_entries": False,
    "_raise_exceptions_for_connection_errors": False,
}


def model_type(path: str, revision: str | None = None) -> str:
    """``model_type`` of the checkpoint's config.json. Raises `InputError` if there is no checkpoint."""
    folder = Path(path)
    if not folder.is_dir() and (folder.is_absolute() or path.startswith((".", "~")) or path.count("/") != 1):
        raise InputError(f"{path}: no such checkpoint folder, and no hub id (OWNER/NAME)")
    values = json_file(path, "config.json", revision)
    if values is None:
        where = "holds no config.json; give the folder of a transformers checkpoint"
        raise InputError(f"{path}: {where if folder.is_dir() else 'is not on the hub, or the hub cannot be reached'}")
    kind = values.get("model_type")
    if not isinstance(kind, str):
        raise InputError(f"{path}: its config.json names no model_type")
    return kind


def json_file(path: str, name: str, revision: str | None = None) -> dict[str, Any] | None:
    """A JSON file of the checkpoint, or None if it has none."""
    try:
        file = cached_file(path, name, revision=revision, **_QUIETLY)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {name} cannot be read ({first_line(error)})") from error
    if file is None:
        return None
    try:
        values = json.loads(Path(file).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file}: is not JSON ({error})") from error
    if not isinstance(values, dict):
        raise InputError(f"{file}: must hold an object")
    return values


def load_model(cls: Any, path: str, revision: str | None, device: str | None, dtype: str) -> tuple[Any, str]:
    """The model of a transformers class on its device, ready to be asked, and a hash of its weights."""
    if dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r}: choose one of {', '.join(DTYPES)}")
    try:
        with _no_bars():
            model, report = cls.from_pretrained(
                path,
                revision=revision,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except Exception as error:  # transformers, safetensors and torch each raise kinds of their own for broken files
        raise InputError(f"{path}: its weights cannot be loaded ({first_line(error)})") from error
    if report["missing_keys"]:
        raise InputError(f"{path}: lacks weights ({sorted(report['missing_keys'])[0]} and others); is it complete?")
    digest = weights_hash(model)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return model.to(torch.device(device), DTYPES[dtype]).eval(), digest
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device {device!r}: cannot be used ({first_line(error)})") from error


def load_tokenizer(path: str, revision: str | None) -> Any:
    """The checkpoint's tokenizer. Raises `InputError` if it cannot be loaded."""
    try:
        return AutoTokenizer.from_pretrained(path, revision=revision, trust_remote_code=False)
    except Exception as error:
        raise InputError(f"{path}: its tokenizer cannot be loaded ({first_line(error)})") from error


def load_image_processor(path: str, revision: str | None, default: Any) -> Any:
    """The library's Pillow image processor with the checkpoint's settings, or ``default()`` if it has none."""
    joint = json_file(path, "processor_config.json", revision) or {}
    if json_file(path, "preprocessor_config.json", revision) is None and not joint.get("image_processor"):
        return default()
    try:
        return AutoImageProcessor.from_pretrained(path, revision=revision, trust_remote_code=False, backend="pil")
    except Exception as error:
        raise InputError(f"{path}: its image processor cannot be loaded ({first_line(error)})") from error


def weights_hash(model: torch.nn.Module) -> str:
    """First 16 hex digits of the SHA-256 of all tensors with their names: the same however the files are cut."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


@contextmanager
def memory_said(what: str) -> Iterator[None]:
    """A GPU whose memory runs out is no fault of a photo: the run ends with one line that says what to do."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(f"{what}: the photos do not fit in the GPU's memory; use a smaller batch_size=") from error


class OutOfMemory(PseudoGDError):
    """The device's memory ran out."""


def first_line(error: BaseException) -> str:
    """One line about an error of somebody else's code."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


@contextmanager
def _no_bars() -> Iterator[None]:
    """Progress is ours to show: transformers draws a bar for its own steps even when nobody looks."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()

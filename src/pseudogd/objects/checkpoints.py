"""Detector and segmenter checkpoints: a folder or hub id, safetensors alone, no code of theirs is run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoImageProcessor, AutoTokenizer
from transformers.utils import cached_file

from pseudogd.errors import InputError, PseudoGDError
from pseudogd.teachers.checkpoint import (
    check_dtype,
    checkpoint_folder,
    first_line,
    from_safetensors,
    move,
    weights_hash,
)

_QUIETLY = {
    "_raise_exceptions_for_gated_repo": False,
    "_raise_exceptions_for_missing_entries": False,
    "_raise_exceptions_for_connection_errors": False,
}


def model_type(path: str, revision: str | None = None) -> str:
    """``model_type`` of the checkpoint's config.json. Raises `InputError` if there is no checkpoint."""
    folder = checkpoint_folder(path)
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
    check_dtype(dtype)
    model = from_safetensors(cls, path, revision)
    digest = weights_hash(model)
    return move(model, device, dtype).eval(), digest


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


@contextmanager
def memory_said(what: str) -> Iterator[None]:
    """A GPU whose memory runs out is no fault of a photo: the run ends with one line that says what to do."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(f"{what}: the photos do not fit in the GPU's memory; use a smaller batch_size=") from error


class OutOfMemory(PseudoGDError):
    """The device's memory ran out."""

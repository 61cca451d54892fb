"""Load a vision-language model the way its user would."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pseudogd.errors import InputError
from pseudogd.student.families.base import FamilyAdapter, get_family


@dataclass
class Student:
    """A model, its processor and the adapter of its family."""

    model: Any
    processor: Any
    family: FamilyAdapter

    @property
    def device(self) -> Any:
        """Where the model lives."""
        return next(self.model.parameters()).device


def load_student(path: str | Path, dtype: Any = None, device: Any = None) -> Student:
    """A student from a folder or a hub id, in evaluation mode.

    Remote code is never run and only safetensors weights are read; image processors use Pillow.

    Args:
        path: folder of a checkpoint, or a hub id.
        dtype: of the weights, such as "float32"; None keeps what the checkpoint says.
        device: None leaves the model on the CPU.

    Raises:
        InputError: nothing there that can be loaded, weights that are missing, or a family that is not supported.
    """
    from transformers import AutoModelForImageTextToText

    where, config = str(path), load_config(path)
    get_family(config)  # an unsupported family should be said before gigabytes are read
    try:
        model, found = AutoModelForImageTextToText.from_pretrained(
            where,
            config=config,
            dtype=dtype or "auto",
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError) as e:
        raise InputError(f"{path}: the model cannot be loaded: {_first_line(e)}") from e
    if missing := sorted(map(str, found["missing_keys"])):  # the library would go on with random numbers in their place
        raise InputError(
            f"{path}: weights that the model's config asks for are missing ({len(missing)}, such as {missing[0]}); "
            "config.json and the weights do not belong together, or a file of the checkpoint is incomplete"
        )
    processor = load_processor(path, config)
    if device is not None:
        model = model.to(device)
    return Student(model.eval(), processor, get_family(model.config, processor))


def load_skeleton(path: str | Path, config: Any, processor: Any, dtype: str) -> Student:
    """The student without its weights, which are not read: all tensors are on torch's meta device.

    Args:
        path: folder of a checkpoint, or a hub id; its generation config is read where it has one.
        config: `load_config(path)`. processor: `load_processor(path)`.
        dtype: as of `load_student`.
    """
    import torch
    from transformers import AutoModelForImageTextToText, GenerationConfig

    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config, dtype=dtype, trust_remote_code=False)
    with suppress(OSError):  # without one the model has its own, made of its config
        model.generation_config = GenerationConfig.from_pretrained(str(path))
    return Student(model.eval(), processor, get_family(model.config, processor))


def load_config(path: str | Path) -> Any:
    """The checkpoint's config. Raises InputError when there is none that can be read."""
    from transformers import AutoConfig

    folder = Path(path)
    if not folder.is_dir() and (folder.is_absolute() or str(path).startswith(".") or len(folder.parts) != 2):
        raise InputError(f"{path}: no such folder, and not a hub id of the form owner/name")
    try:
        return AutoConfig.from_pretrained(str(path), trust_remote_code=False)
    except (OSError, ValueError) as e:
        raise InputError(f"{path}: no model config that can be read: {_first_line(e)}") from e


def load_processor(path: str | Path, config: Any = None) -> Any:
    """The checkpoint's processor, with a Pillow image processor (never torchvision).

    With the checkpoint's `config`, a processor without a chat template gets its family's.

    Raises:
        InputError: there is none that can be loaded.
    """
    from pseudogd.student import processors

    try:
        processor = processors.load(str(path))
    except (OSError, ValueError, AttributeError, ImportError) as e:
        raise InputError(f"{path}: the processor cannot be loaded: {_first_line(e)}") from e
    if config is not None and not getattr(processor, "chat_template", None):
        processor.chat_template = get_family(config).chat_template
    return processor


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)

"""A checkpoint's processor for photos alone, with Pillow, where the library's own loader asks for torchvision.

Several families hold a video processor, which cannot be made without torchvision even where no video is ever
read. Here it is left out, and its settings are written back when the processor is saved, so that nothing of the
checkpoint is lost. This file knows transformers alone: a process that never met the rest of the package can use it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoImageProcessor, AutoProcessor, AutoTokenizer
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING, processor_class_from_name
from transformers.processing_utils import ProcessorMixin
from transformers.utils import cached_file

_NAMED_IN = ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json")
_QUIETLY = {
    "_raise_exceptions_for_gated_repo": False,
    "_raise_exceptions_for_missing_entries": False,
    "_raise_exceptions_for_connection_errors": False,
}
_VIDEO_SETTINGS = "video_preprocessor_config.json"
_OLDER_VIDEO_SETTINGS = "preprocessor_config.json"


def load(path: str) -> Any:
    """The processor of a checkpoint folder or hub id, with a Pillow image processor.

    Raises:
        OSError, ValueError, AttributeError, ImportError: as the library does, where there is none that can be loaded.
    """
    cls = _processor_class(path)
    if cls is not None and "video_processor" in cls.get_attributes():
        return _photos_only(cls, path)
    processor = AutoProcessor.from_pretrained(path, trust_remote_code=False)
    if not type(processor.image_processor).__name__.endswith("Pil"):
        processor.image_processor = _image_processor(path)
    return processor


def _image_processor(path: str) -> Any:
    return AutoImageProcessor.from_pretrained(path, trust_remote_code=False, backend="pil")


def _processor_class(path: str) -> Any:
    """The class that the checkpoint's files name, or that belongs to its config; None if there is none."""
    for name in _NAMED_IN:
        if named := _json(path, name).get("processor_class"):
            return processor_class_from_name(named)
    config = type(AutoConfig.from_pretrained(path, trust_remote_code=False))
    return PROCESSOR_MAPPING.get(config, None)


def _photos_only(cls: Any, path: str) -> Any:
    """A processor of class `cls` without its video processor."""
    settings, rest = cls.get_processor_dict(path)
    arguments = []
    for attribute in cls.get_attributes():
        if "tokenizer" in attribute:
            arguments.append(AutoTokenizer.from_pretrained(path, trust_remote_code=False))
        elif attribute == "image_processor":
            arguments.append(_image_processor(path))
        else:  # of videos, and of sounds where a family reads those too
            arguments.append(None)
    left_out = {name: settings.pop(name) for name in ("video_processor", "feature_extractor") if name in settings}
    processor = without_video(cls).from_args_and_dict(arguments, settings, **rest)
    beside = _json(path, _VIDEO_SETTINGS)
    if not beside and "video_processor" not in left_out:
        beside = _json(path, _OLDER_VIDEO_SETTINGS)  # where the library looks last, and where none is saved any more
    processor._left_out = (left_out, beside)
    return processor


def without_video(cls: Any) -> Any:
    """A subclass under the same name that takes None for what it cannot have, and saves what it was loaded from."""

    class PhotosOnly(cls):
        _left_out: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        # SmolVLM's own asks its video processor for a frame rate, whatever the conversation is about
        apply_chat_template = ProcessorMixin.apply_chat_template

        @classmethod
        def get_attributes(own) -> list[str]:
            return cls.get_attributes()

        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            return None if argument is None else super().check_argument_for_proper_class(argument_name, argument)

        def to_dict(self) -> dict[str, Any]:
            nested, _ = self._left_out
            kept = {k: v for k, v in super().to_dict().items() if v is not None and k != "_left_out"}
            return {**kept, **nested}

        def save_pretrained(self, save_directory: Any, *args: Any, **kwargs: Any) -> Any:
            present = [name for name in cls.get_attributes() if getattr(self, name, None) is not None]
            self.__dict__["get_attributes"] = lambda: present  # the library asks every part to save itself
            try:
                written = super().save_pretrained(save_directory, *args, **kwargs)
            finally:
                del self.__dict__["get_attributes"]
            if self._left_out[1]:
                text = json.dumps(self._left_out[1], indent=2, sort_keys=True) + "\n"
                Path(save_directory, _VIDEO_SETTINGS).write_text(text, encoding="utf-8")
            return written

    PhotosOnly.__name__, PhotosOnly.__qualname__ = cls.__name__, cls.__qualname__
    PhotosOnly.__module__ = cls.__module__
    return PhotosOnly


def _json(path: str, name: str) -> dict[str, Any]:
    found = cached_file(path, name, **_QUIETLY)
    return {} if found is None else json.loads(Path(found).read_text(encoding="utf-8"))

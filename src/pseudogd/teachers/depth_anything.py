"""Depth Anything checkpoints, metric and relative, from a local folder or the hub."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate
from transformers import AutoConfig, AutoModelForDepthEstimation, PretrainedConfig
from transformers.utils import cached_file, logging

from pseudogd.errors import InputError, PseudoGDError
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo
from pseudogd.teachers.base import Photo, Teacher, settings_hash
from pseudogd.teachers.licences import check_licence
from pseudogd.teachers.preprocess import Preprocessing
from pseudogd.teachers.units import Output, Unit, to_depth

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class _Prepared:
    pixels: np.ndarray
    camera: Camera | None
    size: tuple[int, int]


class DepthAnything(Teacher):
    """A `DepthAnythingForDepthEstimation` network with pre- and post-processing of our own (no torchvision)."""

    def __init__(
        self,
        model: torch.nn.Module,
        preprocessing: Preprocessing,
        unit: Unit,
        info: TeacherInfo,
        settings: dict[str, Any],
    ) -> None:
        self.model, self.preprocessing, self.unit = model.eval(), preprocessing, unit
        self.info, self.settings = info, settings
        self.scale = Scale.AFFINE_DISPARITY if unit.output is Output.INVERSE_DEPTH else Scale.METRIC

    @classmethod
    def load(
        cls,
        path: str,
        *,
        size: int | None = None,
        device: str | None = None,
        dtype: str = "float32",
        revision: str | None = None,
        name: str | None = None,
        licence: str | None = None,
        accept_licence: bool = False,
    ) -> DepthAnything:
        """Load a checkpoint from a folder or hub id; only safetensors, and no code of the checkpoint is run.

        `size` overrides the side that photos are resized to; `device` defaults to a GPU if there is one. The unit of
        the output is read from config.json: `depth_estimation_type` "relative" or "metric", and with a number in
        `canonical_focal_px` the metres hold for that focal length in pixels of the network input and are brought to
        the photo's own. Raises InputError when it cannot be loaded, or its licence has to be accepted first.
        """
        row = check_licence(path, accept_licence)
        if dtype not in _DTYPES:
            raise InputError(f"dtype {dtype!r}: choose one of {', '.join(_DTYPES)}")
        config = _load_config(path, revision)
        model = _load_model(path, revision, config)
        preprocessing = Preprocessing.from_config(
            _load_preprocessing(path, revision),
            patch=config.patch_size,
            side=config.backbone_config.image_size,
            size=size,
        )
        unit = _unit(config)
        settings = {
            "kind": "depth_anything",
            "name": name or _name(path),
            "revision": _weights_hash(model),
            "output": unit.output.value,
            "canonical_focal": unit.canonical_focal,
            "dtype": dtype,
            "preprocessing": {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(preprocessing).items()},
        }
        info = TeacherInfo(
            str(settings["name"]),
            str(settings["revision"]),
            settings_hash(settings),
            licence or (row.licence if row else "unknown"),
        )
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        return cls(_move(model, device, _DTYPES[dtype]), preprocessing, unit, info, settings)

    def prepare(self, photo: Photo) -> _Prepared:
        """Resize and normalise one photo."""
        return _Prepared(self.preprocessing.pixels(photo.image), photo.camera, photo.image.size)

    def bucket(self, prepared: _Prepared) -> Hashable:
        """Network inputs of one size share a batch."""
        return prepared.pixels.shape

    @torch.inference_mode()
    def infer(self, prepared: Sequence[_Prepared]) -> list[Geometry]:
        """One forward pass for photos whose inputs have the same size. PseudoGDError when memory runs out."""
        parameter = next(self.model.parameters())
        batch = torch.from_numpy(np.stack([item.pixels for item in prepared]))
        try:
            raw = self.model(pixel_values=batch.to(parameter.device, parameter.dtype)).predicted_depth.float()
        except torch.OutOfMemoryError as error:
            raise PseudoGDError(
                f"{self.info.name}: {len(prepared)} photos do not fit in the GPU's memory; use a smaller --batch-size"
            ) from error
        return [self._geometry(one, item) for one, item in zip(raw, prepared)]

    def _geometry(self, raw: torch.Tensor, item: _Prepared) -> Geometry:
        focal = None
        if item.camera is not None:
            seen = item.camera.resized(raw.shape[1], raw.shape[0])
            focal = float(np.sqrt(seen.fx * seen.fy))
        width, height = (min(have, photo) for have, photo in zip((raw.shape[1], raw.shape[0]), item.size))
        if (height, width) != tuple(raw.shape):
            raw = interpolate(raw[None, None], (height, width), mode="nearest-exact")[0, 0]  # a mean is no depth
        depth, scale = to_depth(raw.cpu().numpy(), self.unit, focal)
        return Geometry(depth, item.camera, scale=scale, teacher=self.info)


def _load_config(path: str, revision: str | None) -> PretrainedConfig:
    folder = Path(path)
    if not folder.is_dir() and (folder.is_absolute() or path.startswith((".", "~")) or path.count("/") != 1):
        raise InputError(f"{path}: no such checkpoint folder, and no hub id (OWNER/NAME)")
    if folder.is_dir() and not (folder / "config.json").is_file():
        raise InputError(f"{path}: holds no config.json; give the folder of a transformers checkpoint")
    try:
        config = AutoConfig.from_pretrained(path, revision=revision, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be loaded as a checkpoint ({_first_line(error)})") from error
    if config.model_type != "depth_anything":
        raise InputError(
            f"{path}: is a {config.model_type!r} model; teachers of kind depth-anything need 'depth_anything' "
            "(for any other model write its depth to PNG and use files:FOLDER)"
        )
    return config


def _load_model(path: str, revision: str | None, config: PretrainedConfig) -> torch.nn.Module:
    try:
        with _no_bars():
            model, report = AutoModelForDepthEstimation.from_pretrained(
                path,
                revision=revision,
                config=config,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except Exception as error:  # transformers, safetensors and torch each raise kinds of their own for broken files
        raise InputError(f"{path}: its weights cannot be loaded ({_first_line(error)})") from error
    if report["missing_keys"]:
        raise InputError(f"{path}: lacks weights ({sorted(report['missing_keys'])[0]} and others); is it complete?")
    return model


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


def _load_preprocessing(path: str, revision: str | None) -> dict[str, Any] | None:
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


def _unit(config: PretrainedConfig) -> Unit:
    if config.depth_estimation_type == "relative":
        return Unit("", Output.INVERSE_DEPTH, "none")
    focal = getattr(config, "canonical_focal_px", None)
    if focal is None:
        return Unit("", Output.METRIC_DEPTH, "none")
    if not isinstance(focal, (int, float)) or not focal > 0:
        raise InputError(f"config.json: canonical_focal_px = {focal!r} must be a positive number of pixels")
    return Unit("", Output.CANONICAL_DEPTH, "given", canonical_focal=float(focal))


def _weights_hash(model: torch.nn.Module) -> str:
    """First 16 hex digits of the SHA-256 of all tensors with their names: the same however the files are cut."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


def _move(model: torch.nn.Module, device: str, dtype: torch.dtype) -> torch.nn.Module:
    try:
        return model.to(torch.device(device), dtype)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device {device!r}: cannot be used ({_first_line(error)})") from error


def _name(path: str) -> str:
    folder = Path(path)
    return folder.resolve().name if folder.is_dir() else path


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__

"""MoGe-2: metric points, intrinsics and normals, by the package dlr-moge (extra `moge`)."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import hf_hub_download
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo
from pseudogd.teachers import checkpoint
from pseudogd.teachers.answer import camera_of_matrix, geometry_of
from pseudogd.teachers.base import OutOfMemory, Photo, Teacher, settings_hash
from pseudogd.teachers.licences import Accepted, check_licence
from pseudogd.teachers.units import Output, Unit

DEFAULT = "Ruicheng/moge-2-vitl-normal"
_SIDE = 1024
"""Longest side that photos are seen at: the network's most tokens are 970 x 730 pixels of a 4:3 photo."""
_MASKED = ("unknown", "sky")
_LONGEST_ASPECT = 4.0  # trained between 2:1 and 1:2


@dataclass(frozen=True)
class _Prepared:
    pixels: np.ndarray
    camera: Camera | None
    size: tuple[int, int]


class MoGe(Teacher):
    """A `MoGeModel` (version 2). A known camera is handed to it as its field of view; else it estimates one."""

    scale = Scale.METRIC

    def __init__(self, model: Any, info: TeacherInfo, settings: dict[str, Any]) -> None:
        self.model, self.info, self.settings = model.eval(), info, settings
        self._unit = Unit("", Output.METRIC_DEPTH if settings["metric"] else Output.SCALE_FREE_DEPTH, "estimated")
        self.scale = Scale.METRIC if settings["metric"] else Scale.UP_TO_SCALE

    @classmethod
    def load(
        cls,
        path: str = "",
        *,
        size: int = _SIDE,
        tokens: int | None = None,
        masked: str = "unknown",
        device: str | None = None,
        dtype: str = "float32",
        revision: str | None = None,
        name: str | None = None,
        licence: str | None = None,
        accept_licence: Accepted = False,
    ) -> MoGe:
        """Load a checkpoint: a hub id, a model.pt, or the folder of one; by default `DEFAULT`.

        The package's only format is a torch file, which is read with `weights_only`: tensors and plain values, no code.

        Args:
            size: longest side that photos are shrunk to, and so of the maps.
            tokens: how finely it looks; by default as finely as the checkpoint was trained.
            masked: what its mask leaves out is "unknown" (default) or "sky"; the mask does not tell one from the other.
            dtype: float16 runs mixed precision on a GPU.

        Raises InputError when dlr-moge is not installed, the checkpoint cannot be loaded, or a value cannot be.
        """
        path = path or DEFAULT
        row = check_licence(path, accept_licence)
        checkpoint.check_dtype(dtype)
        if size < 14 or (tokens is not None and tokens < 1) or masked not in _MASKED:
            raise InputError(
                f"size = {size}, tokens = {tokens}, masked = {masked!r}: size must be at least 14, tokens 1, masked "
                f"{' or '.join(_MASKED)}"
            )
        model = _load(_class(), path, revision)
        settings = {
            "kind": "moge",
            "name": name or checkpoint.checkpoint_name(path),
            "revision": checkpoint.weights_hash(model),
            "metric": hasattr(model, "scale_head"),
            "size": size,
            "tokens": tokens,
            "masked": masked,
            "dtype": dtype,
        }
        info = TeacherInfo(
            str(settings["name"]),
            str(settings["revision"]),
            settings_hash(settings),
            licence or (row.licence if row else "unknown"),
        )
        # weights stay float32: float16 is the package's own mixed precision
        return cls(checkpoint.move(model, device, "bfloat16" if dtype == "bfloat16" else "float32"), info, settings)

    def prepare(self, photo: Photo) -> _Prepared:
        """The photo, no longer than `size`, as (3, H, W) in [0, 1]."""
        width, height = photo.image.size
        if max(width, height) > _LONGEST_ASPECT * min(width, height):
            raise InputError(f"{photo.name}: is {width} x {height}; MoGe is no judge of photos longer than 4:1")
        shrink = min(1.0, self.settings["size"] / max(width, height))
        small = (max(round(width * shrink), 1), max(round(height * shrink), 1))
        image = photo.image if small == photo.image.size else photo.image.resize(small, Image.Resampling.LANCZOS)
        pixels = np.asarray(image.convert("RGB")).astype(np.float32).transpose(2, 0, 1) / 255
        return _Prepared(np.ascontiguousarray(pixels), photo.camera, photo.image.size)

    def bucket(self, prepared: _Prepared) -> Hashable:
        """Photos of one size, with a camera or without."""
        return prepared.pixels.shape, prepared.camera is not None

    def infer(self, prepared: Sequence[_Prepared]) -> list[Geometry]:
        """One forward pass. OutOfMemory when the GPU's does not suffice."""
        half = self.settings["dtype"] == "float16" and self.model.device.type == "cuda"
        batch = torch.from_numpy(np.stack([item.pixels for item in prepared])).to(self.model.device)
        views = None
        if all(item.camera is not None for item in prepared):
            views = torch.tensor([_view(item.camera) for item in prepared], device=batch.device)
        try:
            said = self.model.infer(batch, num_tokens=self.settings["tokens"], fov_x=views, use_fp16=half)
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(
                f"{self.info.name}: {len(prepared)} photos do not fit in the GPU's memory; use a smaller --batch-size"
            ) from error
        said = {key: value.float().cpu().numpy() for key, value in said.items()}
        return [self._geometry({key: value[i] for key, value in said.items()}, item) for i, item in enumerate(prepared)]

    def _geometry(self, said: dict[str, np.ndarray], item: _Prepared) -> Geometry:
        depth = said["depth"]
        if self.settings["masked"] == "unknown":
            depth = np.where(np.isfinite(depth), depth, np.nan)
        camera = item.camera or _camera(said["intrinsics"], item.size)
        return geometry_of(
            depth, self._unit, camera, item.size, self.info, shown=self.info.name, normals=said.get("normal")
        )


def _view(camera: Camera | None) -> float:
    """Horizontal field of view in degrees of a centred camera with this focal length, which is all that MoGe knows."""
    assert camera is not None
    return 2 * math.degrees(math.atan(camera.width / 2 / camera.fx))


def _camera(matrix: np.ndarray, size: tuple[int, int]) -> Camera | None:
    """From intrinsics that are divided by width and height, with (0, 0) the outer corner of the first pixel."""
    width, height = size
    pixels = np.array(matrix, np.float64) * np.array([[width], [height], [1]])
    pixels[:2, 2] -= 0.5
    try:
        return camera_of_matrix(pixels, size, "MoGe")
    except InputError:
        return None  # a degenerate field of view is none


def _class() -> Any:
    try:
        from moge.model.v2 import MoGeModel
    except ImportError as error:
        raise InputError(
            f"MoGe is not installed ({checkpoint.first_line(error)}): pip install 'pseudogd[moge]'"
        ) from error
    return MoGeModel


def _load(model: Any, path: str, revision: str | None) -> Any:
    place = Path(path)
    if place.is_dir():
        place = place / "model.pt"
    if not place.is_file() and (place.is_absolute() or path.startswith((".", "~")) or path.count("/") != 1):
        raise InputError(f"{path}: no model.pt of MoGe here, and no hub id (OWNER/NAME)")
    try:
        file = str(place) if place.is_file() else hf_hub_download(path, "model.pt", revision=revision)
        loaded = model.from_pretrained(file)
        there = set(torch.load(file, map_location="cpu", weights_only=True, mmap=True)["model"])
    except Exception as error:  # torch, the hub and the package each raise kinds of their own
        raise InputError(f"{path}: cannot be loaded as a MoGe-2 checkpoint ({checkpoint.first_line(error)})") from error
    # the package takes weights that are missing for random ones, and says nothing
    if missing := sorted(set(loaded.state_dict()) - there):
        raise InputError(f"{path}: lacks weights ({missing[0]} and others); is it complete?")
    if not hasattr(loaded, "points_head"):
        raise InputError(f"{path}: this MoGe checkpoint gives no points")
    return loaded

"""Photo to network input for models of the DPT kind, with Pillow and numpy.

The same numbers as `DPTImageProcessor` of transformers, which reads the same preprocessor_config.json.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from PIL import Image

from pseudogd.errors import InputError

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_LONGEST = 4  # times the wanted side: a 1:100 panorama would otherwise be a million patches


@dataclass(frozen=True)
class Preprocessing:
    """Resize towards `height` x `width`, to multiples of `multiple` pixels, then (value * rescale - mean) / std."""

    height: int
    width: int
    multiple: int
    keep_aspect_ratio: bool = True
    resample: int = int(Image.Resampling.BICUBIC)
    rescale: float = 1 / 255
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD

    def __post_init__(self) -> None:
        if min(self.height, self.width, self.multiple) < 1 or len(self.mean) != 3 or len(self.std) != 3:
            raise InputError(f"preprocessing {asdict(self)}: sizes must be positive, mean and std have three values")

    @classmethod
    def from_config(cls, values: Mapping[str, Any] | None, *, patch: int, side: int, size: int | None) -> Preprocessing:
        """From the content of a preprocessor_config.json, or the Depth Anything defaults without one.

        `patch` is the model's patch size in pixels, `side` the side that it was trained on, `size` the one wanted now.
        """
        values = values or {}
        height, width = _sides(values.get("size"), side)
        normalise = values.get("do_normalize", True)
        return cls(
            height=size or height,
            width=size or width,
            multiple=math.lcm(int(values.get("ensure_multiple_of", patch)), patch),
            keep_aspect_ratio=bool(values.get("keep_aspect_ratio", True)),
            resample=int(values.get("resample", Image.Resampling.BICUBIC)),
            rescale=float(values.get("rescale_factor", 1 / 255)) if values.get("do_rescale", True) else 1.0,
            mean=_three(values.get("image_mean", IMAGENET_MEAN)) if normalise else (0.0, 0.0, 0.0),
            std=_three(values.get("image_std", IMAGENET_STD)) if normalise else (1.0, 1.0, 1.0),
        )

    def target_size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) that a photo is resized to: as little resizing as fits one side, at least one multiple."""
        scale_y, scale_x = self.height / height, self.width / width
        if self.keep_aspect_ratio:
            scale_x = scale_y = scale_x if abs(1 - scale_x) < abs(1 - scale_y) else scale_y
            fit = _LONGEST * max(self.height, self.width) / max(scale_x * width, scale_y * height)
            if fit < 1:
                scale_x, scale_y = scale_x * fit, scale_y * fit
        return self._whole(scale_x * width), self._whole(scale_y * height)

    def pixels(self, image: Image.Image) -> np.ndarray:
        """(3, h, w) float32 network input of an RGB photo."""
        size = self.target_size(*image.size)
        resized = image if image.size == size else image.resize(size, resample=self.resample)
        values = np.asarray(resized)
        planes = np.empty((3, *values.shape[:2]), np.float32)
        means, stds = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        for k, plane in enumerate(planes):  # in place: a large photo's floats are written once
            plane[:] = values[..., k]
            plane *= np.float32(self.rescale)
            plane -= means[k]
            plane /= stds[k]
        return planes

    def _whole(self, length: float) -> int:
        return max(round(length / self.multiple), 1) * self.multiple


def _sides(size: Any, side: int) -> tuple[int, int]:
    if isinstance(size, Mapping) and "height" in size and "width" in size:
        return int(size["height"]), int(size["width"])
    if isinstance(size, int):
        return size, size
    return side, side


def _three(values: float | Sequence[float]) -> tuple[float, ...]:
    return (float(values),) * 3 if isinstance(values, (int, float)) else tuple(float(value) for value in values)

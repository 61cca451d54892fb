"""GLPN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.teachers.families.base import Family
from pseudogd.teachers.units import Output, Unit

_LONGEST = 1280
"""The network takes photos as large as they are and was trained at 640 x 480: larger ones are shrunk to this first."""


@dataclass(frozen=True)
class WholeBlocks:
    """Resize down to whole blocks of `divisor` pixels and times `rescale`, after shrinking to `longest` pixels."""

    divisor: int
    longest: int
    resample: int
    rescale: float

    def __post_init__(self) -> None:
        if self.divisor < 1 or self.longest < self.divisor:
            raise InputError(f"size = {self.longest}: must be at least {self.divisor} pixels")

    def target_size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of the network input, at least one block."""
        shrink = min(1.0, self.longest / max(width, height))
        blocks = [max(int(side * shrink) // self.divisor, 1) for side in (width, height)]
        return blocks[0] * self.divisor, blocks[1] * self.divisor

    def pixels(self, image: Image.Image) -> np.ndarray:
        """(3, h, w) float32 in [0, 1]."""
        size = self.target_size(*image.size)
        resized = image if image.size == size else image.resize(size, resample=self.resample)
        values = np.asarray(resized).astype(np.float32) * np.float32(self.rescale)
        return np.ascontiguousarray(values.transpose(2, 0, 1))


class Glpn(Family):
    """`GLPNForDepthEstimation`: metres, at most config.json's `max_depth` (10 for NYU, 80 for KITTI)."""

    model_type = "glpn"

    def preprocessing(self, config: Any, values: Mapping[str, Any] | None, size: int | None) -> WholeBlocks:
        """As `GLPNImageProcessor`, with a bound on the size."""
        values = values or {}
        return WholeBlocks(
            divisor=int(values.get("size_divisor", 32)),
            longest=size or _LONGEST,
            resample=int(values.get("resample", Image.Resampling.BILINEAR)),
            rescale=float(values.get("rescale_factor", 1 / 255)) if values.get("do_rescale", True) else 1.0,
        )

    def natural(self, config: Any) -> Unit:
        """Metres: the head is a sigmoid times `max_depth`."""
        return Unit("", Output.METRIC_DEPTH, "none")

"""Depth Pro."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.teachers.families.base import Family
from pseudogd.teachers.sampling import bilinear, half_pixel
from pseudogd.teachers.units import Output, Unit


@dataclass(frozen=True)
class Stretched:
    """Normalise, *then* resize to a square of `side` pixels: bilinear, half-pixel centres, no antialiasing.

    Without antialiasing the two commute, so the few pixels that count are taken first.
    """

    side: int
    rescale: float = 1 / 255
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        if self.side < 1 or len(self.mean) != 3 or len(self.std) != 3:
            raise InputError(f"preprocessing of {self.side} pixels: mean {self.mean} and std {self.std} need 3 values")

    def pixels(self, image: Image.Image) -> np.ndarray:
        """(3, side, side) float32."""
        rows, columns = (half_pixel(length, self.side) for length in (image.height, image.width))
        values = bilinear(np.asarray(image), rows, columns) * np.float32(self.rescale)
        normalised = (values - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        return np.ascontiguousarray(normalised.transpose(2, 0, 1))


class DepthPro(Family):
    """`DepthProForDepthEstimation`: canonical inverse depth, and the horizontal field of view.

    metres = f / (width * output), f and width in pixels of the same picture, f from the photo's camera if it is known,
    else from the field of view. transformers' own post-processing forgets that step unless it is given target sizes.
    """

    model_type = "depth_pro"
    stretches = True

    def preprocessing(self, config: Any, values: Mapping[str, Any] | None, size: int | None) -> Stretched:
        """A square of 1536 pixels (the largest scale of the encoder's patches): the network is made for no other."""
        values = values or {}
        patch = config.patch_size if isinstance(config.patch_size, int) else max(config.patch_size)
        native = round(patch / min(config.scaled_images_ratios))
        wanted = values.get("size") or {}
        side = int(wanted.get("height", native)) if isinstance(wanted, Mapping) else int(wanted)
        if size is not None and size != side:
            raise InputError(f"size = {size}: Depth Pro sees photos at {side} x {side} pixels; leave size out")
        normalise = values.get("do_normalize", True)
        return Stretched(
            side=side,
            rescale=float(values.get("rescale_factor", 1 / 255)) if values.get("do_rescale", True) else 1.0,
            mean=tuple(values.get("image_mean", (0.5, 0.5, 0.5))) if normalise else (0.0, 0.0, 0.0),
            std=tuple(values.get("image_std", (0.5, 0.5, 0.5))) if normalise else (1.0, 1.0, 1.0),
        )

    def natural(self, config: Any) -> Unit:
        """Right up to one factor where neither the camera nor a field of view is known."""
        return Unit("", Output.CANONICAL_INVERSE_DEPTH, "estimated" if config.use_fov_model else "given")

    def fields_of_view(self, said: Any) -> list[float] | None:
        """Degrees."""
        view = said.field_of_view
        return None if view is None else [float(one) for one in view.float().cpu()]

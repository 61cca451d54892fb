"""Depth Anything, relative and metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pseudogd.errors import InputError
from pseudogd.teachers.families.base import Family
from pseudogd.teachers.preprocess import Preprocessing
from pseudogd.teachers.units import Output, Unit


class DepthAnything(Family):
    """`DepthAnythingForDepthEstimation`: inverse depth, or metres, as config.json says in `depth_estimation_type`.

    With a number in `canonical_focal_px` the metres hold for that focal length in pixels of the network input and are
    brought to the photo's own.
    """

    model_type = "depth_anything"

    def preprocessing(self, config: Any, values: Mapping[str, Any] | None, size: int | None) -> Preprocessing:
        """As `DPTImageProcessor`, towards 518 pixels in whole patches."""
        return Preprocessing.from_config(
            values, patch=config.patch_size, side=config.backbone_config.image_size, size=size
        )

    def natural(self, config: Any) -> Unit:
        """Of the config alone: the same network comes in both kinds."""
        if config.depth_estimation_type == "relative":
            return Unit("", Output.INVERSE_DEPTH, "none")
        focal = getattr(config, "canonical_focal_px", None)
        if focal is None:
            return Unit("", Output.METRIC_DEPTH, "none")
        if not isinstance(focal, (int, float)) or not focal > 0:
            raise InputError(f"config.json: canonical_focal_px = {focal!r} must be a positive number of pixels")
        return Unit("", Output.CANONICAL_DEPTH, "given", canonical_focal=float(focal))

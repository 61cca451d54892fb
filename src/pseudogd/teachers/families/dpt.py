"""DPT (MiDaS and its kin)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from PIL import Image

from pseudogd.errors import InputError
from pseudogd.teachers.families.base import Family
from pseudogd.teachers.preprocess import Preprocessing
from pseudogd.teachers.units import Output, Unit

_DEFAULTS = {
    "size": {"height": 384, "width": 384},
    "keep_aspect_ratio": False,
    "ensure_multiple_of": 1,
    "resample": int(Image.Resampling.BICUBIC),
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
"""Of `DPTImageProcessor`."""
_METRIC_BACKBONES = ("dinov2", "dinov2_with_registers", "dinov3_vit")


class Dpt(Family):
    """`DPTForDepthEstimation`: inverse depth with unknown scale and shift.

    The same class with a DINOv2 backbone was published for metric depth, and no config says which: there `output=` is
    asked for, since inverse depth taken for metres, or metres for inverse depth, turns near into far.
    """

    model_type = "dpt"
    stretches = True

    def preprocessing(self, config: Any, values: Mapping[str, Any] | None, size: int | None) -> Preprocessing:
        """As `DPTImageProcessor`; square where the network can see nothing else."""
        backbone = None if config.is_hybrid else config.backbone_config
        patch = int(getattr(backbone, "patch_size", None) or config.patch_size or 16)
        side = getattr(backbone, "image_size", None) or config.image_size or 384
        side = side if isinstance(side, int) else max(side)
        found = Preprocessing.from_config({**_DEFAULTS, **(values or {})}, patch=patch, side=side, size=size)
        if backbone is not None:
            return found
        if found.height != found.width:  # without a backbone of its own it takes its tokens for a square
            raise InputError(f"preprocessor_config.json: {found.width} x {found.height}, this network needs a square")
        return replace(found, keep_aspect_ratio=False)

    def natural(self, config: Any) -> Unit | None:
        """Inverse depth, but for the backbones that were published with both kinds."""
        backbone = None if config.is_hybrid else config.backbone_config
        if backbone is not None and backbone.model_type in _METRIC_BACKBONES:
            return None
        return Unit("", Output.INVERSE_DEPTH, "none")

"""TIPSv2 with a DPT head for depth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PIL import Image

from pseudogd.teachers.families.base import Family
from pseudogd.teachers.preprocess import Preprocessing
from pseudogd.teachers.units import Output, Unit


class Tipsv2(Family):
    """`Tipsv2DptForDepthEstimation`: metres between config.json's `min_depth` and `max_depth` (.001 and 10).

    Trained on indoor photos. The checkpoint's normals are not read: which way they point is not documented, and those
    from its depth and a known camera are right by construction.
    """

    model_type = "tipsv2_dpt"
    stretches = True

    def preprocessing(self, config: Any, values: Mapping[str, Any] | None, size: int | None) -> Preprocessing:
        """A square of 448 pixels, values in [0, 1] without normalisation, as `Tipsv2DptImageProcessor`."""
        defaults = {
            "size": {"height": 448, "width": 448},
            "keep_aspect_ratio": False,
            "resample": int(Image.Resampling.BILINEAR),
            "do_normalize": False,
        }
        patch = config.backbone_config.patch_size
        patch = patch if isinstance(patch, int) else max(patch)
        return Preprocessing.from_config({**defaults, **(values or {})}, patch=patch, side=448, size=size)

    def natural(self, config: Any) -> Unit:
        """Metres: a mean of depth bins."""
        return Unit("", Output.METRIC_DEPTH, "none")

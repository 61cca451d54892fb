"""ZoeDepth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.teachers.families.base import Family
from pseudogd.teachers.preprocess import Preprocessing
from pseudogd.teachers.sampling import bilinear, mirrored
from pseudogd.teachers.units import Output, Unit

_DEFAULTS = {
    "size": {"height": 384, "width": 512},
    "keep_aspect_ratio": True,
    "ensure_multiple_of": 32,
    "resample": int(Image.Resampling.BILINEAR),
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


def padding(length: int) -> int:
    """Pixels that are mirrored onto each end of a side of the photo: the network errs along the picture's rim."""
    return int(np.sqrt(length / 2) * 3)


@dataclass(frozen=True)
class Padded(Preprocessing):
    """Mirror the rim outwards, resize with aligned corners and no antialiasing, then normalise."""

    pad: bool = True

    def pixels(self, image: Image.Image) -> np.ndarray:
        """(3, h, w) float32: the photo with its mirrored rim."""
        down, across = (padding(image.height), padding(image.width)) if self.pad else (0, 0)
        width, height = self.target_size(image.width + 2 * across, image.height + 2 * down)
        rows, columns = mirrored(image.height, height, down), mirrored(image.width, width, across)
        values = bilinear(np.asarray(image), rows, columns) * np.float32(self.rescale)
        normalised = (values - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        return np.ascontiguousarray(normalised.transpose(2, 0, 1))


class ZoeDepth(Family):
    """`ZoeDepthForDepthEstimation`: metres.

    A checkpoint for indoors and outdoors has a head for each and lets the *batch* vote which one is used
    (`domain_logits`), so there every photo goes alone.
    """

    model_type = "zoedepth"

    def preprocessing(self, config: Any, values: Mapping[str, Any] | None, size: int | None) -> Padded:
        """As `ZoeDepthImageProcessor`, in whole patches."""
        values = {**_DEFAULTS, **(values or {})}
        if values["ensure_multiple_of"] < 1:  # the class's own default is 1/32, which rounds nothing
            values["ensure_multiple_of"] = 1
        if int(values["resample"]) != Image.Resampling.BILINEAR:
            raise InputError(
                f"preprocessor_config.json: resample {values['resample']}: ZoeDepth is resized bilinearly (2)"
            )
        patch = int(getattr(config.backbone_config, "patch_size", 16))
        found = vars(Padded.from_config(values, patch=patch, side=384, size=size))
        return Padded(**{**found, "pad": bool(values.get("do_pad", True))})

    def natural(self, config: Any) -> Unit:
        """Metres, whichever head."""
        return Unit("", Output.METRIC_DEPTH, "none")

    def one_by_one(self, config: Any) -> bool:
        """With more than one head."""
        return len(config.bin_configurations) > 1

    def over_photo(self, raw: torch.Tensor, size: tuple[int, int], preprocessing: Padded) -> torch.Tensor:
        """Without the mirrored rim, sampled (never blended) at even places of the photo."""
        if not preprocessing.pad:
            return raw
        columns, rows = (_places(length, side) for length, side in zip(size, (raw.shape[1], raw.shape[0])))
        return raw[rows][:, columns]


def _places(photo: int, network: int) -> torch.Tensor:
    """Indices of the network's samples next to the centres of as many cells of the photo as it has samples there.

    The photo's pixel x lies at (x + pad) (network - 1) / (photo + 2 pad - 1), corners being aligned.
    """
    padded = photo + 2 * padding(photo)
    count = min(photo, max(network * photo // padded, 1))
    centres = (torch.arange(count, dtype=torch.float64) + 0.5) * photo / count - 0.5
    return ((centres + padding(photo)) * (network - 1) / max(padded - 1, 1)).round().long()

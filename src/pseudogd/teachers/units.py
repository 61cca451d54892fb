"""The unit table: what the raw output of each depth model means, as data, and how it becomes depth.

A depth number has a unit only if this table says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from typing import Literal

import numpy as np

from pseudogd.geometry.types import Scale


class Output(str, Enum):
    """Kinds of raw output."""

    METRIC_DEPTH = "metric depth"
    """Metres, times a fixed factor."""
    CANONICAL_DEPTH = "canonical depth"
    """Metres as if seen with one fixed focal length: metres = output * f / canonical f, both in pixels of the input."""
    CANONICAL_INVERSE_DEPTH = "canonical inverse depth"
    """metres = f / (width * output), f and width in pixels of the same picture."""
    SCALE_FREE_DEPTH = "scale-free depth"
    """Depth times one unknown positive factor for the photo."""
    INVERSE_DEPTH = "inverse depth"
    """Larger is nearer, with unknown scale and shift: only the order holds."""


@dataclass(frozen=True)
class Unit:
    """One row. `models` is a pattern of hub ids; `intrinsics` says whether the model takes the camera or gives it."""

    models: str
    output: Output
    intrinsics: Literal["given", "estimated", "none"]
    metres: float = 1.0
    canonical_focal: float | None = None
    note: str = ""


UNITS: tuple[Unit, ...] = (
    Unit("apple/DepthPro*", Output.CANONICAL_INVERSE_DEPTH, "estimated", note="field_of_view in degrees"),
    Unit("depth-anything/Depth-Anything-V2-Metric-*", Output.METRIC_DEPTH, "none", note="sigmoid x 20 or 80 m"),
    Unit("depth-anything/Depth-Anything-V2-*", Output.INVERSE_DEPTH, "none"),
    Unit("LiheYoung/depth-anything-*", Output.INVERSE_DEPTH, "none"),
    Unit("depth-anything/prompt-depth-anything-*", Output.METRIC_DEPTH, "none", note="only with a metric prompt"),
    Unit("depth-anything/DA3METRIC-*", Output.CANONICAL_DEPTH, "given", canonical_focal=300.0),
    Unit("depth-anything/DA3NESTED-*", Output.METRIC_DEPTH, "estimated"),
    Unit("depth-anything/DA3*", Output.SCALE_FREE_DEPTH, "estimated"),
    Unit("Intel/zoedepth-*", Output.METRIC_DEPTH, "none"),
    Unit("Intel/dpt-*", Output.INVERSE_DEPTH, "none"),
    Unit("vinvino02/glpn-*", Output.METRIC_DEPTH, "none", note="at most 10 (nyu) or 80 m (kitti)"),
    Unit("google/tipsv2-*-dpt", Output.METRIC_DEPTH, "none", note="trained on indoor photos, at most 10 m"),
    Unit("Ruicheng/moge-2-*", Output.METRIC_DEPTH, "estimated", note="intrinsics divided by width and height"),
    Unit("YvanYin/Metric3D*", Output.CANONICAL_DEPTH, "given", canonical_focal=1000.0),
    Unit("lpiccinelli/unidepth-*", Output.METRIC_DEPTH, "estimated"),
    Unit("facebook/VGGT-1B*", Output.SCALE_FREE_DEPTH, "estimated"),
    Unit("lorenzopapa5/METER-nyu*", Output.METRIC_DEPTH, "none", metres=0.01),
    Unit("lorenzopapa5/METER-kitti*", Output.METRIC_DEPTH, "none", metres=0.1),
    Unit("FilippoAleotti/mobilePydnet*", Output.INVERSE_DEPTH, "none"),
)


def unit_of(model: str) -> Unit | None:
    """The row of a model by its hub id, ignoring case; None when the table does not know it."""
    return next((row for row in UNITS if fnmatchcase(model.lower(), row.models.lower())), None)


def to_depth(raw: np.ndarray, unit: Unit, focal: float | None) -> tuple[np.ndarray, Scale]:
    """Raw output (H, W) to float32 depth (nan where the output says nothing) and what kind of depth it is.

    `focal` is the focal length in pixels of the picture as the network saw it, of the same width W as `raw`; None when
    unknown. Without it canonical depth is right up to one factor only.
    """
    raw = np.where(np.isfinite(raw), raw, np.nan).astype(np.float64)
    if unit.output is Output.INVERSE_DEPTH:
        return _from_order(raw).astype(np.float32), Scale.AFFINE_DISPARITY
    scale = Scale.METRIC
    if unit.output is Output.CANONICAL_INVERSE_DEPTH:
        depth = 1.0 / np.clip(raw * raw.shape[1] / (focal or 1.0), 1e-4, 1e4)
    elif unit.output is Output.CANONICAL_DEPTH:
        if not unit.canonical_focal:
            raise ValueError("canonical depth needs the canonical focal length")
        depth = raw * (focal or unit.canonical_focal) / unit.canonical_focal
    else:
        depth = raw * unit.metres
    needs_focal = unit.output in (Output.CANONICAL_DEPTH, Output.CANONICAL_INVERSE_DEPTH)
    if unit.output is Output.SCALE_FREE_DEPTH or (needs_focal and focal is None):
        scale = Scale.UP_TO_SCALE
    with np.errstate(invalid="ignore"):
        depth[~(depth > 0)] = np.nan
    return depth.astype(np.float32), scale


def _from_order(disparity: np.ndarray) -> np.ndarray:
    """A strictly decreasing function of disparity, from 1 (largest) to 100 (smallest): only its order has meaning."""
    if not np.isfinite(disparity).any():
        return disparity
    low, high = np.nanmin(disparity), np.nanmax(disparity)
    share = (disparity - low) / max(high - low, 1e-12)
    return 1.0 / (0.01 + 0.99 * share)

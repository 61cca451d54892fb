"""How far depth maps are from measured ones: each photo's errors, and what a folder's come to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pseudogd.errors import InputError
from pseudogd.geometry.metrics import depth_metrics
from pseudogd.geometry.types import Geometry, Scale

_RESAMPLES = 2000


def depth_errors(told: Geometry, true: Geometry) -> dict[str, float]:
    """Errors of one photo's depth map, at the resolution of the smaller of the two."""
    shape = tuple(min(a, b) for a, b in zip(told.depth.shape, true.depth.shape))
    ours, theirs = _sampled(told.depth, shape), _sampled(true.depth, shape)
    affine = told.scale is Scale.AFFINE_DISPARITY
    aligned = depth_metrics(ours, theirs, align="scale_shift" if affine else "median")
    raw = depth_metrics(ours, theirs)
    use = np.isfinite(ours) & np.isfinite(theirs)
    ratio = float(np.median(np.log(theirs[use] / ours[use]))) if use.any() else math.nan
    return {"raw": raw["abs_rel"], "aligned": aligned["abs_rel"], "delta1": raw["delta1"], "log_ratio": ratio}


def _sampled(depth: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    rows, columns = (((np.arange(n) + 0.5) * have / n).astype(int) for n, have in zip(shape, depth.shape))
    sampled: np.ndarray = depth[np.ix_(rows, columns)]
    return sampled


def depth_summary(depths: Sequence[Mapping[str, float]], metric: bool) -> dict[str, Any]:
    """Means of `depth_errors`; of metric depth also the factor truth / told with its 95 % interval (bootstrap over
    photos) and its spread in log units from photo to photo. Raises InputError where nothing could be compared."""

    def mean(name: str) -> float:
        return round(float(np.nanmean([one[name] for one in depths])), 4)

    if all(math.isnan(one["aligned"]) for one in depths):
        raise InputError("no pixel of any photo is known both to the teacher and to the measured depth")
    found: dict[str, Any] = {"abs_rel_aligned": mean("aligned")}
    if metric:
        ratios = np.array([one["log_ratio"] for one in depths if math.isfinite(one["log_ratio"])])
        rng = np.random.default_rng(0)
        means = ratios[rng.integers(len(ratios), size=(_RESAMPLES, len(ratios)))].mean(axis=1)
        low, high = np.exp(np.quantile(means, [0.025, 0.975]))
        found |= {"abs_rel": mean("raw"), "delta1": mean("delta1")}
        found["scale"] = {
            "factor": round(float(np.exp(ratios.mean())), 4),
            "interval": [round(float(low), 4), round(float(high), 4)],
            "spread": round(float(np.std(ratios)), 4),
        }
    return found

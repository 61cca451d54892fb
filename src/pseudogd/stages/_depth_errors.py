"""How far depth maps are from measured ones: each photo's errors, and what a folder's come to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pseudogd.errors import InputError
from pseudogd.geometry.metrics import depth_metrics
from pseudogd.geometry.types import Geometry, Scale

WORST = 5
"""Photos that are named as the worst."""
_RESAMPLES = 2000
_PIXELS = 400
"""Pixels of a photo that `by_distance` sees: each photo counts alike, whatever its size."""
_BINS = 8
_LEAST_IN_BIN = 50


def depth_errors(told: Geometry, true: Geometry) -> dict[str, Any]:
    """Errors of one photo's depth map, at the resolution of the smaller of the two; `pixels` is (2, n) of told and true
    depth, spread evenly over what both know."""
    shape = tuple(min(a, b) for a, b in zip(told.depth.shape, true.depth.shape))
    ours, theirs = _sampled(told.depth, shape), _sampled(true.depth, shape)
    affine = told.scale is Scale.AFFINE_DISPARITY
    aligned = depth_metrics(ours, theirs, align="scale_shift" if affine else "median")
    raw = depth_metrics(ours, theirs)
    use = np.isfinite(ours) & np.isfinite(theirs)
    ratio = float(np.median(np.log(theirs[use] / ours[use]))) if use.any() else math.nan
    both = np.stack([ours[use], theirs[use]]).astype(np.float64)
    kept = np.linspace(0, both.shape[1] - 1, min(_PIXELS, both.shape[1])).astype(int)
    return {
        "raw": raw["abs_rel"],
        "aligned": aligned["abs_rel"],
        "delta1": raw["delta1"],
        "log_ratio": ratio,
        "pixels": both[:, kept],
    }


def _sampled(depth: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    rows, columns = (((np.arange(n) + 0.5) * have / n).astype(int) for n, have in zip(shape, depth.shape))
    sampled: np.ndarray = depth[np.ix_(rows, columns)]
    return sampled


def depth_summary(depths: Sequence[Mapping[str, Any]], names: Sequence[str], scale: Scale) -> dict[str, Any]:
    """Means of `depth_errors` and the photos that are worst once aligned; of metric depth also the factor truth / told
    with its 95 % interval (bootstrap over photos) and its spread in log units from photo to photo; of all but inverse
    depth `by_distance`. Raises InputError where nothing could be compared."""

    def mean(name: str) -> float:
        return round(float(np.nanmean([one[name] for one in depths])), 4)

    if all(math.isnan(one["aligned"]) for one in depths):
        raise InputError("no pixel of any photo is known both to the teacher and to the measured depth")
    known = [(one["aligned"], name) for one, name in zip(depths, names, strict=True) if math.isfinite(one["aligned"])]
    worst = sorted(known, key=lambda pair: (-pair[0], pair[1]))[:WORST]
    found: dict[str, Any] = {
        "abs_rel_aligned": mean("aligned"),
        "photos": len(known),
        "worst": [{"path": name, "abs_rel_aligned": round(error, 4)} for error, name in worst],
    }
    if scale is Scale.METRIC:
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
    if scale is not Scale.AFFINE_DISPARITY:
        shift = [0.0 if scale is Scale.METRIC else one["log_ratio"] for one in depths]
        pixels = [one["pixels"] * np.exp([[move], [0.0]]) for one, move in zip(depths, shift) if one["pixels"].size]
        found["by_distance"] = by_distance(np.concatenate(pixels, axis=1))
    return found


def by_distance(pixels: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Told depth over true depth as a function of true depth: (2, n) pixels, told and true, in up to 8 bins of as many
    pixels each. `from`, `to` and `at` (median) are metres of true depth, `ratio` the 16, 50 and 84 % quantiles."""
    told, true = pixels[:, np.argsort(pixels[1], kind="stable")]
    count = max(1, min(_BINS, len(true) // _LEAST_IN_BIN))
    found = []
    for part in np.array_split(np.arange(len(true)), count):
        ratio = np.quantile(told[part] / true[part], [0.16, 0.5, 0.84])
        ends = (true[part[0]], float(np.median(true[part])), true[part[-1]])
        found.append(
            {
                **{name: round(float(value), 3) for name, value in zip(("from", "at", "to"), ends)},
                "pixels": len(part),
                "ratio": [round(float(value), 4) for value in ratio],
            }
        )
    return found

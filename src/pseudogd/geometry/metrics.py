"""How well one depth map agrees with another."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Align = Literal["none", "scale", "scale_shift", "median"]
ALIGNMENTS: tuple[Align, ...] = ("none", "scale", "scale_shift", "median")


def depth_metrics(
    pred: ArrayLike, true: ArrayLike, mask: ArrayLike | None = None, align: Align = "none"
) -> dict[str, float]:
    """Standard errors of ``pred`` against ``true`` (Eigen et al., NIPS 2014), z-depths of one shape.

    Compared are the pixels of ``mask`` where both are finite and > 0; ``n`` is their number. With n = 0 all others are
    nan. abs_rel = mean |p - t| / t; rmse = sqrt(mean (p - t)^2); log10 = mean |log10 p - log10 t|;
    delta_k = share with max(p/t, t/p) < 1.25^k.

    align, applied to ``pred`` first: "none"; "scale" the least-squares factor sum(p t) / sum(p p); "median" the factor
    median(t) / median(p); "scale_shift" least squares between disparities 1/p and 1/t (Ranftl et al., TPAMI 2022),
    where an aligned depth is at most the largest true one, so that a disparity near zero does not decide the figure.
    Raises ValueError on other shapes or another ``align``.
    """
    p, t = np.asarray(pred, dtype=np.float64), np.asarray(true, dtype=np.float64)
    if p.shape != t.shape:
        raise ValueError(f"pred and true must have one shape, got {p.shape} and {t.shape}")
    if align not in ALIGNMENTS:
        raise ValueError(f"align must be one of {', '.join(ALIGNMENTS)}, got {align!r}")
    with np.errstate(invalid="ignore"):
        use = np.isfinite(p) & np.isfinite(t) & (p > 0) & (t > 0)
    if mask is not None:
        chosen = np.asarray(mask, dtype=bool)
        if chosen.shape != t.shape:
            raise ValueError(f"mask must have shape {t.shape}, got {chosen.shape}")
        use &= chosen
    p, t = p[use], t[use]
    if t.size == 0:
        return {**dict.fromkeys(("abs_rel", "rmse", "log10", "delta1", "delta2", "delta3"), math.nan), "n": 0}
    p = _aligned(p, t, align)
    difference, ratio = p - t, np.maximum(p / t, t / p)
    return {
        "abs_rel": float(np.mean(np.abs(difference) / t)),
        "rmse": float(np.sqrt(np.mean(difference**2))),
        "log10": float(np.mean(np.abs(np.log10(p / t)))),
        "delta1": float(np.mean(ratio < 1.25)),
        "delta2": float(np.mean(ratio < 1.25**2)),
        "delta3": float(np.mean(ratio < 1.25**3)),
        "n": int(t.size),
    }


def _aligned(p: NDArray[np.float64], t: NDArray[np.float64], align: Align) -> NDArray[np.float64]:
    if align == "scale":
        return p * (np.dot(p, t) / np.dot(p, p))
    if align == "median":
        return p * (np.median(t) / np.median(p))
    if align == "scale_shift":
        x, y = 1.0 / p, 1.0 / t
        centred = x - x.mean()
        spread = float(np.dot(centred, centred))
        slope = float(np.dot(centred, y)) / spread if spread > 0 else 0.0
        return 1.0 / np.maximum(y.mean() + slope * centred, y.min())
    return p

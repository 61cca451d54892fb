"""Robust extents and boxes that stand upright on the ground."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_MAX_POINTS = 1500  # more points do not move the quantiles of a box by a visible amount
_COARSE_DEG, _FINE_DEG = 3.0, 0.25
_EDGE_WEIGHT = 4.0


def robust_extent(values: ArrayLike, lo: float = 0.02, hi: float = 0.98) -> tuple[float, float]:
    """Quantiles ``lo`` and ``hi`` of the finite ``values`` of any shape; ValueError when there are none."""
    if not 0.0 <= lo <= hi <= 1.0:
        raise ValueError(f"quantiles must satisfy 0 <= lo <= hi <= 1, got {lo} and {hi}")
    v = np.asarray(values, dtype=np.float64)
    v = v[np.isfinite(v)]
    if v.size == 0:
        raise ValueError("no finite value to take an extent of")
    low, high = np.quantile(v, [lo, hi])
    return float(low), float(high)


@dataclass(frozen=True, eq=False)
class YawBox:
    """Upright box in the gravity frame (x right, y down along gravity, z forward), metres.

    center (3,), size (3,) along the box's own x, y (vertical) and z axes, yaw in radians: the bearing atan2(x, z) of
    the box's z axis, in [-pi/4, pi/4). A box has no front: yaw says how its sides lie, not where it looks.
    """

    center: NDArray[np.float64]
    size: NDArray[np.float64]
    yaw: float

    @property
    def axes(self) -> NDArray[np.float64]:
        """(3, 3), rows = the box's own x, y, z axes in the gravity frame."""
        return yaw_rotation(self.yaw).T

    @property
    def corners(self) -> NDArray[np.float64]:
        """(8, 3) corner points."""
        signs = np.array([[i, j, k] for i in (-0.5, 0.5) for j in (-0.5, 0.5) for k in (-0.5, 0.5)])
        return self.center + (signs * self.size) @ self.axes


def yaw_rotation(yaw: float) -> NDArray[np.float64]:
    """(3, 3) rotation about the vertical that adds ``yaw`` radians to every bearing atan2(x, z)."""
    c, s = math.cos(yaw), math.sin(yaw)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def yaw_box(points: ArrayLike, lo: float = 0.02, hi: float = 0.98) -> YawBox:
    """Tightest upright box around (N, 3) points of the gravity frame, on ``lo``-``hi`` quantiles of every axis.

    Over all yaws the area of the quantile rectangle on the ground is minimised, raised by how far the points lie from
    the nearest side of it: one view shows an L of two sides, and an L has two rectangles of equal area, of which
    only the right one has its points on the sides (after Zhang et al., L-shape fitting, IV 2017).
    Points that are not finite are left out; ValueError when none is left or the shape is not (N, 3).
    """
    p = np.asarray(points, dtype=np.float64)
    if p.ndim != 2 or p.shape[1] != 3:
        raise ValueError(f"points must have shape (N, 3), got {p.shape}")
    p = p[np.isfinite(p).all(axis=1)]
    if len(p) == 0:
        raise ValueError("no finite point to put a box around")
    ground = p[:: math.ceil(len(p) / _MAX_POINTS), ::2]
    yaw = _best_yaw(ground, np.arange(-45.0, 45.0, _COARSE_DEG), lo, hi)
    yaw = _best_yaw(ground, yaw + np.arange(-_COARSE_DEG, _COARSE_DEG + _FINE_DEG, _FINE_DEG), lo, hi)
    yaw = math.radians((yaw + 45.0) % 90.0 - 45.0)
    rotation = yaw_rotation(yaw)
    ordered = np.sort(p @ rotation, axis=0)
    ordered[:, 1] = np.sort(p[:, 1])
    low, high = (_quantile(ordered, share) for share in (lo, hi))
    return YawBox(rotation @ ((low + high) / 2), high - low, yaw)


def _quantile(ordered: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """As `numpy.quantile` along the first axis, to the last bit, of values that are sorted along it."""
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    a, b, t = ordered[low], ordered[min(low + 1, len(ordered) - 1)], place - low
    found: NDArray[np.float64] = a + (b - a) * t if t < 0.5 else b - (b - a) * (1 - t)
    return found


def _best_yaw(ground: NDArray[np.float64], yaws_deg: NDArray[np.float64], lo: float, hi: float) -> float:
    """The yaw in degrees with the least cost for (N, 2) points (x, z)."""
    yaw = np.radians(yaws_deg)[:, None]
    x = np.cos(yaw) * ground[:, 0] - np.sin(yaw) * ground[:, 1]
    z = np.sin(yaw) * ground[:, 0] + np.cos(yaw) * ground[:, 1]
    (x0, x1), (z0, z1) = _sides(x, lo, hi), _sides(z, lo, hi)
    to_side = np.minimum(
        np.minimum(np.abs(x - x0), np.abs(x1 - x)),
        np.minimum(np.abs(z - z0), np.abs(z1 - z)),
    ).mean(axis=1)
    width, depth = (x1 - x0)[:, 0], (z1 - z0)[:, 0]
    # with thin boxes (a wall, a sheet) the area is almost zero for noise's sake: the perimeter keeps the order
    reach = np.hypot(width, depth)
    cost = width * depth + 0.01 * reach * (width + depth) + _EDGE_WEIGHT * to_side * reach
    return float(yaws_deg[int(np.argmin(cost))])


def _sides(values: NDArray[np.float64], lo: float, hi: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    n = values.shape[1]
    first, last = round(lo * (n - 1)), round(hi * (n - 1))
    ordered = np.partition(values, (first, last), axis=1)
    return ordered[:, first, None], ordered[:, last, None]

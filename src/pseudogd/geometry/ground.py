"""The ground plane under a camera, by robust fit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pseudogd.geometry.types import Up

_MIN_POINTS = 30
_MAX_POINTS = 3000
_HYPOTHESES = 120  # of each of three sorts
_REFITS = 6
_TOGETHER = 32  # planes whose heights over all points are computed at a time: those of all do not fit a cache


@dataclass(frozen=True, eq=False)
class Plane:
    """Points p with normal . p + offset = 0, in the frame of the points it was fitted to.

    ``normal`` is unit and points up, so ``offset`` is the height of the camera (the origin) above the plane;
    ``inlier_fraction`` the share of the given points that lie on it.
    """

    normal: NDArray[np.float64]
    offset: float
    inlier_fraction: float

    @property
    def camera_height(self) -> float:
        """Height of the origin above the plane, in the unit of the points."""
        return self.offset

    def height(self, points: ArrayLike) -> NDArray[np.float64]:
        """(...,) signed height of (..., 3) points above the plane."""
        return np.asarray(points, dtype=np.float64) @ self.normal + self.offset


def fit_ground(
    points: ArrayLike,
    up: ArrayLike,
    *,
    tolerance: float = 0.012,
    max_tilt: float = 12.0,
    min_fraction: float = 0.04,
    seed: int = 0,
) -> Plane | None:
    """The ground under a camera: the plane, upright within ``max_tilt`` degrees of ``up``, on which many of the points
    lie and under which few do; None when there is none (only walls, only clutter, nothing below the camera).

    points (..., 3) in camera axes with ``up`` (3,) in the same axes; not finite = unknown. A point lies on a plane when
    it is within ``tolerance`` times its own distance from the camera, as depth errors grow with distance; so the unit
    of the points does not matter. Hypotheses are drawn (RANSAC, fixed ``seed``): ``up`` through single points,
    directions near ``up``, triples of low points; the best few are refitted by least squares. A plane scores its
    inliers, less the points below it and less those in the band above it as thick as its own: a horizontal slice of a
    wall holds no more points than the slice above. At least ``min_fraction`` of the points must lie on the ground.
    Where the floor is hidden, the lowest wide surface (a table top) is the answer. ValueError on a wrong shape.
    """
    p = np.asarray(points, dtype=np.float64)
    if p.shape[-1:] != (3,):
        raise ValueError(f"points must have shape (..., 3), got {p.shape}")
    u = Up(np.asarray(up), 1.0).vector
    p = p.reshape(-1, 3)
    p = p[np.isfinite(p).all(axis=1)]
    if len(p) < _MIN_POINTS:
        return None
    rng = np.random.default_rng(seed)
    p = p[rng.permutation(len(p))[:_MAX_POINTS]]
    scale = tolerance * np.linalg.norm(p, axis=1)
    limit = math.cos(math.radians(max_tilt))
    normals, offsets = _hypotheses(p, u, max_tilt, rng)
    score = _ground_score(p, scale, normals, offsets)
    best_few, refits = np.argsort(-score)[:_REFITS], _Refits(p, scale, u, limit)
    refitted = [refits.of(normals[k], float(offsets[k])) for k in best_few]
    planes = [plane for plane in refitted if plane is not None]
    if not planes:
        return None
    score = _ground_score(p, scale, np.stack([q.normal for q in planes]), np.array([q.offset for q in planes]))
    best = planes[int(np.argmax(score))]
    enough = score.max() >= 0.5 * min_fraction * len(p) and best.inlier_fraction >= min_fraction and best.offset > 0
    return best if enough and _is_wide(p, scale, best) else None


def _hypotheses(
    p: NDArray[np.float64], up: NDArray[np.float64], max_tilt: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Normals (K, 3) and offsets (K,) of upright planes below the camera through some of the points."""
    anchor = p[rng.integers(0, len(p), 2 * _HYPOTHESES)]
    shaken = up + rng.normal(0.0, math.radians(max_tilt) / 3, (_HYPOTHESES, 3))
    low = p[np.argsort(p @ up)[: max(3, len(p) // 2)]]
    a, b, c = (low[rng.integers(0, len(low), _HYPOTHESES)] for _ in range(3))
    across = np.cross(b - a, c - a)
    normals = np.concatenate([np.broadcast_to(up, (_HYPOTHESES, 3)), shaken, across])
    anchor = np.concatenate([anchor, a])
    length = np.linalg.norm(normals, axis=1)
    normals = normals / np.maximum(length, 1e-12)[:, None] * np.where(normals @ up < 0, -1.0, 1.0)[:, None]
    offsets = -np.einsum("kc,kc->k", normals, anchor)
    fair = (normals @ up >= math.cos(math.radians(max_tilt))) & (offsets > 0) & (length > 1e-12)
    fair[0] = True  # keeps the list from being empty; a plane that is not below the camera is refused at the end
    return normals[fair], offsets[fair]


def _ground_score(
    p: NDArray[np.float64], scale: NDArray[np.float64], normals: NDArray[np.float64], offsets: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(K,) inliers, less points below, less points in the band above that is as thick as the band of inliers."""
    counts = np.empty(len(normals))
    for begin in range(0, len(normals), _TOGETHER):
        block = slice(begin, begin + _TOGETHER)
        height = normals[block] @ p.T
        height += offsets[block, None]
        height /= scale
        points = (np.abs(height) <= 1).view(np.int8) - (height < -1.5).view(np.int8)
        points -= ((height > 1) & (height <= 3)).view(np.int8)
        counts[block] = points.sum(axis=1, dtype=np.int64)
    return counts


class _Refits:
    """Weighted total least squares on the inliers of planes, from a wide band to the narrow one.

    The best planes are most often near to one another and end with the same inliers: each set is fitted once.
    """

    def __init__(
        self, p: NDArray[np.float64], scale: NDArray[np.float64], up: NDArray[np.float64], limit: float
    ) -> None:
        self.p, self.scale, self.up, self.limit = p, scale, up, limit
        self.weights = 1.0 / scale**2
        self.roots = np.sqrt(self.weights)
        self.known: dict[bytes, tuple[NDArray[np.float64], float] | None] = {}

    def of(self, normal: NDArray[np.float64], offset: float) -> Plane | None:
        """The plane refitted; None when it tips over."""
        for band in (2.5, 1.5, 1.0, 0.6):  # at last narrow: feet of walls all lie on the upper side
            inside = np.abs(self.p @ normal + offset) <= band * self.scale
            key = inside.tobytes()
            if key not in self.known:
                self.known[key] = self._fitted(inside)
            found = self.known[key]
            if found is None:
                return None
            normal, offset = found
        return Plane(normal, offset, float(np.mean(np.abs(self.p @ normal + offset) <= self.scale)))

    def _fitted(self, inside: NDArray[np.bool_]) -> tuple[NDArray[np.float64], float] | None:
        """Normal and offset of the plane through some of the points; None where they are too few or it is too steep."""
        if inside.sum() < 3:
            return None
        q, weight = self.p[inside], self.weights[inside, None]
        centre = (q * weight).sum(axis=0) / weight.sum(axis=0)
        spread = (q - centre) * self.roots[inside, None]
        normal = np.linalg.eigh(spread.T @ spread)[1][:, 0]
        normal = -normal if normal @ self.up < 0 else normal
        return None if normal @ self.up < self.limit else (normal, -float(normal @ centre))


def _is_wide(p: NDArray[np.float64], scale: NDArray[np.float64], plane: Plane) -> bool:
    """Whether the inliers reach out in both directions of the plane: the foot of a wall does not."""
    inside = np.abs(plane.height(p)) <= scale
    q = p[inside] - p[inside].mean(axis=0)
    q -= np.outer(q @ plane.normal, plane.normal)
    minor = math.sqrt(max(np.linalg.eigvalsh(q.T @ q / len(q))[1], 0.0))
    return minor > 2.0 * float(np.median(scale[inside]))

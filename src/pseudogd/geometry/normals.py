"""Surface normals from a depth map."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pseudogd.geometry.camera import Camera

_SURE_EDGE = 5.0  # a jump of this many times `edge` is an edge even where the surface seems to go on through it
_PLANAR = 0.2  # steps of disparity that agree this well lie on one plane


def normals_from_depth(
    depth: ArrayLike, camera: Camera, edge: float = 0.05, radius: int | None = None
) -> NDArray[np.float32]:
    """(H, W) z-depth (any one unit, nan unknown, inf sky) -> (H, W, 3) unit normals in camera axes, facing the camera.

    On a plane the disparity w = 1/z is affine in the pixel coordinates, so the gradient of w gives the plane exactly:
    n ~ -(fx w_u, fy w_v, w - (u - cx) w_u - (v - cy) w_v), whose product with the viewing ray is -w < 0.
    A step between neighbours whose depths differ by more than ``edge`` (relative to the nearer one) is not used, unless
    the next step on the same line agrees with it: a floor seen at a grazing angle is no edge. A pixel with no usable
    step along an axis, or without depth, gets nan. The gradient is taken over ``radius`` pixels to both sides where no
    edge lies between, else over one; by default 1 up to 239 rows or columns and more beyond, because neighbouring
    depths of a large map differ by less than the steps in which sensors and files count.
    Raises ValueError on a map that is not (H, W), an ``edge`` <= 0 or a ``radius`` < 1.
    """
    z = np.asarray(depth)
    if z.ndim != 2 or z.size == 0:
        raise ValueError(f"depth must be a non-empty (H, W) map, got shape {z.shape}")
    if not edge > 0:
        raise ValueError(f"edge must be > 0, got {edge}")
    radius = max(1, round(min(z.shape) / 160)) if radius is None else radius
    if radius < 1:
        raise ValueError(f"radius must be >= 1, got {radius}")
    dtype = np.float32 if z.dtype == np.float32 else np.float64
    with np.errstate(divide="ignore", invalid="ignore"):
        w = np.where(np.isfinite(z) & (z > 0), 1.0 / z, np.nan).astype(dtype)
        w_u = _gradient(np.ascontiguousarray(w.T), edge, radius).T
        w_v = _gradient(w, edge, radius)
    view = camera.resized(z.shape[1], z.shape[0])
    u = (np.arange(view.width) - view.cx).astype(dtype)
    v = (np.arange(view.height) - view.cy).astype(dtype)[:, None]
    normals = np.empty((*z.shape, 3), np.float32)
    x, y, forward = view.fx * w_u, view.fy * w_v, w - u * w_u - v * w_v
    inverse = -1.0 / np.sqrt(x * x + y * y + forward * forward)
    for k, part in enumerate((x, y, forward)):
        np.multiply(part, inverse, out=normals[..., k], casting="same_kind")
    return normals


def _gradient(w: NDArray[Any], edge: float, radius: int) -> NDArray[Any]:
    """dw/d(row); nan where no usable step leads to a neighbour."""
    usable = _usable_steps(w, edge)
    near = _slope(w, usable, 1)
    if radius == 1:
        return near
    wide = _slope(w, usable, radius)
    return np.where(np.isnan(wide), near, wide)


def _usable_steps(w: NDArray[Any], edge: float) -> NDArray[np.bool_]:
    """(H-1, W) bool: the step from a row to the next stays on one surface."""
    step = np.diff(w, axis=0)
    size = np.abs(step)
    jump = size / np.minimum(w[1:], w[:-1])  # relative to the nearer depth
    usable = jump <= edge
    steep = (jump > edge) & (jump <= _SURE_EDGE * edge)
    if steep.any():
        bend = np.abs(np.diff(step, axis=0))
        plane = np.zeros_like(usable)
        plane[1:] = bend <= _PLANAR * size[1:]
        plane[:-1] |= bend <= _PLANAR * size[:-1]
        usable |= steep & plane
    return usable


def _slope(w: NDArray[Any], usable: NDArray[np.bool_], radius: int) -> NDArray[Any]:
    """Mean of the slopes to the pixels ``radius`` rows before and after, as far as usable steps lead there."""
    if radius >= len(w):
        return np.full_like(w, np.nan)
    if radius == 1:
        joined = usable
    else:
        broken = np.zeros(w.shape, np.int32)
        np.cumsum(~usable, axis=0, out=broken[1:])
        joined = broken[radius:] == broken[:-radius]
    slope = np.where(joined, w[radius:] - w[:-radius], 0)
    total = np.zeros_like(w)
    count = np.zeros_like(w)
    total[:-radius] += slope
    total[radius:] += slope
    count[:-radius] += joined
    count[radius:] += joined
    return np.where(count > 0, total / (np.maximum(count, 1) * radius), np.nan)

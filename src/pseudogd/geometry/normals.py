"""Surface normals from a depth map."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pseudogd.geometry.camera import Camera

_SURE_EDGE = 5.0  # a jump of this many times `edge` is an edge even where the surface seems to go on through it
_PLANAR = 0.2  # steps of disparity that agree this well lie on one plane


def normals_from_depth(depth: ArrayLike, camera: Camera, edge: float = 0.05) -> NDArray[np.float32]:
    """(H, W) z-depth (any one unit, nan unknown, inf sky) -> (H, W, 3) unit normals in camera axes, facing the camera.

    On a plane the disparity w = 1/z is affine in the pixel coordinates, so the gradient of w gives the plane exactly:
    n ~ -(fx w_u, fy w_v, w - (u - cx) w_u - (v - cy) w_v), whose product with the viewing ray is -w < 0.
    A step between neighbours whose depths differ by more than ``edge`` (relative to the nearer one) is not used, unless
    the next step on the same line agrees with it: a floor seen at a grazing angle is no edge. A pixel with no usable
    step along an axis, or without depth, gets nan. Raises ValueError on a map that is not (H, W) or an ``edge`` <= 0.
    """
    z = np.asarray(depth)
    if z.ndim != 2 or z.size == 0:
        raise ValueError(f"depth must be a non-empty (H, W) map, got shape {z.shape}")
    if not edge > 0:
        raise ValueError(f"edge must be > 0, got {edge}")
    dtype = np.float32 if z.dtype == np.float32 else np.float64
    with np.errstate(divide="ignore", invalid="ignore"):
        w = np.where(np.isfinite(z) & (z > 0), 1.0 / z, np.nan).astype(dtype)
        w_u = _slope(w.T, edge).T
        w_v = _slope(w, edge)
    view = camera.resized(z.shape[1], z.shape[0])
    u = (np.arange(view.width) - view.cx).astype(dtype)
    v = (np.arange(view.height) - view.cy).astype(dtype)[:, None]
    normals = np.empty((*z.shape, 3), np.float32)
    x, y, forward = view.fx * w_u, view.fy * w_v, w - u * w_u - v * w_v
    inverse = -1.0 / np.sqrt(x * x + y * y + forward * forward)
    np.multiply(x, inverse, out=normals[..., 0], casting="same_kind")
    np.multiply(y, inverse, out=normals[..., 1], casting="same_kind")
    np.multiply(forward, inverse, out=normals[..., 2], casting="same_kind")
    return normals


def _slope(w: NDArray[Any], edge: float) -> NDArray[Any]:
    """dw/d(row) from the usable steps on both sides of every pixel; nan where neither is usable."""
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
    step = np.where(usable, step, 0)
    total = np.zeros_like(w)
    count = np.zeros(w.shape, w.dtype)
    total[:-1] += step
    total[1:] += step
    count[:-1] += usable
    count[1:] += usable
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)

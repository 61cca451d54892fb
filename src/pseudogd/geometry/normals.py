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
        w = np.where(np.isfinite(z) & (z > 0), 1.0 / z, np.nan).astype(dtype, copy=False)
        w_u, w_v = _gradient(w.T, edge, radius).T, _gradient(w, edge, radius)
    view = camera.resized(z.shape[1], z.shape[0])
    u = (np.arange(view.width) - view.cx).astype(dtype)
    v = (np.arange(view.height) - view.cy).astype(dtype)[:, None]
    forward = u * w_u
    np.subtract(w, forward, out=forward)
    forward -= v * w_v
    w_u *= view.fx
    w_v *= view.fy
    inverse = w_u * w_u
    inverse += w_v * w_v
    inverse += forward * forward
    np.sqrt(inverse, out=inverse)
    np.divide(-1.0, inverse, out=inverse)
    normals = np.empty((*z.shape, 3), np.float32)
    for k, part in enumerate((w_u, w_v, forward)):
        np.multiply(part, inverse, out=normals[..., k], casting="same_kind")
    return normals


def _gradient(w: NDArray[Any], edge: float, radius: int) -> NDArray[Any]:
    """dw/d(row); nan where no usable step leads to a neighbour."""
    usable = _usable_steps(w, edge)
    near = _slope(w, usable, 1)
    if radius == 1:
        return near
    wide = _slope(w, usable, radius)
    np.copyto(wide, near, where=np.isnan(wide))
    return wide


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
    joined = usable[radius - 1 :].copy(order="K")
    for k in range(1, radius):
        joined &= usable[radius - 1 - k : -k]
    slope = w[radius:] - w[:-radius]
    slope[~joined] = 0
    total, count = np.empty_like(w), np.empty_like(w)
    for both, part in ((total, slope), (count, joined)):
        both[:-radius] = part
        both[-radius:] = 0
        both[radius:] += part
    count *= radius
    total /= count  # 0 / 0, where no step is usable, is nan
    return total

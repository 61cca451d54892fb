"""Edges of a photo that may be upright in the world, and what they say of the direction of up."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter

from pseudogd.geometry.camera import Camera

_MARGIN = 4  # pixels at the border, and the half width of the window in which the direction of an edge is averaged
_STEEP = 1.5  # gradients at most 1 / _STEEP as large down the picture as across it
_ONE_WAY = 0.95  # coherence (0 to 1) of the gradients in a window with one edge in it
_FAINT = 1.5  # grey levels per pixel
_MOST = 1500
_PIXELS_PER_EDGE, _INDEPENDENT = 6.0, 30.0  # edge pixels come in lines, and lines from a handful of things
_SCATTERS = (0.06, 0.04)  # of the sine between an upright edge's plane and up, from coarse to fine
_STRAY = 3.0  # density of edges that are not upright, of which 1/2 is as many as there are upright ones
_STEPS = 3
ROLL_SHARE = 0.5  # what the normals' error in roll is of that in pitch: both sides of a room bend alike


@dataclass(frozen=True, eq=False)
class Edges:
    """Pixels on steep edges: ``place`` (n, 2) and ``across`` (n, 2) unit, x to the right and y down; ``weight`` (n,).

    Places are in pixels of a picture of ``width`` x ``height``.
    """

    place: NDArray[np.float32]
    across: NDArray[np.float32]
    weight: NDArray[np.float32]
    width: int
    height: int


def steep_edges(grey: ArrayLike) -> Edges:
    """Edges within about 34 degrees of the picture's columns, of an (H, W) picture of grey levels from 0 to 255.

    Gradients of the smoothed picture; an edge is where their length is greatest along the row, and its direction is the
    main axis of the structure tensor around, where that has one. ValueError unless the picture is (H, W).
    """
    g = np.asarray(grey, dtype=np.float32)
    if g.ndim != 2:
        raise ValueError(f"a picture of grey levels must be (H, W), got shape {g.shape}")
    empty = np.zeros((0, 2), np.float32)
    if min(g.shape) < 4 * _MARGIN:
        return Edges(empty, empty, np.zeros(0, np.float32), g.shape[1], g.shape[0])
    smooth = gaussian_filter(g, 1.0, radius=3, mode="nearest")
    gradient = np.zeros((2, *g.shape), np.float32)
    np.subtract(smooth[:, 2:], smooth[:, :-2], out=gradient[0, :, 1:-1])
    np.subtract(smooth[2:], smooth[:-2], out=gradient[1, 1:-1])
    gradient *= np.float32(0.5)
    gx, gy = gradient
    products = (gx * gx, gy * gy, gx * gy)
    a, b, c = (gaussian_filter(part, 1.5, radius=_MARGIN, mode="nearest") for part in products)
    size = np.abs(gx)
    found = np.zeros(g.shape, bool)
    inner = slice(_MARGIN, -_MARGIN)
    np.greater(size[inner, inner], _FAINT, out=found[inner, inner])
    found[:, 1:-1] &= (size[:, 1:-1] >= size[:, :-2]) & (size[:, 1:-1] > size[:, 2:])
    place = np.flatnonzero(found)
    a, b, c, size = (part.ravel()[place] for part in (a, b, c, size))
    angle = 0.5 * np.arctan2(2 * c, a - b)
    good = (np.hypot(a - b, 2 * c) > _ONE_WAY * (a + b)) & (np.abs(angle) < math.atan(1 / _STEEP))
    if good.sum() > _MOST:
        good &= size >= np.partition(size[good], -_MOST)[-_MOST]
    place, angle, size = place[good], angle[good], size[good]
    y, x = np.divmod(place, g.shape[1])
    return Edges(
        np.stack([x, y], axis=1).astype(np.float32),
        np.stack([np.cos(angle), np.sin(angle)], axis=1),
        np.sqrt(size),
        g.shape[1],
        g.shape[0],
    )


def with_uprights(
    up: NDArray[np.float64], sigma: float, edges: Edges, camera: Camera
) -> tuple[NDArray[np.float64], float]:
    """Up (3,), known to ``sigma`` degrees in pitch and to half as many in roll, and the edges of the photo: up by both,
    and its error in degrees each way (root mean square of the two).

    An edge in the picture and the camera span a plane; that of an upright edge contains up. Least squares over the
    planes' angles with up and the given ``up``, each edge by the chance that it is an upright one (a mixture with stray
    edges, solved by iterated reweighting from a wide scatter to a narrow one).
    """
    view = camera.resized(edges.width, edges.height)
    x, y = (edges.across * (view.fx, view.fy)).T.astype(np.float64)
    planes = np.stack([x, y, edges.across @ (view.cx, view.cy) - (edges.across * edges.place).sum(axis=1)], axis=1)
    if not len(planes):
        return up, sigma * math.sqrt(0.5 * (1 + ROLL_SHARE**2))
    planes /= np.linalg.norm(planes, axis=1, keepdims=True)
    weight = edges.weight.astype(np.float64) * (
        min(_INDEPENDENT, len(planes) / _PIXELS_PER_EDGE) / float(edges.weight.sum())
    )
    aside = np.cross(up, [0.0, 0.0, 1.0])  # turns by pitch and by roll around these
    aside /= max(float(np.linalg.norm(aside)), 1e-9)
    ways = np.stack([np.cross(aside, up), aside])
    known = np.diag([1.0, 1.0 / ROLL_SHARE**2]) / math.radians(sigma) ** 2
    slopes, moved = planes @ ways.T, np.zeros(2)
    start, total = planes @ up, known
    for scatter in _SCATTERS:
        for _ in range(_STEPS):
            off = start + slopes @ moved
            share = np.exp(-0.5 * (off / scatter) ** 2) / (math.sqrt(2 * math.pi) * scatter)
            share = weight * share / (share + _STRAY)
            total = known + (slopes * share[:, None]).T @ slopes / scatter**2
            moved = np.linalg.solve(total, -slopes.T @ (share * start) / scatter**2)
    found = up + moved @ ways
    spread = np.linalg.inv(total)
    return found / np.linalg.norm(found), math.degrees(math.sqrt(0.5 * float(np.trace(spread))))

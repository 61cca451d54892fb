"""Fill in what follows from depth and camera: surface normals and the direction of up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pseudogd.geometry.camera import Camera
from pseudogd.geometry.gravity import up_from_normals
from pseudogd.geometry.normals import normals_from_depth
from pseudogd.geometry.types import Geometry, Scale, Up

_UP_SIDE = 64  # cells along the longer side of the map that up is estimated from: enough for floors and walls


def complete(geometry: Geometry) -> Geometry:
    """The same geometry with `normals` and `up`, where the teacher gave none and they can be known.

    Both need the shape of space: a camera, and depth that is metric or right up to one factor. Without them they stay
    None: an unknown focal length is not guessed, and the order of depths has no surface.
    """
    if geometry.camera is None or geometry.scale is Scale.AFFINE_DISPARITY:
        return geometry
    normals, up = geometry.normals, geometry.up
    if normals is None:
        normals = normals_from_depth(geometry.depth, geometry.camera)
        if not np.isfinite(normals).any():
            normals = None
    if up is None:
        up = _up_of(geometry.depth, geometry.camera)
    return replace(geometry, normals=normals, up=up)


def _up_of(depth: np.ndarray, camera: Camera) -> Up | None:
    """Up from a coarse map: the normals of single pixels of a depth sensor or a network are mostly noise."""
    block = max(1, max(depth.shape) // _UP_SIDE)
    coarse, view = block_median(depth, block), camera.resized(depth.shape[1], depth.shape[0])
    covered = view.cropped(0, 0, min(coarse.shape[1] * block, view.width), min(coarse.shape[0] * block, view.height))
    return up_from_normals(normals_from_depth(coarse, covered))


def block_median(depth: np.ndarray, block: int) -> np.ndarray:
    """(H, W) to (H // block, W // block): the lower median of the finite values of each block, nan where there is none.

    A median belongs to one of two surfaces that meet in a block; a mean would lie between them.
    """
    rows, columns = (max(1, side // block) for side in depth.shape)
    block_rows, block_columns = min(block, depth.shape[0]), min(block, depth.shape[1])
    cut = depth[: rows * block_rows, : columns * block_columns]
    cells = cut.reshape(rows, block_rows, columns, block_columns).swapaxes(1, 2).reshape(rows, columns, -1)
    ordered = np.sort(np.where(np.isfinite(cells), cells, np.nan), axis=2)  # nan sorts last
    middle = np.maximum(np.isfinite(ordered).sum(axis=2) - 1, 0) // 2
    return np.take_along_axis(ordered, middle[..., None], axis=2)[..., 0]

"""Per-cell targets of one view, from a photo's geometry: numpy, no loop over cells, cheap enough for a data worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pseudogd.distill.kinds import CANONICAL_FOCAL, KINDS, kind_of

if TYPE_CHECKING:
    from pseudogd.geometry.camera import Camera
    from pseudogd.geometry.types import Geometry

Array = NDArray[np.float32]

SAMPLES = 8
"""Each cell is sampled at SAMPLES x SAMPLES points (normals at half as many a side), shared out over its parts."""
MIN_VALID = 0.5
"""A cell of which less than this share is known has no target."""
EDGE_SPREAD = 0.2
"""A cell's weight falls as exp(-spread / EDGE_SPREAD), spread = mean |log depth - median|: edges say little."""


@dataclass(frozen=True)
class ViewTargets:
    """What the head should say about each of the N = h*w row-major cells, or parts of cells, of one view.

    Attributes:
        grid: (h, w); with parts, those of the cells times `subcells`.
        log_depth: (N,) median of log z-depth (log metres; for affine_disparity the cell's depth rank in [0, 1], since
            only the order means anything). 0 where `weight` is 0.
        weight: (N,) in [0, 1].
        normals: (N, 3) MEAN of the unit normals in the cell: its length says how flat the cell is.
        normal_weight: (N,) in [0, 1].
        sky: (N,) share of sky among what is known of the cell.
        sky_weight: (N,) share of the cell that is known, 0 below one half.
        log_focal: log(f_view / F), nan if the focal length is unknown.
        kind: row of `distill.kinds.KINDS`.
        is_global: whether the view shows the whole photo.
    """

    grid: tuple[int, int]
    log_depth: Array
    weight: Array
    normals: Array
    normal_weight: Array
    sky: Array
    sky_weight: Array
    log_focal: float
    kind: str
    is_global: bool


def cell_targets(
    geometry: Geometry,
    boxes: NDArray[np.float64],
    grid: tuple[int, int],
    patch: float,
    is_global: bool,
    image_size: tuple[int, int] | None = None,
    subcells: int = 1,
) -> ViewTargets:
    """Targets of the cells whose footprints are `boxes`, or of the `subcells` x `subcells` parts of each.

    A thing that is smaller than a cell has no depth of its own in the cell's median, and the edges around it take the
    cell's weight away; in some of its parts it has both.

    Args:
        geometry: the photo's pseudo geometry; its maps may be smaller than the photo.
        boxes: (N, 4) x0, y0, x1, y1 in pixels of the original photo.
        grid: (h, w) with h*w = N.
        patch: side of a cell in pixels of the tower's input.
        is_global: whether the view shows the whole photo.
        image_size: (width, height) of the original photo; without it the camera's, and without that the depth map's.
        subcells: parts of a cell along each side.

    Returns:
        The targets; cells that are padded, unknown or mostly outside of the photo weigh 0.
    """
    if image_size is None:
        image_size = _photo_size(geometry)
    kind = kind_of(geometry)
    log_focal = log_view_focal(geometry.camera, boxes, patch)
    boxes, grid = split_cells(boxes, grid, subcells)
    samples = max(2, SAMPLES // subcells)
    pick, inside = _sample_points(boxes, geometry.depth.shape, image_size, samples)
    depth = geometry.depth.reshape(-1).take(pick)
    conf = None if geometry.confidence is None else geometry.confidence.reshape(-1).take(pick)
    ranked = kind == "affine_disparity"
    log_depth, weight, valid = _depth_cells(depth, conf, inside, ranked)
    normals, normal_weight = _normal_cells(geometry, boxes, image_size, samples // 2)
    is_sky = inside & np.isposinf(depth)
    known = (valid | is_sky).mean(axis=1)
    sky = is_sky.mean(axis=1) / np.maximum(known, 1e-6)
    return ViewTargets(
        grid=grid,
        log_depth=log_depth,
        weight=weight,
        normals=normals,
        normal_weight=normal_weight,
        sky=sky.astype(np.float32),
        sky_weight=np.where(known >= MIN_VALID, known, 0.0).astype(np.float32),
        log_focal=log_focal,
        kind=kind,
        is_global=is_global,
    )


def split_cells(
    boxes: NDArray[np.float64], grid: tuple[int, int], parts: int
) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Every box in `parts` x `parts` equal ones, row-major over the whole view: (N * parts^2, 4) and their grid."""
    if parts == 1:
        return boxes, grid
    rows, columns = grid
    corners = boxes.reshape(rows, 1, columns, 1, 4)
    low, step = corners[..., :2], (corners[..., 2:] - corners[..., :2]) / parts
    across, down = np.meshgrid(np.arange(parts), np.arange(parts))
    offset = np.stack([across, down], axis=-1)[None, :, None, :, :]  # (1, parts, 1, parts, 2)
    corner = low + step * offset
    fine = np.concatenate([corner, corner + step], axis=-1).reshape(-1, 4)
    return fine, (rows * parts, columns * parts)


def log_view_focal(camera: Camera | None, boxes: NDArray[np.float64], patch: float) -> float:
    """log(f_view / F), or nan without a camera.

    f_view = patch * sqrt(fx fy / (box_w box_h)) with fx, fy and the box in original pixels: the focal length in pixels
    of what the tower sees. Resizing, squashing, cropping and the zoom of a tile are all in the size of the box.
    """
    if camera is None:
        return float("nan")
    area = float(np.mean((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])))
    return float(np.log(patch / CANONICAL_FOCAL) + 0.5 * np.log(camera.fx * camera.fy / area))


def _photo_size(geometry: Geometry) -> tuple[int, int]:
    if geometry.camera is not None:
        return geometry.camera.width, geometry.camera.height
    return geometry.depth.shape[1], geometry.depth.shape[0]


def _sample_points(
    boxes: NDArray[np.float64], shape: tuple[int, ...], image_size: tuple[int, int], side: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Flat map index (N, K) of K = side^2 points in each box, and whether they lie inside of the photo."""
    height, width = shape[:2]
    t = (np.arange(side) + 0.5) / side
    to_map = (width / image_size[0], height / image_size[1])
    x = np.floor((boxes[:, 0, None] + (boxes[:, 2] - boxes[:, 0])[:, None] * t) * to_map[0]).astype(np.int64)
    y = np.floor((boxes[:, 1, None] + (boxes[:, 3] - boxes[:, 1])[:, None] * t) * to_map[1]).astype(np.int64)
    inside = ((y >= 0) & (y < height))[:, :, None] & ((x >= 0) & (x < width))[:, None, :]
    # clamped only so that the index exists: a negative one would wrap around to the other side of the photo
    pick = np.clip(y, 0, height - 1)[:, :, None] * width + np.clip(x, 0, width - 1)[:, None, :]
    return pick.reshape(len(boxes), -1), inside.reshape(len(boxes), -1)


def _depth_cells(
    depth: NDArray[np.floating], conf: NDArray[np.floating] | None, inside: NDArray[np.bool_], ranked: bool
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """(N,) median log depth (or rank), (N,) weight, (N, K) which samples are valid."""
    valid = inside & np.isfinite(depth) & (depth > 0)
    value = np.log(np.where(valid, depth, np.float32(np.inf)), dtype=np.float32)
    count = valid.sum(axis=1)
    keep = count >= MIN_VALID * depth.shape[1]
    median = _lower_median(value, count)
    if ranked:
        value, median = _ranks(value, median, keep)
    off = np.where(valid, np.abs(value - median[:, None]), 0.0)
    # the mean, not the median: the median deviation of a half-and-half cell is 0, as if there were no edge
    spread = off.sum(axis=1) / np.maximum(count, 1)
    trust = _mean_where(conf, valid, count)
    weight = trust * (count / depth.shape[1]) * np.exp(-spread / EDGE_SPREAD)
    return (
        np.where(keep, median, 0.0).astype(np.float32),
        np.where(keep, weight, 0.0).astype(np.float32),
        valid,
    )


def _lower_median(value: Array, count: NDArray[np.int64]) -> Array:
    """Median of each row's finite values (the lower of two middles: a depth that exists); 0 where there is none."""
    ordered = np.sort(value, axis=1)
    middle = np.maximum(count - 1, 0) // 2
    median = np.take_along_axis(ordered, middle[:, None], axis=1)[:, 0]
    return np.where(count > 0, median, np.float32(0.0))


def _ranks(value: Array, median: Array, keep: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Replace depths by their rank in [0, 1] among the kept cells' medians: the same for every monotone rescaling."""
    ordered = np.sort(median[keep])
    top = np.float32(max(len(ordered) - 1, 1))
    return (
        np.searchsorted(ordered, value).astype(np.float32) / top,
        np.searchsorted(ordered, median).astype(np.float32) / top,
    )


def _mean_where(conf: NDArray[np.floating] | None, valid: NDArray[np.bool_], count: NDArray[np.int64]) -> Array:
    """Mean confidence of the valid samples of each row; 1 where no confidence is known."""
    if conf is None:
        return np.ones(len(valid), np.float32)
    total = np.where(valid, np.nan_to_num(conf), 0.0).sum(axis=1)
    return (total / np.maximum(count, 1)).astype(np.float32)


def _normal_cells(
    geometry: Geometry, boxes: NDArray[np.float64], image_size: tuple[int, int], samples: int
) -> tuple[Array, Array]:
    """(N, 3) mean of the unit normals and (N,) weight. A mean needs fewer samples than a median: a quarter of them."""
    if geometry.normals is None or "normal" not in KINDS[kind_of(geometry)]:
        return np.zeros((len(boxes), 3), np.float32), np.zeros(len(boxes), np.float32)
    pick, inside = _sample_points(boxes, geometry.depth.shape, image_size, samples)
    picked = geometry.normals.reshape(-1, 3).take(pick, axis=0)
    valid = inside & np.isfinite(picked[..., 2])
    count = valid.sum(axis=1)
    mean = np.where(valid[..., None], picked, np.float32(0)).sum(axis=1) / np.maximum(count, 1)[:, None]
    keep = count >= MIN_VALID * pick.shape[1]
    conf = None if geometry.confidence is None else geometry.confidence.reshape(-1).take(pick)
    weight = np.where(keep, _mean_where(conf, valid, count) * count / pick.shape[1], 0.0)
    return np.where(keep[:, None], mean, 0.0).astype(np.float32), weight.astype(np.float32)

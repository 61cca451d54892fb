"""What a foreign network or function says, checked and brought to our conventions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pseudogd.errors import InputError
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo
from pseudogd.teachers.units import Output, Unit, to_depth

_ASPECT_TOLERANCE = 0.05
"""Maps come in whole patches: 14 pixels more or less of a few hundred."""


def geometry_of(
    raw: Any,
    unit: Unit,
    camera: Camera | None,
    size: tuple[int, int],
    info: TeacherInfo,
    *,
    shown: str,
    stretched: bool = False,
    normals: Any = None,
    confidence: Any = None,
) -> Geometry:
    """Geometry of a photo of `size` (width, height) from a raw map (H, W) in `unit`, or InputError that says why not.

    inf is sky where the map is depth; nan and what is no depth is unknown. A map larger than the photo is sampled down;
    a `stretched` one gets the photo's shape. Normals (H, W, 3) are turned to face the camera and left out without one.
    `shown` names the teacher in errors.
    """
    raw = _map(raw, shown, "depth", 2)
    seen = (raw.shape[1], raw.shape[0])
    rows, columns = _places(raw.shape, size, shown, stretched)
    raw = raw[rows][:, columns]
    sky = np.isposinf(raw) & (unit.output not in (Output.INVERSE_DEPTH, Output.CANONICAL_INVERSE_DEPTH))
    depth, scale = to_depth(raw, unit, focal_of(unit, camera, seen, raw.shape[1]))
    depth[sky] = np.inf
    extra: dict[str, Any] = {}
    if confidence is not None:
        extra["confidence"] = _sampled(confidence, seen, rows, columns, shown, "confidence")
    if normals is not None:
        kept = _sampled(normals, seen, rows, columns, shown, "normals")
        extra["normals"] = None if camera is None else facing(kept, camera)
    try:
        return Geometry(depth, camera, scale=scale, teacher=info, **extra)
    except ValueError as error:
        raise InputError(f"{shown}: {error}") from error


def focal_of(unit: Unit, camera: Camera | None, seen: tuple[int, int], width: int) -> float | None:
    """The focal length that `to_depth` wants of a map of `width` columns; None when the camera is unknown.

    Canonical depth goes by the focal length in pixels of the picture as `seen` (width, height) by the network,
    canonical inverse depth by the horizontal one in pixels of the map.
    """
    if camera is None:
        return None
    if unit.output is Output.CANONICAL_INVERSE_DEPTH:
        return camera.fx * width / camera.width
    resized = camera.resized(*seen)
    return float(np.sqrt(resized.fx * resized.fy))


def best_scale(unit: Unit) -> Scale:
    """The best kind of depth that a teacher with this unit gives."""
    kinds = {Output.INVERSE_DEPTH: Scale.AFFINE_DISPARITY, Output.SCALE_FREE_DEPTH: Scale.UP_TO_SCALE}
    return kinds.get(unit.output, Scale.METRIC)


def facing(normals: np.ndarray, camera: Camera) -> np.ndarray:
    """Unit normals (H, W, 3) turned towards the camera, whichever way they pointed; nan where they have no length."""
    normals = np.asarray(normals, np.float32)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = np.where(length > 1e-3, normals / length, np.nan)
        away = np.einsum("hwc,hwc->hw", unit, camera.rays(*normals.shape[:2]).astype(np.float32)) > 0
    return np.where(away[..., None], -unit, unit).astype(np.float32)


def camera_of_matrix(matrix: Any, size: tuple[int, int], shown: str) -> Camera | None:
    """A `Camera`, its plain values, or a 3 x 3 matrix in pixels of the photo; None stays None. InputError else."""
    if matrix is None or isinstance(matrix, Camera):
        return matrix
    try:
        if isinstance(matrix, Mapping):
            return Camera.from_dict({"width": size[0], "height": size[1], **matrix})
        values = _numpy(matrix).astype(np.float64)
        if values.shape != (3, 3):
            raise ValueError(f"must be 3 x 3, not {' x '.join(map(str, values.shape)) or 'a number'}")
        if not np.isfinite(values).all():
            return None
        fx, fy, cx, cy = (float(values[place]) for place in ((0, 0), (1, 1), (0, 2), (1, 2)))
        return Camera(fx, fy, cx, cy, *size)
    except (TypeError, ValueError) as error:
        raise InputError(f"{shown}: intrinsics {error}; give pixels of the photo as it was handed in") from error


def _map(values: Any, shown: str, what: str, dimensions: int) -> np.ndarray:
    try:
        found = _numpy(values).astype(np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"{shown}: its {what} is no array of numbers ({error})") from error
    while found.ndim > dimensions and found.shape[0] == 1:
        found = found[0]
    if found.ndim != dimensions or found.size == 0:
        wanted = "(H, W)" if dimensions == 2 else "(H, W, 3)"
        raise InputError(f"{shown}: its {what} must be {wanted}, not {found.shape}")
    return found


def _numpy(values: Any) -> np.ndarray:
    """An array of whatever it is, a tensor on a GPU included."""
    if hasattr(values, "detach"):
        values = values.detach().float().cpu()
    return np.asarray(values)


def _sampled(
    values: Any, seen: tuple[int, int], rows: np.ndarray, columns: np.ndarray, shown: str, what: str
) -> np.ndarray:
    found = _map(values, shown, what, 3 if what == "normals" else 2)
    if found.shape[:2] != seen[::-1]:
        raise InputError(f"{shown}: its {what} is {found.shape[1]} x {found.shape[0]}, its depth {seen[0]} x {seen[1]}")
    return found[rows][:, columns]


def _places(
    shape: tuple[int, ...], size: tuple[int, int], shown: str, stretched: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the map to keep: nearest samples, as a mean across an edge is a depth where nothing is."""
    (height, width), (columns, rows) = shape, size
    # whole patches may be off by one on either side, which on a tiny map is a large share
    slack = _ASPECT_TOLERANCE + 1 / min(height, width)
    if not stretched and abs(width * rows / (height * columns) - 1) > slack:
        raise InputError(f"{shown}: its map is {width} x {height}, the photo {columns} x {rows}: another aspect ratio")
    if stretched:
        shrink = min(max(width, height) / max(size), 1.0)
        columns, rows = max(round(columns * shrink), 1), max(round(rows * shrink), 1)
    counts = (min(height, rows), min(width, columns))
    row, column = (((np.arange(n) + 0.5) * have / n).astype(int) for n, have in zip(counts, (height, width)))
    return row, column

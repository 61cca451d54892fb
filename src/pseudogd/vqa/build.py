"""From a geometry and object rows to a measured `Scene`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pseudogd.errors import InputError
from pseudogd.geometry.gravity import Plane
from pseudogd.geometry.types import Geometry
from pseudogd.vqa.measure import Mask, Measure
from pseudogd.vqa.outlines import Hiding, foot_share
from pseudogd.vqa.scene import (
    NOT_BELIEVED,
    Scene,
    SceneObject,
    SceneSettings,
    kept_pixels,
)

FLOOR_SLACK = 0.04


def build_scene(
    geometry: Geometry,
    objects: Sequence[Mapping[str, Any]],
    *,
    image_id: str = "",
    size: tuple[int, int] | None = None,
    settings: SceneSettings | None = None,
) -> Scene:
    """Measure the objects of one photo.

    ``objects``: rows as `objects.rows.ObjectRow`; ``size``: width, height of the photo in pixels, needed if it is in
    neither the camera nor any mask (default: the depth map's). Objects without enough known depth, and those whose
    depth puts them below the floor, are skipped with a reason. Raises `InputError` if a mask or the camera is of
    another size than the photo.
    """
    settings = settings or SceneSettings()
    width, height = _photo_size(geometry, objects, size)
    depth, rows, columns = _thinned_depth(geometry.depth, settings.max_side)
    measure = Measure(geometry, settings, depth, rows, columns, (width, height))
    found: list[tuple[Mapping[str, Any], Mask, bool]] = []
    skipped: list[tuple[str, str]] = []
    for row in objects:
        mask = measure.mask(row)
        if int((mask & measure.known).sum()) < settings.min_pixels:
            skipped.append((str(row["object_id"]), "too few pixels with known depth"))
        else:
            found.append((row, mask, row.get("rle") is None))
    labels = np.full(depth.shape, -1, np.int16)
    # Small objects are drawn last: a cup on a table is a cup.
    for index in sorted(range(len(found)), key=lambda i: -int(found[i][1].sum())):
        labels[found[index][1]] = index
    ground, unit = measure.ground(labels)
    measure.hiding = Hiding(depth, _floor(measure, ground, unit, labels))
    feet = [foot_share(mask, labels, index) for index, (_, mask, _) in enumerate(found)]
    measured = [
        measure.object(row, mask, bare, ground, unit, foot) for (row, mask, bare), foot in zip(found, feet, strict=True)
    ]
    things, labels = _believed(measured, labels, settings.sunk * unit)
    kept = {thing.object_id for thing in things}
    skipped += [(t.object_id, "its depth puts it below the floor") for t in measured if t.object_id not in kept]
    return Scene(
        image_id=image_id,
        geometry=geometry,
        settings=settings,
        objects=things,
        depth=depth,
        labels=labels,
        rotation=measure.rotation,
        ground=ground,
        unit=unit,
        points=measure.points,
        floor=measure.hiding.floor,
        skipped=tuple(skipped),
    )


def _believed(
    measured: Sequence[SceneObject], labels: NDArray[np.int16], sunk: float
) -> tuple[tuple[SceneObject, ...], NDArray[np.int16]]:
    """The things that do not reach farther than ``sunk`` below the floor, and labels that count those alone."""
    above = np.array([thing.ground_gap is None or thing.ground_gap >= -sunk for thing in measured], bool)
    places = np.append(np.where(above, np.cumsum(above) - 1, NOT_BELIEVED), -1)  # the last is that of label -1
    return tuple(thing for thing, keep in zip(measured, above) if keep), places.astype(np.int16)[labels]


def _photo_size(
    geometry: Geometry, objects: Sequence[Mapping[str, Any]], size: tuple[int, int] | None
) -> tuple[int, int]:
    said = [("photo", size)] if size else []
    if geometry.camera is not None:
        said.append(("camera", (geometry.camera.width, geometry.camera.height)))
    for row in objects:
        if row.get("rle") is not None:
            h, w = row["rle"]["size"]
            said.append((f"mask of {row['name']}", (int(w), int(h))))
    if not said:
        return geometry.depth.shape[1], geometry.depth.shape[0]
    (first, wanted), *others = said
    for what, other in others:
        if other != wanted:
            raise InputError(f"{what} is {other[0]} x {other[1]}, {first} is {wanted[0]} x {wanted[1]}")
    assert wanted is not None
    return wanted


def _thinned_depth(depth: NDArray[np.float32], side: int) -> tuple[NDArray[np.float32], Any, Any]:
    """Depth at no more than ``side`` pixels a side, and the rows and columns that were kept."""
    rows, columns = (kept_pixels(n, side) for n in depth.shape)
    return depth[np.ix_(rows, columns)], rows, columns


def _floor(measure: Measure, ground: Plane | None, unit: float, labels: NDArray[np.int16]) -> Mask:
    """(H, W) bool: pixels that lie on the ground plane and on no object."""
    if ground is None or measure.points is None:
        return np.zeros(labels.shape, bool)
    away = measure.points @ ground.normal.astype(np.float32) + np.float32(ground.offset)
    with np.errstate(invalid="ignore"):
        level = np.abs(away) < np.maximum(np.float32(FLOOR_SLACK * unit), 0.02 * measure.depth)
    return level & (labels < 0)

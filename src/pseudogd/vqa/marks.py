"""Marked points of a picture: a coarse grid in percent, each with the surface that is seen there."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pseudogd.vqa.scene import NOT_BELIEVED, Array, Scene

STEP = 5
AROUND = 0.01
KNOWN = 0.7


@dataclass(frozen=True, eq=False)
class Marks:
    """M usable points. ``percent`` (M, 2): x, y; ``pixel`` (M, 2): row, column of the scene's depth map; ``z`` (M,);
    ``points`` (M, 3) in the scene's frame or None without a camera; ``label`` (M,): object there or -1; ``floor`` (M,).
    """

    percent: NDArray[np.int64]
    pixel: NDArray[np.int64]
    z: Array
    points: Array | None
    label: NDArray[np.int16]
    floor: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.z)


_BUILT: WeakKeyDictionary[Scene, dict[int, Marks]] = WeakKeyDictionary()
"""Several tasks mark points of one scene."""


def build_marks(scene: Scene, step: int = STEP) -> Marks:
    """Grid points every ``step`` percent, border left out, where depth is known and even all around.

    Around is within `AROUND` of the picture's width, and a pixel at least: who looks at the point does not look closer.
    Of that `KNOWN` must have depth. A point at which the object (or the floor) changes there is left out too: it would
    be a matter of taste what lies there. So is a point on a thing whose depth is not believed.
    """
    built = _BUILT.setdefault(scene, {})
    if step not in built:
        built[step] = _built(scene, step)
    return built[step]


def _built(scene: Scene, step: int) -> Marks:
    height, width = scene.depth.shape
    across = np.arange(step, 100, step)
    x, y = (grid.ravel() for grid in np.meshgrid(across, across))
    reach = max(1, round(AROUND * width))
    column = np.clip((x * width) // 100, reach, max(width - 1 - reach, reach))
    row = np.clip((y * height) // 100, reach, max(height - 1 - reach, reach))
    if min(height, width) < 2 * reach + 1:
        row, column, x, y = row[:0], column[:0], x[:0], y[:0]
    down, across = (n.reshape(-1, 1) for n in np.mgrid[-reach : reach + 1, -reach : reach + 1])
    around = scene.depth[row + down, column + across]
    labels, floor = scene.labels[row + down, column + across], scene.floor[row + down, column + across]
    known = np.isfinite(around)
    nearest, farthest = (np.where(known, around, end) for end in (np.float32(np.inf), np.float32(0)))
    even = known[len(known) // 2] & (known.mean(axis=0) >= KNOWN) & (farthest.max(axis=0) <= 1.15 * nearest.min(axis=0))
    floor |= ~known & floor[len(floor) // 2]  # what has no depth is not known to be on the floor
    even &= labels.min(axis=0) > NOT_BELIEVED
    keep = even & (labels.max(axis=0) == labels.min(axis=0)) & (floor.all(axis=0) | ~floor.any(axis=0))
    row, column = row[keep], column[keep]
    return Marks(
        percent=np.stack([x[keep], y[keep]], axis=1).astype(np.int64),
        pixel=np.stack([row, column], axis=1).astype(np.int64),
        z=scene.depth[row, column].astype(np.float64),
        points=None if scene.points is None else scene.points[row, column].astype(np.float64),
        label=scene.labels[row, column],
        floor=scene.floor[row, column],
    )


def look_at(scene: Scene, percent: ArrayLike) -> Marks:
    """What is seen at the given places (x, y in percent of the picture), whatever it is; z is nan where unknown."""
    places = np.asarray(percent, dtype=np.int64).reshape(-1, 2)
    memo, key = scene.measured.memo, ("look", places.tobytes())
    if key not in memo:
        memo[key] = _looked_at(scene.measured, places)
    seen: Marks = memo[key]
    if scene is scene.measured:
        return seen
    return Marks(seen.percent, seen.pixel, *scene.moved(seen.z, seen.points, seen.label), seen.label, seen.floor)


def _looked_at(scene: Scene, places: NDArray[np.int64]) -> Marks:
    height, width = scene.depth.shape
    column = np.clip(places[:, 0] * width // 100, 0, width - 1)
    row = np.clip(places[:, 1] * height // 100, 0, height - 1)
    z, points = scene.at(row, column)
    return Marks(
        percent=places,
        pixel=np.stack([row, column], axis=1).astype(np.int64),
        z=z,
        points=points,
        label=scene.labels[row, column],
        floor=scene.floor[row, column] if scene.floor.size else np.zeros(len(places), bool),
    )

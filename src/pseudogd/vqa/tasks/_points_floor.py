"""Places on the floor that marked points are asked about: between two things, and before a thing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pseudogd.vqa.marks import Marks
from pseudogd.vqa.scene import Array, Scene, SceneObject

NEAR_FLOOR = 0.4


def near_floor(scene: Scene, index: int) -> bool:
    """Whether the floor beside a thing is where one would look for it: not for a bottle on a desk."""
    obj = scene.objects[index]
    return not obj.boxes_only and obj.ground_gap is not None and obj.ground_gap < NEAR_FLOOR * scene.unit


def along_and_aside(points: Array, start: Array, end: Array) -> tuple[Array, Array, float]:
    """How far points (M, 3) are along the level line from ``start`` (3,) to ``end``, and how far beside it.

    Returns (along (M,): 0 at the start, 1 at the end; aside (M,) in the scene's unit; length of the line).
    """
    line, offset = (end - start)[::2], points[:, ::2] - start[::2]
    length = max(float(np.linalg.norm(line)), 1e-9)
    return offset @ line / length**2, np.abs(offset[:, 0] * line[1] - offset[:, 1] * line[0]) / length, length


def before(thing: SceneObject, reach: float) -> tuple[Array, float]:
    """(place (2,): x, z; distance of the near face) of what is ``reach`` before a thing, toward the camera."""
    assert thing.centre is not None and thing.points is not None
    centre = thing.centre[::2]
    sight = centre / max(float(np.linalg.norm(centre)), 1e-9)
    along = np.sort(thing.points[:, ::2] @ sight)
    face = float(along[round(0.05 * (len(along) - 1))])
    return sight * (face - reach), face


def risen(scene: Scene, marks: Marks) -> NDArray[np.int64]:
    """Which marked points are surely above the floor; none where it is not known."""
    if scene.ground is None or marks.points is None:
        return np.arange(0)
    return np.flatnonzero(scene.ground.height(marks.points) > 0.2 * scene.unit)


def low(scene: Scene, seen: Marks) -> Any:
    """Points nearer to the floor than to what stands on it, and on no thing."""
    assert scene.ground is not None and seen.points is not None
    return (np.abs(scene.ground.height(seen.points)) < 0.15 * scene.unit) & (seen.label < 0)

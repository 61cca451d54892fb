"""Where a thing is in the picture after the camera has turned on the spot, or moved without turning.

Motion is in the gravity frame: the camera turns about the vertical, and moves level with the ground; forward is its own
heading on the ground. What an error of depth does to the place is found by moving the thing that far along its ray.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pseudogd.vqa.scene import Q02, Q50, Q98, Scene
from pseudogd.vqa.tasks import _stand

BEHIND = 0.05
"""Share of the depth from which a thing is as good as behind the camera."""
WAYS = {"left": -1.0, "right": 1.0, "forward": 0.0}


@dataclass(frozen=True)
class Motion:
    """``kind``: "turned" by ``by`` degrees or "moved" by ``by`` units of length; ``way``: left, right or forward."""

    kind: str
    way: str
    by: float


class Seen(NamedTuple):
    """Place of a middle as share of the picture (columns from the left, rows from the top), depth and distance."""

    u: float
    v: float
    z: float
    distance: float

    @property
    def ahead(self) -> bool:
        """Whether it is in front of the camera at all."""
        return self.z > BEHIND * self.distance


def seen_after(scene: Scene, index: int, motion: Motion | None, factor: float = 1.0) -> Seen:
    """Where object ``index`` is then, ``factor`` times as far away as measured; now if there is no motion."""
    x, y, z = scene.centre_list[index]
    x, y, z = x * factor, y * factor, z * factor
    if motion is not None:
        x, z = _moved(scene, x, z, motion)
    return picture_place(scene, x, y, z)


def picture_place(scene: Scene, x: float, y: float, z: float) -> Seen:
    """Where a place (x, y, z), in the scene's frame from where the camera is, stands in its picture."""
    camera = scene.geometry.camera
    assert camera is not None and scene.rotation is not None
    if "rotation" not in scene.measured.memo:
        scene.measured.memo["rotation"] = scene.rotation.tolist()
    (a, b, c), (d, e, f), (g, h, i) = scene.measured.memo["rotation"]
    right, down, ahead = x * a + y * d + z * g, x * b + y * e + z * h, x * c + y * f + z * i
    depth = ahead if abs(ahead) > 1e-9 else 1e-9
    u = (camera.fx * right / depth + camera.cx + 0.5) / camera.width
    v = (camera.fy * down / depth + camera.cy + 0.5) / camera.height
    return Seen(u, v, ahead, math.sqrt(right**2 + down**2 + ahead**2))


def _moved(scene: Scene, x: float, z: float, motion: Motion) -> tuple[float, float]:
    if motion.kind == "turned":
        c, s = math.cos(math.radians(motion.by)), WAYS[motion.way] * math.sin(math.radians(motion.by))
        return x * c - z * s, x * s + z * c
    heading = _stand.heading(scene)
    if motion.way == "forward":
        return x - motion.by * math.sin(heading), z - motion.by * math.cos(heading)
    step = WAYS[motion.way] * motion.by
    return x - step * math.cos(heading), z + step * math.sin(heading)


def error_of(scene: Scene, index: int, motion: Motion, what: str) -> float:
    """Standard error of ``u``, ``v`` or of the change of ``distance``, from that of the thing's depth."""
    ends = [getattr(seen, what) for seen in _ends(scene, index, motion)]
    if what == "distance":
        ends = [end - seen.distance for end, seen in zip(ends, _ends(scene, index, None, motion))]
    return float(abs(ends[1] - ends[0]) / 2)


def errors_in_picture(scene: Scene, index: int, motion: Motion) -> tuple[float, float]:
    """`error_of` both ``u`` and ``v``."""
    near, far = _ends(scene, index, motion)
    return abs(far.u - near.u) / 2, abs(far.v - near.v) / 2


def _ends(scene: Scene, index: int, motion: Motion | None, about: Motion | None = None) -> tuple[Seen, Seen]:
    """The thing one standard error of its depth nearer, and farther, by what counts as error for ``about``."""
    sigma, asked = scene.objects[index].sigma, about or motion
    if asked is not None and asked.kind == "moved":  # metres: the scale of all depths counts as well
        sigma = scene.length_error(1.0, sigma)
    return seen_after(scene, index, motion, 1 - sigma), seen_after(scene, index, motion, 1 + sigma)


def half_size(scene: Scene, index: int, factor: float = 1.0) -> tuple[float, float]:
    """Half the width and height of what is seen of a thing, as shares of the picture, ``factor`` times as large."""
    thing = scene.objects[index]
    return factor * float(thing.u[Q98] - thing.u[Q02]) / 2, factor * float(thing.v[Q98] - thing.v[Q02]) / 2


def side_now(scene: Scene, index: int) -> str:
    """left or right of the picture's middle."""
    return "right" if float(scene.objects[index].u[Q50]) > 0.5 else "left"


def where(then: Sequence[float] | None) -> str:
    """A place in the picture or out of it, in words; None is behind the camera."""
    if then is None:
        return "behind the camera"
    u, v = then
    beyond = {"left": -u, "right": u - 1, "upper": -v, "lower": v - 1}
    border = max(beyond, key=lambda name: beyond[name])
    if beyond[border] > 0:
        return f"beyond the {border} border"
    return f"{round(100 * u)} percent from the left border and {round(100 * v)} percent from the upper one"

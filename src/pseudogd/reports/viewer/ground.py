"""A photo's space seen from above, as numbers that the page draws: what stands where, and what the camera sees of it.

All places are in the coordinates of `drawings.Plan`: a square of `drawings.PLAN` units, camera at the lower end.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pseudogd.reports.drawings import PLAN, Plan
from pseudogd.vqa.scene import CannotAnswer, Scene, SceneObject

DOTS = 900


def plan_of(scene: Scene) -> Plan | None:
    """The plan of a scene, or None where it has no camera or no depth to place anything by."""
    if not scene.has_camera or scene.points is None or not np.isfinite(scene.points).any():
        return None
    return Plan(scene)


def plan_data(plan: Plan) -> dict[str, Any]:
    """``eye``, ``view`` (ends of the outer rays), ``dots`` (flat x, y by object, the last entry is the rest), ``boxes``
    (footprint of each object or None), ``centres``, and the ``bar`` of the scale.
    """
    scene = plan.scene
    return {
        "eye": _pair(plan.place([0.0, 0.0])),
        "view": _view(plan),
        "dots": _dots(plan),
        "boxes": [footprint(plan, thing) for thing in scene.objects],
        "centres": [None if thing.centre is None else _pair(plan.place(thing.centre)) for thing in scene.objects],
        "bar": _bar(plan),
    }


def footprint(plan: Plan, thing: SceneObject) -> list[list[float]] | None:
    """The four corners of a thing's yaw-fitted box on the ground; None without gravity."""
    try:
        corners = thing.box.corners
    except (CannotAnswer, ValueError):
        return None
    return [_pair(plan.place(corners[k])) for k in (0, 1, 5, 4)]


def _view(plan: Plan) -> list[list[float]]:
    """Where the rays through the middle of the picture's left and right edges leave the plan."""
    scene = plan.scene
    camera = scene.geometry.camera
    assert camera is not None
    middle = (camera.height / 2 - 0.5 - camera.cy) / camera.fy
    slopes = (np.array([-0.5, camera.width - 0.5]) - camera.cx) / camera.fx
    rays = np.array([[slope, middle, 1.0] for slope in slopes])
    if scene.rotation is not None:
        rays = rays @ scene.rotation.T
    flat = rays[:, ::2] / np.maximum(np.linalg.norm(rays[:, ::2], axis=1, keepdims=True), 1e-9)
    return [_pair(plan.place([0.0, 0.0]) + 2 * PLAN * ray * np.array([1.0, -1.0])) for ray in flat]


def _dots(plan: Plan) -> list[list[int]]:
    """What was seen, thinned: for every object, and last for the rest, the dots that lie inside the plan."""
    scene = plan.scene
    assert scene.points is not None
    height, width = scene.depth.shape
    step = max(1, int(math.sqrt(height * width / DOTS)))
    flat = scene.points[step // 2 :: step, step // 2 :: step, ::2]
    labels = scene.labels[step // 2 :: step, step // 2 :: step]
    known = np.isfinite(flat).all(axis=-1)
    found = []
    for label in (*range(len(scene)), -1):
        here = known & ((labels < 0) if label < 0 else (labels == label))
        dots = plan.place(flat[here].astype(np.float64))
        inside = dots[((dots > 0) & (dots < PLAN)).all(axis=1)]
        found.append(np.rint(inside).astype(int).ravel().tolist())
    return found


def _bar(plan: Plan) -> dict[str, Any]:
    """A bar of a round length; in metres only if the depth is."""
    most = 0.4 * PLAN / plan.unit
    length = 10.0 ** math.floor(math.log10(most))
    length *= max(factor for factor in (1, 2, 5) if factor * length <= most)
    unit = " m" if plan.scene.supports("metric") else " (relative)"
    return {"length": round(length * plan.unit, 2), "text": f"{length:g}{unit}"}


def _pair(place: Any) -> list[float]:
    return [round(float(place[0]), 1), round(float(place[1]), 1)]

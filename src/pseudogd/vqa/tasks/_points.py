"""Facts about marked points; see `localization` for their definitions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins, about, pairs
from pseudogd.vqa.marks import Marks
from pseudogd.vqa.phrasing import metres
from pseudogd.vqa.scene import Scene, SceneObject
from pseudogd.vqa.surface import nearest
from pseudogd.vqa.tasks._marked import CHOICES, points_of, texts_of
from pseudogd.vqa.tasks._points_draw import flat_of, flat_rule, lowest_of_four, picture_distance, right_and_wrong
from pseudogd.vqa.tasks._points_floor import along_and_aside, before, near_floor, risen

REACH = (0.5, 1.0, 1.5)


def nearest_facts(scene: Scene, marks: Marks, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Which of four points is nearest to a thing in space (never a point on that thing)."""
    if not scene.supports("ratio") or marks.points is None:
        return
    for index in rng.permutation(len(scene)):
        anchor = scene.objects[index]
        usable = np.flatnonzero(marks.label != index)
        if len(usable) < CHOICES or anchor.boxes_only:
            continue
        assert anchor.surface is not None
        away = nearest(marks.points[usable], anchor.surface)
        in_picture = picture_distance(scene, marks.percent[usable], anchor)
        # Both ends of every line carry a depth error; the nearer end's share is bounded by the longer ray.
        error = scene.settings.depth_sigma * marks.z[usable]
        least = np.maximum(margins.closest_gap * scene.unit, margins.sigmas * error)
        flat = flat_of(scene, marks.percent[usable], anchor) if margins.fair else None
        chosen = lowest_of_four(away, least, in_picture, marks.percent[usable], rng, flat)
        if chosen is None:
            continue
        picks, lead, shortcut = chosen
        yield _fact(
            scene,
            "point_nearest",
            "ratio",
            [(anchor, "anchor")],
            {"a": anchor.name},
            marks,
            usable[picks],
            float(away[picks[0]]),
            lead,
            "distance from the surface at the point to the closest visible part",
            {
                "distances": rounded(away[picks], 3),
                "shortcut": {"rule": "nearest in the picture", "right": shortcut},
            },
        )


def camera_facts(scene: Scene, marks: Marks, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Which of four points is closest to (farthest from) the camera. Depth order alone is enough."""
    if len(marks) < CHOICES:
        return
    if scene.geometry.scale.value != "affine_disparity":
        score, least = np.log(marks.z), max(math.log(1.2), margins.sigmas * 1.5 * scene.settings.depth_sigma)
    else:
        score, least = np.argsort(np.argsort(marks.z)) / len(marks), 2 * margins.rank_gap
    flat = flat_of(scene, marks.percent) if margins.fair else None
    for _ in range(CHOICES):
        near = bool(rng.integers(2))
        sign = 1.0 if near else -1.0
        lower = -marks.percent[:, 1].astype(float) * sign
        chosen = lowest_of_four(sign * score, np.full(len(marks), least), lower, marks.percent, rng, flat)
        if chosen is None:
            continue
        picks, lead, shortcut = chosen
        yield _fact(
            scene,
            "point_near_camera" if near else "point_far_camera",
            "ordinal",
            [],
            {},
            marks,
            picks,
            float(marks.z[picks[0]]),
            lead,
            "order of z-depth at the points",
            {
                "z": rounded(marks.z[picks], 3),
                "shortcut": {"rule": "lower in the picture is nearer", "right": shortcut},
            },
        )


def between_facts(scene: Scene, marks: Marks, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Which of four points is on the floor between two things; wrong ones are beside, beyond, or not on the floor."""
    if not (scene.supports("ratio") and scene.has_gravity) or marks.points is None or not marks.floor.any():
        return
    couples, above = pairs(len(scene)), risen(scene, marks)
    low = [near_floor(scene, k) for k in range(len(scene))]
    error = 2 * scene.settings.depth_sigma * marks.z
    height = scene.ground.height(marks.points) if scene.ground is not None else np.zeros(len(marks))
    for k in rng.permutation(len(couples)):
        i, j = couples[k]
        if not (low[i] and low[j]):
            continue
        along, aside, length = along_and_aside(marks.points, scene.centres[i], scene.centres[j])
        if length < 1.2 * scene.unit:
            continue
        inside = (along > 0.25) & (along < 0.75) & (aside < 0.15 * length)
        right = np.flatnonzero(marks.floor & inside)
        if not len(right):
            continue
        beside = (along < -0.1) | (along > 1.1) | (aside > 0.45 * length + error)
        a, b = scene.objects[i], scene.objects[j]
        flat = flat_of(scene, marks.percent, a, b) if margins.fair else None
        picks = right_and_wrong(right, np.flatnonzero(beside & marks.floor), above, marks, rng, flat)
        if picks is None:
            continue
        margin = float(min(0.5 - abs(along[picks[0]] - 0.5), 0.3 - aside[picks[0]] / length))
        yield _fact(
            scene,
            "point_between",
            "ratio",
            [(a, "end"), (b, "end")],
            {"a": a.name, "b": b.name},
            marks,
            picks,
            float(along[picks[0]]),
            margin,
            "on the ground plane, 0.25-0.75 along and within 0.15 beside the line between centres",
            {
                "along": rounded(along[picks], 3),
                "aside": rounded(aside[picks], 3),
                "height": rounded(height[picks], 3),
                **flat_rule("nearest to their middle in the picture", flat, picks),
            },
        )


def front_facts(scene: Scene, marks: Marks, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Which of four points is on the floor so many metres from a thing toward the camera."""
    if not (scene.supports("metric") and scene.has_gravity) or marks.points is None or not marks.floor.any():
        return
    floor, above = np.flatnonzero(marks.floor), risen(scene, marks)
    places = np.ascontiguousarray(marks.points[:, ::2])
    for index in rng.permutation(len(scene)):
        thing = scene.objects[index]
        if thing.points is None or thing.truncated or not near_floor(scene, int(index)):
            continue
        far = float(np.linalg.norm(scene.centres[index, ::2]))
        reach = float(rng.choice(REACH))
        target, face = before(thing, reach)
        step = places - target
        away = np.sqrt(step[:, 0] ** 2 + step[:, 1] ** 2)
        right = floor[away[floor] < 0.15]
        wrong = floor[away[floor] > max(0.6, 2 * thing.sigma * far + 0.3)]
        if not (len(right) and len(wrong)):
            continue
        flat = flat_of(scene, marks.percent, thing) if margins.fair else None
        picks = right_and_wrong(right, wrong, above, marks, rng, flat)
        if face <= reach + 0.3 or picks is None or 2 * thing.sigma * far > 0.4:
            continue
        yield _fact(
            scene,
            "point_front",
            "metric",
            [(thing, "anchor")],
            {"a": thing.name, "d": metres(reach)},
            marks,
            picks,
            reach,
            float(np.sort(away[picks])[1] - away[picks[0]]),
            "on the ground plane at (near face - d) along the level line of sight",
            {
                "target": rounded(target, 3),
                "away": rounded(away[picks], 3),
                **flat_rule("nearest in the picture", flat, picks),
            },
        )


def _fact(
    scene: Scene,
    form: str,
    kind: str,
    things: Sequence[tuple[SceneObject, str]],
    slots: dict[str, str],
    marks: Marks,
    picks: Any,
    value: float,
    margin: float,
    formula: str,
    extra: dict[str, Any],
) -> Fact:
    texts = texts_of(marks, picks)
    evidence: dict[str, Any] = {
        "objects": [about(thing, role) for thing, role in things],
        "points": points_of(scene, marks, picks),
        **extra,
    }
    ratio = form == "point_between"
    return Fact(
        task="localization",
        form=f"localization.{form}",
        kind=kind,
        frame="gravity" if form in ("point_between", "point_front") else "camera",
        operands=tuple(thing.object_id for thing, _ in things),
        style="point",
        answer=texts[0],
        wrong=tuple(texts[1:]),
        value=value,
        unit="ratio" if ratio else "m" if scene.geometry.scale.value == "metric" else "depth",
        margin=margin,
        formula=formula,
        slots=slots,
        evidence=evidence,
    )

"""Questions about marked points; see `localization` for their definitions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins, about, in_turns, pairs
from pseudogd.vqa.marks import Marks, look_at
from pseudogd.vqa.phrasing import metres, point
from pseudogd.vqa.scene import Q50, Array, Scene, SceneObject
from pseudogd.vqa.tasks import _fair_points

CHOICES = 4
DRAWS = 48
APART = 12.0
REACH = (0.5, 1.0, 1.5)
NEAR_FLOOR = 0.4


def nearest_facts(scene: Scene, marks: Marks, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Which of four points is nearest to a thing in space (never a point on that thing)."""
    if not scene.supports("ratio") or marks.points is None:
        return
    for index in rng.permutation(len(scene)):
        anchor = scene.objects[index]
        assert anchor.skin is not None
        usable = np.flatnonzero(marks.label != index)
        if len(usable) < CHOICES or anchor.boxes_only:
            continue
        away = _nearest(marks.points[usable], anchor.skin)
        in_picture = _picture_distance(scene, marks.percent[usable], anchor)
        # Both ends of every line carry a depth error; the nearer end's share is bounded by the longer ray.
        error = scene.settings.depth_sigma * marks.z[usable]
        least = np.maximum(margins.closest_gap * scene.unit, margins.sigmas * error)
        flat = _flat(scene, marks.percent[usable], anchor) if margins.fair else None
        chosen = _draw(away, least, in_picture, marks.percent[usable], rng, flat)
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


def _nearest(points: Array, others: Array) -> Array:
    """(M,) distances of (M, 3) points to the nearest of (N, 3) others."""
    square = sum((points[:, axis, None] - others[:, axis]) ** 2 for axis in range(3))
    return np.sqrt(np.asarray(square).min(axis=1))


def camera_facts(scene: Scene, marks: Marks, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Which of four points is closest to (farthest from) the camera. Depth order alone is enough."""
    if len(marks) < CHOICES:
        return
    if scene.geometry.scale.value != "affine_disparity":
        score, least = np.log(marks.z), max(math.log(1.2), margins.sigmas * 1.5 * scene.settings.depth_sigma)
    else:
        score, least = np.argsort(np.argsort(marks.z)) / len(marks), 2 * margins.rank_gap
    flat = _flat(scene, marks.percent) if margins.fair else None
    for _ in range(CHOICES):
        near = bool(rng.integers(2))
        sign = 1.0 if near else -1.0
        lower = -marks.percent[:, 1].astype(float) * sign
        chosen = _draw(sign * score, np.full(len(marks), least), lower, marks.percent, rng, flat)
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
    couples = pairs(len(scene))
    low = [_near_floor(scene, k) for k in range(len(scene))]
    places = np.ascontiguousarray(marks.points[:, ::2])
    error = 2 * scene.settings.depth_sigma * marks.z
    height = scene.ground.height(marks.points) if scene.ground is not None else np.zeros(len(marks))
    risen = np.flatnonzero(height > 0.2 * scene.unit)
    for k in rng.permutation(len(couples)):
        i, j = couples[k]
        start, end = scene.centres[i, ::2], scene.centres[j, ::2]
        line = end - start
        length = float(np.linalg.norm(line))
        if length < 1.2 * scene.unit or not (low[i] and low[j]):
            continue
        offset = places - start
        along = offset @ line / length**2
        aside = np.abs(offset[:, 0] * line[1] - offset[:, 1] * line[0]) / length
        inside = (along > 0.25) & (along < 0.75) & (aside < 0.15 * length)
        right = np.flatnonzero(marks.floor & inside)
        if not len(right):
            continue
        beside = (along < -0.1) | (along > 1.1) | (aside > 0.45 * length + error)
        a, b = scene.objects[i], scene.objects[j]
        flat = _flat(scene, marks.percent, a, b) if margins.fair else None
        picks = _right_and_wrong(right, np.flatnonzero(beside & marks.floor), risen, marks, rng, flat)
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
                **_flat_rule("nearest to their middle in the picture", flat, picks),
            },
        )


def front_facts(scene: Scene, marks: Marks, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Which of four points is on the floor so many metres from a thing toward the camera."""
    if not (scene.supports("metric") and scene.has_gravity) or marks.points is None or not marks.floor.any():
        return
    floor, risen = np.flatnonzero(marks.floor), _risen(scene, marks)
    places = np.ascontiguousarray(marks.points[:, ::2])
    for index in rng.permutation(len(scene)):
        thing = scene.objects[index]
        if thing.points is None or thing.truncated or not _near_floor(scene, int(index)):
            continue
        centre = scene.centres[index, ::2]
        far = float(np.linalg.norm(centre))
        sight = centre / max(far, 1e-9)
        along = np.sort(thing.points[:, ::2] @ sight)
        face = float(along[round(0.05 * (len(along) - 1))])
        reach = float(rng.choice(REACH))
        target = sight * (face - reach)
        step = places - target
        away = np.sqrt(step[:, 0] ** 2 + step[:, 1] ** 2)
        right = floor[away[floor] < 0.15]
        wrong = floor[away[floor] > max(0.6, 2 * thing.sigma * far + 0.3)]
        if not (len(right) and len(wrong)):
            continue
        flat = _flat(scene, marks.percent, thing) if margins.fair else None
        picks = _right_and_wrong(right, wrong, risen, marks, rng, flat)
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
                **_flat_rule("nearest in the picture", flat, picks),
            },
        )


def answer(scene: Scene, fact: Fact) -> str | None:
    """Which of the marked points of a fact meets its condition best in this scene; None where none or two do."""
    texts = [fact.answer, *fact.wrong]
    seen = look_at(scene, [entry["percent"] for entry in fact.evidence["points"]])
    form = fact.form.split(".")[1]
    if not np.isfinite(seen.z).all() or (form not in ("point_near_camera", "point_far_camera") and seen.points is None):
        return None
    if form in ("point_near_camera", "point_far_camera"):
        best = int(seen.z.argmin() if form == "point_near_camera" else seen.z.argmax())
        return texts[best]
    things = [scene.objects[scene.index(operand)] for operand in fact.operands]
    assert seen.points is not None
    if form == "point_nearest":
        assert things[0].skin is not None
        away = _nearest(seen.points, things[0].skin)
        return texts[int(away.argmin())]
    if scene.ground is None:
        return None
    if form == "point_front":
        fits = _before(scene, things[0], float(fact.value), seen)
    else:
        fits = _between(scene, things[0], things[1], seen)
    return texts[int(np.flatnonzero(fits)[0])] if fits.sum() == 1 else None


def steps(fact: Fact) -> list[str]:
    """What was measured at each marked point, in the order of the answers: the right one first."""
    texts = [fact.answer, *fact.wrong]
    form = fact.form.split(".")[1]
    if form in ("point_near_camera", "point_far_camera", "point_nearest"):
        values = fact.evidence["distances" if form == "point_nearest" else "z"]
        whom = f"the {fact.slots['a']}" if form == "point_nearest" else "the camera"
        ranked = sorted(zip(values, texts))
        return [f"From the nearest to the farthest from {whom}: {', '.join(text for _, text in ranked)}."]
    said = []
    for text, mark in zip(texts, fact.evidence["points"]):
        said.append(f"{text} is {'on' if mark['floor'] else 'not on'} the floor.")
    if form == "point_between":
        return [
            *said,
            f"{fact.answer} lies {fact.value:.0%} of the way from the {fact.slots['a']} to the {fact.slots['b']}.",
        ]
    return [*said, f"{fact.answer} is nearest to the place {fact.slots['d']} before the {fact.slots['a']}."]


def _before(scene: Scene, thing: SceneObject, reach: float, seen: Marks) -> Any:
    assert thing.centre is not None and thing.points is not None and seen.points is not None
    sight = thing.centre[::2] / max(float(np.linalg.norm(thing.centre[::2])), 1e-9)
    along = np.sort(thing.points[:, ::2] @ sight)
    target = sight * (float(along[round(0.05 * (len(along) - 1))]) - reach)
    away = np.linalg.norm(seen.points[:, ::2] - target, axis=1)
    return _low(scene, seen) & (away < 0.4 * scene.unit)


def _between(scene: Scene, a: SceneObject, b: SceneObject, seen: Marks) -> Any:
    assert a.centre is not None and b.centre is not None and seen.points is not None
    line = (b.centre - a.centre)[::2]
    offset = seen.points[:, ::2] - a.centre[::2]
    length = max(float(np.linalg.norm(line)), 1e-9)
    along = offset @ line / length**2
    aside = np.abs(offset[:, 0] * line[1] - offset[:, 1] * line[0]) / length
    return _low(scene, seen) & (along > 0.1) & (along < 0.9) & (aside < 0.3 * length)


def _low(scene: Scene, seen: Marks) -> Any:
    """Points nearer to the floor than to what stands on it, and on no thing."""
    assert scene.ground is not None and seen.points is not None
    return (np.abs(scene.ground.height(seen.points)) < 0.15 * scene.unit) & (seen.label < 0)


# ---------------------------------------------------------------- choosing points
def _risen(scene: Scene, marks: Marks) -> Any:
    if scene.ground is None or marks.points is None:
        return np.arange(0)
    return np.flatnonzero(scene.ground.height(marks.points) > 0.2 * scene.unit)


def _near_floor(scene: Scene, index: int) -> bool:
    """Whether the floor beside a thing is where one would look for it: not for a bottle on a desk."""
    obj = scene.objects[index]
    return not obj.boxes_only and obj.ground_gap is not None and obj.ground_gap < NEAR_FLOOR * scene.unit


def _picture_distance(scene: Scene, percent: Any, obj: SceneObject) -> Array:
    height, width = scene.depth.shape
    x, y = percent[:, 0] / 100 - obj.u[Q50], percent[:, 1] / 100 - obj.v[Q50]
    return np.hypot(x * width, y * height)


def _flat(scene: Scene, percent: Any, *things: SceneObject) -> _fair_points.Flat:
    """Of points, as far as the flat picture tells: how far each is from the middle between the things' boxes."""
    if not things:
        return _fair_points.Flat(percent)
    height, width = scene.depth.shape
    camera = scene.geometry.camera
    wide, high = (width, height) if camera is None else (camera.width, camera.height)
    x = sum(thing.bbox[0] + thing.bbox[2] / 2 for thing in things) / len(things) / wide
    y = sum(thing.bbox[1] + thing.bbox[3] / 2 for thing in things) / len(things) / high
    away = np.hypot((percent[:, 0] / 100 - x) * wide, (percent[:, 1] / 100 - y) * high)
    return _fair_points.Flat(percent, away / np.hypot(wide, high))


def _flat_rule(rule: str, flat: _fair_points.Flat | None, picks: Any) -> dict[str, Any]:
    """As evidence: whether the right point is the nearest in the picture."""
    if flat is None or flat.away is None:
        return {}
    return {"shortcut": {"rule": rule, "right": bool(flat.away[picks].argmin() == 0)}}


def _draw(
    score: Array,
    least: Array,
    shortcut_score: Array,
    percent: Any,
    rng: np.random.Generator,
    flat: _fair_points.Flat | None = None,
) -> tuple[Any, float, bool] | None:
    """Four points of which the first has the lowest score by more than ``least`` of any other.

    Of several random draws that fulfil it, one is taken in which the shortcut is right or wrong as a coin says, if
    there is one. With ``flat`` it is one that the flat picture does not tell. Returns (indices, lead, shortcut
    right) or None.
    """
    if flat is not None:
        found = _fair_points.lowest_first(score, least, flat, APART, CHOICES, rng)
        return None if found is None else (*found, bool(shortcut_score[found[0]].argmin() == 0))
    picks = rng.integers(len(score), size=(DRAWS, CHOICES))
    scores = score[picks]
    picks = np.take_along_axis(picks, np.argsort(scores, axis=1), axis=1)
    scores = score[picks]
    lead = scores[:, 1] - scores[:, 0]
    places = percent[picks]
    apart = np.linalg.norm(places[:, :, None] - places[:, None], axis=-1) + 1e3 * np.eye(CHOICES)
    good = (lead > least[picks].max(axis=1)) & (apart.min(axis=(1, 2)) >= APART)
    rows = np.flatnonzero(good)
    if not len(rows):
        return None
    right = shortcut_score[picks[rows]].argmin(axis=1) == 0
    first = next(in_turns(right.tolist(), rng))
    return picks[rows[first]], float(lead[rows[first]]), bool(right[first])


def _right_and_wrong(
    right: Any,
    beside: Any,
    elsewhere: Any,
    marks: Marks,
    rng: np.random.Generator,
    flat: _fair_points.Flat | None = None,
) -> Any | None:
    """One right point, then three wrong ones well apart in the picture, at least one of them on the floor."""
    if flat is not None:
        return _fair_points.right_and_wrong(right, beside, elsewhere, flat, APART, CHOICES, rng)
    if not len(right) or not len(beside):
        return None
    chosen = [int(rng.choice(right))]
    rest = rng.permutation(np.union1d(beside, elsewhere))
    for index in (*rng.permutation(beside), *rest):
        gaps = np.linalg.norm(marks.percent[chosen] - marks.percent[index], axis=1)
        if gaps.min() >= APART:
            chosen.append(int(index))
            if len(chosen) == 2:
                # The first wrong point is on the floor; the others may be anywhere.
                break
    for index in rest:
        if len(chosen) in (1, CHOICES):
            break
        if np.linalg.norm(marks.percent[chosen] - marks.percent[index], axis=1).min() >= APART:
            chosen.append(int(index))
    return np.array(chosen) if len(chosen) == CHOICES else None


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
    texts = [point(*marks.percent[i]) for i in picks]
    evidence: dict[str, Any] = {
        "objects": [about(thing, role) for thing, role in things],
        "points": [
            {
                "percent": marks.percent[i].tolist(),
                "space": None if marks.points is None else rounded(marks.points[i], 3),
                "on": scene.objects[marks.label[i]].object_id if marks.label[i] >= 0 else None,
                "floor": bool(marks.floor[i]),
            }
            for i in picks
        ],
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

"""Free floor beside things: next to one, behind or in front of one as the camera sees it, between two.

A place is *free floor* if it is seen, lies on the ground plane (within a few centimetres, its normal upward where the
teacher gives normals), on no thing, and nothing that is seen stands within a radius of it.

*next*: closer to the thing than half a metre, measured on the ground (metric). *behind* / *front*: farther than the
thing's farthest seen part (nearer than its nearest) along the level line of sight to its middle, and within its width
across it. *between*: 0.25-0.75 along the ground line between two middles and within 0.15 of its length beside it.
Asked of things that stand on the floor and are seen well. Wrong points are clearly elsewhere, and at least one of them
is on the floor too. Behind and in front, a picture is read well enough by "above the thing" and "below it".

Drawn fairly, it is one of two points in nearly the same row and about as far from the thing in the picture (see
`_opposed`). What is in the same row and as far away on the floor, most often is there as well, so the wrong one may
also be on something that stands there; where a picture has pairs that are both on free floor, every other question is
of such.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins, about, blend, pairs, seen_well
from pseudogd.vqa.marks import Marks, build_marks
from pseudogd.vqa.phrasing import metres
from pseudogd.vqa.scene import Q50, Array, Scene, SceneObject
from pseudogd.vqa.surface import nearest
from pseudogd.vqa.tasks._marked import CHOICES, draw_points, points_of, seen_again, spread_out, texts_of
from pseudogd.vqa.tasks._opposed import Opposed, opposed
from pseudogd.vqa.words.free_space import FORMS as FORMS

QUOTA = 1
NEEDS = "ratio"

NEXT_TO = 0.5
SURELY_NEXT = 0.3
CELL = 0.1
LOWEST, HIGHEST = 0.06, 2.0
UPWARD = 0.9
REACH = 2.0
RISEN = 0.2
ACROSS = 1.3
"""Half widths from the line of sight beyond which a place is not in line with a thing."""
FAIR_MOST = 12
FAIR_OFF = {"next": 10.0, "behind": 5.0, "front": 5.0, "between": 10.0}
"""Percent by which two points of a fair draw may differ in how far they are from the thing in the picture."""
FORMULAS = {
    "next": "on the ground plane, ground distance to the closest visible part below 0.5 m",
    "behind": "on the ground plane, beyond the farthest seen part along the level line of sight, within the width",
    "front": "on the ground plane, before the nearest seen part along the level line of sight, within the width",
    "between": "on the ground plane, 0.25-0.75 along and within 0.15 beside the line between centres",
}


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """All four relations in turn; nothing without a camera, gravity and a floor that is seen."""
    if not (scene.supports("ratio") and scene.has_gravity) or scene.ground is None or not len(scene):
        return
    marks = build_marks(scene)
    free = free_places(scene, marks, margins)
    if not free.any():
        return
    standing = [k for k in range(len(scene)) if _stands(scene, scene.objects[k])]
    if margins.fair:
        yield from _fair_facts(scene, marks, free, standing, rng)
        return
    singles = [
        (1, _single(scene, marks, free, standing, relation, rng))
        for relation in ("next", "behind", "front")
        if relation != "next" or scene.supports("metric")
    ]
    yield from blend(rng, *singles, (1, _between(scene, marks, free, standing, rng)))


@dataclass(frozen=True, eq=False)
class _Asked:
    """What is asked of one or two things: bools (M,) of which marks are right, and which others are surely not;
    ``measure`` (M,) as in the evidence."""

    things: list[SceneObject]
    right: NDArray[np.bool_]
    wrong: NDArray[np.bool_]
    measure: Array


def _fair_facts(
    scene: Scene, marks: Marks, free: NDArray[np.bool_], standing: list[int], rng: np.random.Generator
) -> Iterator[Fact]:
    """All four relations in turn, each of one of two points."""
    assert scene.ground is not None and marks.points is not None
    risen = scene.ground.height(marks.points) > RISEN * scene.unit

    def facts_of(relation: str) -> Iterator[Fact]:
        asked = list(_between_of(scene, marks, standing, rng) if relation == "between" else singles(relation))
        away = [_picture_distance(scene, marks, one.things) for one in asked]

        def pairs_with(wrong: list[NDArray[np.bool_]]) -> Iterator[tuple[NDArray[np.int64], int]]:
            groups = [
                opposed(marks.percent, free & one.right, bad, rng, off, FAIR_OFF[relation])
                for one, bad, off in zip(asked, wrong, away, strict=True)
            ]
            return Opposed.joined(groups).drawn(rng)

        drawn = blend(rng, (1, pairs_with([free & one.wrong for one in asked])), (1, pairs_with([risen] * len(asked))))
        for picks, number in islice(drawn, FAIR_MOST):
            one = asked[number]
            yield _fact(scene, marks, one.things, relation, picks.tolist(), one.measure)

    def singles(relation: str) -> Iterator[_Asked]:
        return (_single_of(scene, marks, scene.objects[k], relation, fair=True) for k in standing)

    relations = [name for name in FORMULAS if name != "next" or scene.supports("metric")]
    yield from blend(rng, *((1, facts_of(name)) for name in relations))


def _picture_distance(scene: Scene, marks: Marks, things: list[SceneObject]) -> Array:
    """(M,) percent of the picture from the middle between the boxes of the things."""
    camera = scene.geometry.camera
    assert camera is not None  # without one there is no gravity frame
    boxes = np.array([thing.bbox for thing in things])
    middle = (boxes[:, :2] + boxes[:, 2:] / 2).mean(axis=0) / (camera.width, camera.height)
    return np.asarray(np.hypot(*(marks.percent - 100 * middle).T), np.float64)


def answer(scene: Scene, fact: Fact) -> str | None:
    """The marked point that meets the condition; None where none or two do, or without a floor."""
    seen = seen_again(scene, fact)
    if seen is None or scene.ground is None or seen.points is None:
        return None
    things = [scene.objects[scene.index(operand)] for operand in fact.operands]
    low = (np.abs(scene.ground.height(seen.points)) < 0.15 * scene.unit) & (seen.label < 0)
    relation = fact.form.split(".")[1]
    if relation == "next":
        fits = _away(things[0], seen.points) < (NEXT_TO + 0.15) * scene.unit
    elif relation == "between":
        along, aside = _along(things[0], things[1], seen.points)
        fits = (along > 0.1) & (along < 0.9) & (aside < 0.3)
    else:
        before, beyond, across = _sight(things[0], seen.points)
        fits = ((beyond if relation == "behind" else before) > 0) & (across < ACROSS)
    places = np.flatnonzero(fits & low)
    return (fact.answer, *fact.wrong)[int(places[0])] if len(places) == 1 else None


def steps(fact: Fact) -> list[str]:
    """Why the first point is on free floor where it should be."""
    relation, slots, measure = fact.form.split(".")[1], fact.slots, fact.evidence["measures"]
    said = {
        "next": "It is about {0} from the {a}, measured on the ground.",
        "behind": "It is farther from the camera than the {a} and in line with it.",
        "front": "It is nearer to the camera than the {a} and in line with it.",
        "between": "It is {1} percent of the way from the {a} to the {b} and close to the line between them.",
    }[relation].format(metres(measure[0]), round(100 * measure[0]), **slots)
    return [f"The point {fact.answer} is on the floor, and nothing stands around it.", said]


def free_places(scene: Scene, marks: Marks, margins: Margins) -> NDArray[np.bool_]:
    """(M,) bool: marks on visible floor that is level, bare and clear of whatever stands, within a radius."""
    assert scene.ground is not None and marks.points is not None
    near = np.abs(scene.ground.height(marks.points)) < margins.free_height * scene.unit
    free: NDArray[np.bool_] = marks.floor & near & (marks.label < 0)
    if scene.normals is not None:
        up = -scene.normals[marks.pixel[:, 0], marks.pixel[:, 1], 1]
        free &= up > UPWARD
    rows = np.flatnonzero(free)
    occupied = _occupied(scene)
    if len(rows) and len(occupied):
        away = nearest(marks.points[rows][:, ::2], occupied)
        free[rows] = away > margins.free_radius * scene.unit
    return free


def _occupied(scene: Scene) -> Array:
    """(n, 2) middles of the cells of the ground over which something is seen."""
    assert scene.ground is not None and scene.points is not None
    stride = max(1, max(scene.depth.shape) // 80)
    points = scene.points[::stride, ::stride].reshape(-1, 3)
    with np.errstate(invalid="ignore"):
        height = points @ scene.ground.normal.astype(np.float32) + np.float32(scene.ground.offset)
        above = (height > LOWEST * scene.unit + 0.02 * points[:, 2]) & (height < HIGHEST * scene.unit)
    cells = np.floor(points[above][:, ::2] / (CELL * scene.unit)).astype(np.int64)
    keys = np.unique(cells[:, 0] * 100_003 + cells[:, 1])
    z = (keys + 50_001) % 100_003 - 50_001
    found: Array = (np.stack([(keys - z) // 100_003, z], axis=1) + 0.5) * (CELL * scene.unit)
    return found


def _stands(scene: Scene, obj: SceneObject) -> bool:
    gap = obj.ground_gap
    return seen_well(obj, scene) and gap is not None and abs(gap) < 0.12 * scene.unit and obj.points is not None


def _away(obj: SceneObject, points: Array) -> Array:
    """(M,) distances on the ground to the closest visible part."""
    assert obj.surface is not None
    return nearest(points[:, ::2], obj.surface[:, ::2])


def _sight(obj: SceneObject, points: Array) -> tuple[Array, Array, Array]:
    """How far before the nearest and beyond the farthest part of a thing, and how many half widths across."""
    assert obj.centre is not None and obj.skin is not None and obj.wide is not None
    line = obj.centre[::2] / max(float(np.hypot(*obj.centre[::2])), 1e-9)
    along, own = points[:, ::2] @ line, np.sort(obj.skin[:, ::2] @ line)
    across = np.abs(points[:, 0] * line[1] - points[:, 2] * line[0]) / max(obj.wide / 2, 1e-9)
    return own[1] - along, along - own[-2], across


def _along(a: SceneObject, b: SceneObject, points: Array) -> tuple[Array, Array]:
    """Share of the way from a to b, and distance beside the line as share of its length."""
    assert a.centre is not None and b.centre is not None
    line, offset = (b.centre - a.centre)[::2], points[:, ::2] - a.centre[::2]
    square = max(float(line @ line), 1e-12)
    return offset @ line / square, np.abs(offset[:, 0] * line[1] - offset[:, 1] * line[0]) / square


def _single(
    scene: Scene, marks: Marks, free: NDArray[np.bool_], standing: list[int], relation: str, rng: np.random.Generator
) -> Iterator[Fact]:
    for k in rng.permutation(standing):
        yield from _facts_of(scene, marks, free, _single_of(scene, marks, scene.objects[k], relation), relation, rng)


def _single_of(scene: Scene, marks: Marks, thing: SceneObject, relation: str, fair: bool = False) -> _Asked:
    assert marks.points is not None
    error = 2 * scene.settings.depth_sigma * marks.z
    if relation == "next":
        measure = _away(thing, marks.points)
        return _Asked([thing], measure < SURELY_NEXT * scene.unit, measure > 2 * NEXT_TO * scene.unit + error, measure)
    before, beyond, across = _sight(thing, marks.points)
    measure, other = (beyond, before) if relation == "behind" else (before, beyond)
    # What is seen of the floor is not under the thing; how deep the thing is, nobody has seen.
    right = (measure > 0.15 * scene.unit) & (measure < REACH * scene.unit) & (across < 0.8)
    if fair:  # the line of sight goes through the camera: a place beside it is as much in error as it is far from it
        aside = across * max(1 - 2 * math.sqrt(2) * scene.settings.depth_sigma, 0.0) > ACROSS
    else:
        aside = across * (thing.wide or 0.0) / 2 > (thing.wide or 0.0) + error
    return _Asked([thing], right, (other > 0.1 * scene.unit) | aside, measure)


def _between(
    scene: Scene, marks: Marks, free: NDArray[np.bool_], standing: list[int], rng: np.random.Generator
) -> Iterator[Fact]:
    for one in _between_of(scene, marks, standing, rng):
        yield from _facts_of(scene, marks, free, one, "between", rng)


def _between_of(scene: Scene, marks: Marks, standing: list[int], rng: np.random.Generator) -> Iterator[_Asked]:
    assert marks.points is not None
    couples = [(standing[i], standing[j]) for i, j in pairs(len(standing))]
    for k in rng.permutation(len(couples)):
        i, j = couples[k] if rng.integers(2) else couples[k][::-1]
        if scene.distances[i, j] < 1.2 * scene.unit:
            continue
        a, b = scene.objects[i], scene.objects[j]
        along, aside = _along(a, b, marks.points)
        error = 2 * scene.settings.depth_sigma * marks.z / float(scene.distances[i, j])
        right = (along > 0.25) & (along < 0.75) & (aside < 0.15)
        wrong = (along < -0.1) | (along > 1.1) | (aside > 0.45 + error)
        yield _Asked([a, b], right, wrong, along)


def _facts_of(
    scene: Scene,
    marks: Marks,
    free: NDArray[np.bool_],
    asked: _Asked,
    relation: str,
    rng: np.random.Generator,
) -> Iterator[Fact]:
    """At most one fact: one right point, one wrong one on the floor, two that are anywhere wrong."""
    assert scene.ground is not None and marks.points is not None
    good, beside = np.flatnonzero(free & asked.right), np.flatnonzero(free & asked.wrong)
    risen = np.flatnonzero(scene.ground.height(marks.points) > RISEN * scene.unit)
    if not len(good) or not len(beside):
        return
    picks = spread_out(marks.percent, rng.permutation(beside).tolist(), [int(rng.choice(good))], 2)
    if len(picks) < 2:
        return
    picks = spread_out(marks.percent, rng.permutation(np.concatenate([beside, risen])).tolist(), picks, CHOICES)
    if len(picks) == CHOICES:
        yield _fact(scene, marks, asked.things, relation, picks, asked.measure)


def _fact(
    scene: Scene, marks: Marks, things: list[SceneObject], relation: str, picks: list[int], measure: Array
) -> Fact:
    texts, first = texts_of(marks, picks), float(measure[picks[0]])
    slots = {name: thing.name for name, thing in zip("ab", things)}
    middle = things[0].v[Q50]
    flat = {"behind": marks.percent[picks, 1] < 100 * middle, "front": marks.percent[picks, 1] > 100 * middle}
    evidence: dict[str, Any] = {
        "objects": [about(thing, "end" if len(things) > 1 else "anchor") for thing in things],
        "points": points_of(scene, marks, picks),
        "measures": rounded(measure[picks], 3),
        "draw": draw_points(marks, picks),
    }
    if relation in flat:
        rule = "above the thing in the picture" if relation == "behind" else "below the thing in the picture"
        told = flat[relation]
        if len(picks) > 2 or told[0] != told[1]:  # of two it says nothing where it is true of both, or of none
            evidence["shortcut"] = {"rule": rule, "right": bool(told[0] and not told[1:].any())}
    metric = relation == "next"
    return Fact(
        task="free_space",
        form=f"free_space.{relation}",
        kind="metric" if metric else "ratio",
        frame="camera" if relation in flat else "gravity",
        operands=tuple(thing.object_id for thing in things),
        style="point",
        answer=texts[0],
        wrong=tuple(texts[1:]),
        value=first,
        unit="ratio" if relation == "between" else "m" if scene.supports("metric") else "depth",
        margin={"next": NEXT_TO - first, "between": 0.5 - abs(first - 0.5)}.get(relation, first),
        formula=FORMULAS[relation],
        slots={**slots, "d": metres(NEXT_TO)} if metric else slots,
        evidence=evidence,
        measures={"d": NEXT_TO} if metric else {},
    )

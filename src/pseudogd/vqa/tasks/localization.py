"""Localization: which thing, or which marked point of the picture, meets a condition in space.

Never "where is the chair", which the picture alone answers. *nearest/farthest object*: from an anchor, by the gap
between closest parts, and by centres in the same order. *point nearest* to a thing: distance in space from the surface
at the point to the closest part of the thing. *point between*: on the floor, between two things. *point front*: on the
floor, so many metres from a thing toward the camera (metric only). *point near/far camera*: depth order of points.

Points are (x, y) in percent of the picture on a coarse grid, off depth edges. Wherever the scene allows, half of the
questions are those in which the nearest in the picture is not the nearest in space.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins, about, blend, in_turns
from pseudogd.vqa.marks import build_marks
from pseudogd.vqa.scene import Q50, Scene, SceneObject
from pseudogd.vqa.tasks import _points

GROUPS_PER_ANCHOR = 6


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """All forms in turn as far as the geometry carries them."""
    marks = build_marks(scene)
    yield from blend(
        (1, _object_facts(scene, rng, margins)),
        (1, _points.nearest_facts(scene, marks, rng, margins)),
        (1, _points.between_facts(scene, marks, rng, margins)),
        (1, _points.front_facts(scene, marks, rng, margins)),
        (1, _points.camera_facts(scene, marks, rng, margins)),
    )


def _object_facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    if not scene.supports("ratio") or len(scene) < 4:
        return
    found = []
    for anchor in range(len(scene)):
        others = [i for i in range(len(scene)) if i != anchor]
        groups = [group for size in (4, 3) if len(others) >= size for group in combinations(others, size)]
        for k in rng.permutation(len(groups))[:GROUPS_PER_ANCHOR]:
            for nearest in (True, False):
                lead = _lead(scene, anchor, groups[k], nearest, margins)
                if lead is not None:
                    winner, margin = lead
                    shortcut = winner == _first_in_picture(scene, anchor, groups[k], nearest)
                    found.append((anchor, groups[k], winner, nearest, margin, shortcut))
    for k in in_turns([(entry[3], entry[5]) for entry in found], rng):
        yield _object_fact(scene, *found[k])


def _lead(
    scene: Scene, anchor: int, group: tuple[int, ...], nearest: bool, margins: Margins
) -> tuple[int, float] | None:
    """The nearest (farthest) of a group and its lead over the next in depth units, or None if it is not sure."""
    gaps = scene.gaps[anchor, list(group)]
    order = np.argsort(gaps if nearest else -gaps, kind="stable")
    winner, next_one = group[order[0]], group[order[1]]
    spread = scene.distance_errors[anchor]
    lead = math.inf
    for other in (group[i] for i in order[1:]):
        near, far = (winner, other) if nearest else (other, winner)
        gap = float(scene.gaps[anchor, far] - scene.gaps[anchor, near])
        sigma = math.hypot(float(spread[near]), float(spread[far]))
        ratio = float(scene.gaps[anchor, far]) / max(float(scene.gaps[anchor, near]), 1e-9)
        if gap <= max(margins.closest_gap * scene.unit, margins.sigmas * sigma) or ratio <= margins.closest_ratio:
            return None
        if scene.distances[anchor, far] <= scene.distances[anchor, near]:
            return None
        lead = min(lead, gap)
    return (winner, lead) if winner != next_one else None


def _first_in_picture(scene: Scene, anchor: int, group: tuple[int, ...], nearest: bool) -> int:
    width, height = scene.depth.shape[1], scene.depth.shape[0]

    def apart(obj: SceneObject) -> float:
        start = scene.objects[anchor]
        return math.hypot((obj.u[Q50] - start.u[Q50]) * width, (obj.v[Q50] - start.v[Q50]) * height)

    return (min if nearest else max)(group, key=lambda i: apart(scene.objects[i]))


def _object_fact(
    scene: Scene, anchor: int, group: tuple[int, ...], winner: int, nearest: bool, margin: float, shortcut: bool
) -> Fact:
    start = scene.objects[anchor]
    things = [scene.objects[winner], *(scene.objects[i] for i in group if i != winner)]
    roles = ["answer", *["other"] * (len(things) - 1)]
    order = [winner, *(i for i in group if i != winner)]
    return Fact(
        task="localization",
        form="localization.nearest_object" if nearest else "localization.farthest_object",
        kind="ratio",
        frame="none",
        operands=(start.object_id, *(thing.object_id for thing in things)),
        style="among",
        answer=things[0].name,
        wrong=tuple(thing.name for thing in things[1:]),
        value=float(scene.gaps[anchor, winner]),
        unit="depth" if not scene.supports("metric") else "m",
        margin=margin,
        formula="order of gaps between closest visible parts, centres in the same order",
        slots={"a": start.name},
        evidence={
            "objects": [about(start, "anchor"), *(about(t, r) for t, r in zip(things, roles))],
            "gaps": [rounded(float(scene.gaps[anchor, i]), 3) for i in order],
            "centres": [rounded(float(scene.distances[anchor, i]), 3) for i in order],
            "shortcut": {"rule": "same order in the picture", "right": bool(shortcut)},
        },
    )

"""Localization: which thing, or which marked point of the picture, meets a condition in space.

Never "where is the chair", which the picture alone answers. *nearest/farthest object*: from an anchor, by the gap
between closest parts, and by centres in the same order. *point nearest* to a thing: distance in space from the surface
at the point to the closest part of the thing. *point between*: on the floor, between two things. *point front*: on the
floor, so many metres from a thing toward the camera (metric only). *point near/far camera*: depth order of points.

Points are (x, y) in percent of the picture on a coarse grid, off depth edges. Wherever the scene allows, half of the
questions are those in which the nearest in the picture is not the nearest in space.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.fairness import evenly, rank_of
from pseudogd.vqa.guards import Margins, about, blend, in_turns
from pseudogd.vqa.marks import build_marks
from pseudogd.vqa.scene import Q50, Scene
from pseudogd.vqa.tasks import _points, _points_again
from pseudogd.vqa.words.localization import FORMS as FORMS

QUOTA = 4
NEEDS = "ordinal"

GROUPS_PER_ANCHOR = 6
FAIR_GROUPS = 16
ALIKE = 2.5


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """All forms in turn as far as the geometry carries them."""
    marks = build_marks(scene)
    yield from blend(
        rng,
        (1, _object_facts(scene, rng, margins)),
        (1, _points.nearest_facts(scene, marks, rng, margins)),
        (1, _points.between_facts(scene, marks, rng, margins)),
        (1, _points.front_facts(scene, marks, rng, margins)),
        (1, _points.camera_facts(scene, marks, rng, margins)),
    )


def answer(scene: Scene, fact: Fact) -> str | None:
    """The thing with the smallest (largest) gap to the anchor, or the marked point that meets the condition."""
    if fact.style == "point":
        return _points_again.answer(scene, fact)
    anchor, *others = (scene.index(operand) for operand in fact.operands)
    choose = min if fact.form == "localization.nearest_object" else max
    return scene.objects[choose(others, key=lambda other: scene.gap(anchor, other))].name


def steps(fact: Fact) -> list[str]:
    """The gaps to each of the things; of marked points what was measured at them."""
    if fact.style == "point":
        return _points_again.steps(fact)
    anchor, *things = (entry["name"] for entry in fact.evidence["objects"])
    gaps = sorted(zip(fact.evidence["gaps"], things))
    least = max(gaps[0][0], 1e-3)
    first = f"Between closest parts, the {gaps[0][1]} is nearest to the {anchor}."
    return [first, *(f"The gap to the {name} is {gap / least:.1f} times as wide." for gap, name in gaps[1:])]


def _object_facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    if not scene.supports("ratio") or len(scene) < 4:
        return
    ahead, lead = _leads(scene, margins)
    picture, gaps = _box_order(scene) if margins.fair else _picture_order(scene), scene.gaps.tolist()
    found = []
    for anchor in range(len(scene)):
        others = [i for i in range(len(scene)) if i != anchor]
        groups = [group for size in (4, 3) if len(others) >= size for group in combinations(others, size)]
        sure, more = ahead[anchor], lead[anchor]
        for k in rng.permutation(len(groups))[: FAIR_GROUPS if margins.fair else GROUPS_PER_ANCHOR].tolist():
            for nearest, most in ((True, min), (False, max)):
                winner = most(groups[k], key=gaps[anchor].__getitem__)  # none but this one can be surely ahead
                sides = [(winner, other) if nearest else (other, winner) for other in groups[k] if other != winner]
                if all(sure[near][far] for near, far in sides):
                    margin = min(more[near][far] for near, far in sides)
                    first = most(groups[k], key=picture[anchor].__getitem__)
                    found.append((anchor, groups[k], winner, nearest, margin, winner == first))
    if margins.fair:
        found = [entry for entry in found if _alike([picture[entry[0]][i] for i in entry[1]])]
        ranks = [_rank(picture, *entry[:3]) for entry in found]
        order = evenly(ranks, [len(entry[1]) for entry in found], rng, [entry[3] for entry in found])
    else:
        order = in_turns([(entry[3], entry[5]) for entry in found], rng)
    for k in order:
        yield _object_fact(scene, *found[k])


def _alike(away: list[float]) -> bool:
    """Whether distances in the picture are of one size: where one is far smaller, it is nearest in space too."""
    return max(away) <= ALIKE * min(away)


def _rank(picture: list[list[float]], anchor: int, group: tuple[int, ...], winner: int) -> tuple[int, ...]:
    """Where the winner ranks by distance to the anchor in the picture."""
    return rank_of([picture[anchor][i] for i in (winner, *(i for i in group if i != winner))])


def _leads(scene: Scene, margins: Margins) -> tuple[list, list]:
    """[anchor][near][far]: whether ``near`` is surely nearer to the anchor than ``far``, and by how much (gaps).

    Gaps must differ by the margin, the propagated error and a ratio, and centres must have the same order.
    """
    gaps, spread = scene.gaps, scene.distance_errors
    lead = gaps[:, None, :] - gaps[:, :, None]
    sigma = np.hypot(spread[:, None, :], spread[:, :, None])
    ahead = lead > np.maximum(margins.closest_gap * scene.unit, margins.sigmas * sigma)
    ahead &= gaps[:, None, :] > margins.closest_ratio * gaps[:, :, None]
    ahead &= scene.distances[:, None, :] > scene.distances[:, :, None]
    return ahead.tolist(), lead.tolist()


def _picture_order(scene: Scene) -> list[list[float]]:
    """(N, N) distances between the middles of masks, in pixels."""
    height, width = scene.depth.shape
    middle = np.array([[obj.u[Q50] * width, obj.v[Q50] * height] for obj in scene.objects])
    return np.linalg.norm(middle[:, None] - middle[None], axis=-1).tolist()


def _box_order(scene: Scene) -> list[list[float]]:
    """(N, N) distances between the middles of boxes, in pixels."""
    middle = np.array([[x + w / 2, y + h / 2] for x, y, w, h in (obj.bbox for obj in scene.objects)])
    return np.linalg.norm(middle[:, None] - middle[None], axis=-1).tolist()


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

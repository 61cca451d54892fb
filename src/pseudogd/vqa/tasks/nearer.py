"""Nearer / farther: order of distance to the camera.

Frame: camera. Quantity: 5 % quantile of z-depth (the near face, without outliers). Asked only if the ratio exceeds a
margin and the propagated error, the 10-90 % intervals do not overlap, and - where a camera is known - the order of
ray lengths agrees, so that "closer to the camera" has one meaning. Needs depth order alone: where depth is known up to
an affine disparity, its place within the photo replaces the ratio. What contradicts "lower in the picture is nearer"
must be clearer (`prior`), and is not asked at all where the nearer one is of a kind that stands on the floor.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np

from pseudogd.geometry.types import Scale
from pseudogd.vqa.categories import is_standable
from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.fairness import evenly, rank_of
from pseudogd.vqa.guards import Margins, about, blend, in_turns, pairs
from pseudogd.vqa.prior import sigmas_needed
from pseudogd.vqa.scene import Q05, Q10, Q50, Q90, Q98, Scene, SceneObject
from pseudogd.vqa.words.nearer import FORMS as FORMS
from pseudogd.vqa.words.telling import DEPTH

QUOTA = 2
NEEDS = "ordinal"
TELLING = {"nearer": DEPTH}

FORMULA = "order of the 5% quantile of z-depth"


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Pairs and, where one thing clearly leads, choices among three or four; see the module for frame and guards."""
    order = sorted(range(len(scene)), key=lambda i: float(scene.objects[i].z[Q05]))
    lead = {(i, j): near_margin(scene, scene.objects[i], scene.objects[j], margins) for i, j in _ordered_pairs(order)}
    sure = [key for key, margin in lead.items() if margin is not None]
    groups = _group_facts(scene, order, lead, rng)
    if margins.fair:
        groups = _fair_groups(scene, order, lead, rng)
    yield from blend(rng, (2, _pair_facts(scene, sure, lead, rng)), (1, groups))


def answer(scene: Scene, fact: Fact) -> str | None:
    """The name of the thing whose near face is nearest (farthest)."""
    things = [scene.objects[scene.index(operand)] for operand in fact.operands]
    choose = min if fact.form in ("nearer.pair_near", "nearer.nearest") else max
    return choose(things, key=lambda thing: float(thing.z[Q05])).name


def steps(fact: Fact) -> list[str]:
    """Near faces one after the other, from the smallest depth to the largest."""
    things = sorted(zip(fact.evidence["z05"], (entry["name"] for entry in fact.evidence["objects"])))
    first, *rest = things
    if fact.evidence.get("order_only"):
        said = [f"Then comes that of the {name}." for _, name in rest]
        return [f"Going away from the camera, the near face of the {first[1]} comes first.", *said]
    said = [f"That of the {name} is {z / first[0]:.2f} times as deep in the scene." for z, name in rest]
    return [f"The near face of the {first[1]} has the smallest depth.", *said]


def near_margin(scene: Scene, near: SceneObject, far: SceneObject, margins: Margins) -> float | None:
    """How clearly the first is nearer than the second (log ratio, or rank gap), or None if that is not sure."""
    if far.z[Q10] <= near.z[Q90]:
        return None
    agrees = _shortcut(near, far)
    if not agrees and _foot_tells(scene, near):
        return None
    sigmas = sigmas_needed(margins, agrees)
    if scene.geometry.scale is Scale.AFFINE_DISPARITY:
        gap = float(far.rank[Q10] - near.rank[Q90])
        return gap if gap > margins.rank_gap * (sigmas / margins.sigmas if margins.sigmas else 1.0) else None
    if near.distance is not None and far.distance is not None and far.distance[Q10] <= near.distance[Q90]:
        return None
    gap = math.log(float(far.z[Q05] / near.z[Q05]))
    needed = max(math.log(margins.depth_ratio), sigmas * math.hypot(near.sigma, far.sigma))
    return gap if gap > needed else None


def _ordered_pairs(order: list[int]) -> Iterator[tuple[int, int]]:
    for i, j in pairs(len(order)):
        yield order[i], order[j]


def _shortcut(near: SceneObject, far: SceneObject) -> bool:
    """Whether "lower in the picture is nearer" gives the right answer without any depth."""
    return bool(near.v[Q98] > far.v[Q98])


def _foot_tells(scene: Scene, near: SceneObject) -> bool:
    """Whether the lower end of a thing says where it is, as of what stands on the floor: a sofa that seems to hang in
    the air before something is one whose depth is wrong, or whose foot is hidden. Depth may be believed more than that:
    see `SceneSettings.lifted_doubt`."""
    return scene.settings.lifted_doubt > 1.0 and is_standable(near.category) and not near.truncated


Lead = dict[tuple[int, int], float | None]


def _pair_facts(scene: Scene, sure: list[tuple[int, int]], lead: Lead, rng: np.random.Generator) -> Iterator[Fact]:
    classes = [_shortcut(scene.objects[i], scene.objects[j]) for i, j in sure]
    for k in in_turns(classes, rng):
        i, j = sure[k]
        near, far = scene.objects[i], scene.objects[j]
        asks_near = bool(rng.integers(2))
        yield Fact(
            task="nearer",
            form="nearer.pair_near" if asks_near else "nearer.pair_far",
            kind="ordinal",
            frame="camera",
            operands=(near.object_id, far.object_id),
            style="pair",
            answer=near.name if asks_near else far.name,
            wrong=(far.name if asks_near else near.name,),
            value=float(far.z[Q05] / near.z[Q05]),
            unit="ratio",
            margin=lead[i, j] or 0.0,
            formula=FORMULA,
            evidence=_evidence(scene, [near, far], classes[k]),
        )


def _group_facts(scene: Scene, order: list[int], lead: Lead, rng: np.random.Generator) -> Iterator[Fact]:
    for size in (4, 3):
        groups = list(combinations(order, size))
        for k in rng.permutation(len(groups)):
            group = groups[k]
            asks_near = bool(rng.integers(2))
            # The group is sorted by nearness: the first (or last) must lead all others.
            ahead = [(group[0], other) for other in group[1:]] if asks_near else [(o, group[-1]) for o in group[:-1]]
            leads = [lead[key] for key in ahead]
            if None in leads:
                continue
            yield _group_fact(scene, group, asks_near, min(lead[key] or 0.0 for key in ahead))


def _fair_groups(scene: Scene, order: list[int], lead: Lead, rng: np.random.Generator) -> Iterator[Fact]:
    """The same, but the winner's foot is as often the highest of the group in the picture as any other."""
    found: list[tuple[tuple[int, ...], bool, float]] = []
    feet = [thing.bbox[1] + thing.bbox[3] for thing in scene.objects]
    for group in (group for size in (4, 3) for group in combinations(order, size)):
        for asks_near in (True, False):
            ahead = [(group[0], other) for other in group[1:]] if asks_near else [(o, group[-1]) for o in group[:-1]]
            gaps = [gap for key in ahead if (gap := lead[key]) is not None]
            if len(gaps) == len(ahead):
                found.append((group, asks_near, min(gaps)))
    ranks = [rank_of([feet[i] for i in (group if near else group[::-1])]) for group, near, _ in found]
    for k in evenly(ranks, [len(group) for group, *_ in found], rng, [near for _, near, _ in found], opposite=True):
        yield _group_fact(scene, *found[k])


def _group_fact(scene: Scene, group: tuple[int, ...], asks_near: bool, margin: float) -> Fact:
    """``group`` is sorted by nearness."""
    winner = scene.objects[group[0] if asks_near else group[-1]]
    others = [scene.objects[i] for i in (group[1:] if asks_near else group[:-1])]
    right = all(_shortcut(winner, o) if asks_near else _shortcut(o, winner) for o in others)
    return Fact(
        task="nearer",
        form="nearer.nearest" if asks_near else "nearer.farthest",
        kind="ordinal",
        frame="camera",
        operands=tuple(o.object_id for o in (winner, *others)),
        style="among",
        answer=winner.name,
        wrong=tuple(o.name for o in others),
        value=float(winner.z[Q05]),
        unit=_unit(scene),
        margin=margin,
        formula=FORMULA,
        evidence=_evidence(scene, [winner, *others], right),
    )


def _evidence(scene: Scene, things: list[SceneObject], shortcut: bool) -> dict:
    roles = ["answer", *(["other"] * (len(things) - 1))] if len(things) > 2 else ["nearer", "farther"]
    return {
        "objects": [about(thing, role) for thing, role in zip(things, roles)],
        "z05": [rounded(float(thing.z[Q05])) for thing in things],
        "z50": [rounded(float(thing.z[Q50])) for thing in things],
        "shortcut": {"rule": "lower in the picture is nearer", "right": shortcut},
        **({"order_only": True} if scene.geometry.scale is Scale.AFFINE_DISPARITY else {}),
    }


def _unit(scene: Scene) -> str:
    return "m" if scene.geometry.scale is Scale.METRIC else "depth"

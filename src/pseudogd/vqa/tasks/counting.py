"""How many of the named things fulfil a condition in space?

The things are listed in the question: a photo holds more than what was annotated, and "how many chairs" would count
those as well. Conditions, each with the guard of its own task for every single thing, which must be clearly inside or
outside: *nearer*/*farther* (frame: camera) than a reference, as in `nearer`; *left*/*right* (camera) of it, as in
`direction`; *higher* (gravity) than it, as in `direction`; *within* so many metres of it (none; metric), between the
middles. Three or four things are listed, and how many of them fulfil the condition is drawn first, so that none and
all are as frequent as anything between.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.fairness import opposites
from pseudogd.vqa.guards import Margins, about, blend, in_turns
from pseudogd.vqa.phrasing import metres
from pseudogd.vqa.scene import Q05, Q50, Scene, SceneObject
from pseudogd.vqa.tasks._plan import mask_points, well_placed
from pseudogd.vqa.tasks._written import capital, few, has_middle, together, unseen
from pseudogd.vqa.tasks.direction import height_margin, side_margin
from pseudogd.vqa.tasks.nearer import near_margin
from pseudogd.vqa.words.counting import FORMS as FORMS
from pseudogd.vqa.words.telling import DEPTH, HEIGHT, SIDE

QUOTA = 1.0
NEEDS = "ordinal"
TELLING = {
    "counting.nearer": DEPTH,
    "counting.farther": DEPTH,
    "counting.left": SIDE,
    "counting.right": SIDE,
    "counting.higher": HEIGHT,
}

MOST_REFERENCES = 6
MOST_OTHERS = 8
SURER = 1.5
POSTPONED = 0.6
WITHIN = (1.0, 1.5, 2.0, 3.0, 4.0)
KINDS = {"higher": "bearing", "within": "metric"}
FRAMES = {"higher": "gravity", "within": "none"}
FORMULAS = {
    "nearer": "number of things whose 5% quantile of z-depth is below the reference's",
    "farther": "number of things whose 5% quantile of z-depth is above the reference's",
    "left": "number of things whose 10-90% interval of columns is left of the reference's",
    "right": "number of things whose 10-90% interval of columns is right of the reference's",
    "higher": "number of things whose quantiles of height along up are above the reference's",
    "within": "number of things with |centre - centre of the reference| below the limit",
}
OPPOSITE = {"left": "right", "right": "left"}


@dataclass(frozen=True)
class Split:
    """Things on either side of a condition about a reference, each with its margin."""

    reference: SceneObject
    inside: Sequence[tuple[SceneObject, float]]
    outside: Sequence[tuple[SceneObject, float]]
    limit: float | None = None


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """All conditions in turn; see the module."""
    # Three or four judgements in one answer: each must be surer than a single comparison.
    surer = replace(
        margins,
        sigmas=SURER * margins.sigmas,
        depth_ratio=margins.depth_ratio**SURER,
        rank_gap=SURER * margins.rank_gap,
        side_gap=SURER * margins.side_gap,
        height_gap=SURER * margins.height_gap,
    )
    references = [scene.objects[k] for k in rng.permutation(len(scene))[:MOST_REFERENCES]]
    others = [scene.objects[k] for k in few(rng, len(scene), MOST_OTHERS)]

    # Only of the sides is the depth of no account.
    placed = {thing.object_id for thing in others if well_placed(scene, thing)}
    stands = [thing for thing in references if thing.object_id in placed]
    placed_others = [thing for thing in others if thing.object_id in placed]
    yield from blend(
        rng,
        (2, _counted(scene, ("nearer", "farther"), _depth_splits(scene, stands, placed_others, surer), rng)),
        (1, _counted(scene, ("left", "right"), _side_splits(references, others, surer), rng)),
        (1, _counted(scene, ("higher",), _height_splits(scene, stands, placed_others, surer), rng)),
        (1, _counted(scene, ("within",), _within_splits(scene, stands, placed_others, surer), rng, margins.fair)),
    )


def answer(scene: Scene, fact: Fact) -> str | None:
    """The number of listed things that fulfil the condition by their middles (near faces for distance)."""
    reference, *things = (scene.objects[scene.index(operand)] for operand in fact.operands)
    form = fact.form.split(".")[1]
    if form == "higher" and any(thing.height is None for thing in (reference, *things)):
        return None
    limit = float(fact.measures["d"]) if form == "within" else 0.0
    return str(sum(_fulfils(form, thing, reference, limit) for thing in things))


def mirrored(fact: Fact) -> Fact:
    """The same fact in the mirrored scene."""
    form = fact.form.split(".")[1]
    return replace(fact, form=f"counting.{OPPOSITE.get(form, form)}")


def steps(fact: Fact) -> list[str]:
    """Which of the things fulfil the condition, which do not, and how many that makes."""
    form = fact.form.split(".")[1]
    reference = fact.evidence["objects"][0]["name"]
    said = {
        "nearer": f"closer to the camera than the {reference}",
        "farther": f"farther from the camera than the {reference}",
        "left": f"to the left of the {reference}",
        "right": f"to the right of the {reference}",
        "higher": f"higher than the {reference}",
        "within": f"within {fact.slots.get('d')} of the {reference}",
    }[form]
    lines = []
    for role, text in (("inside", capital(said)), ("outside", f"Not {said}")):
        names = [str(entry["name"]) for entry in fact.evidence["objects"] if entry["role"] == role]
        lines += [f"{text}: {together(names)}."] if names else []
    return [*lines, f"That makes {fact.answer}."]


def _fulfils(form: str, thing: SceneObject, reference: SceneObject, limit: float) -> bool:
    if form in ("nearer", "farther"):
        return bool(thing.z[Q05] < reference.z[Q05]) == (form == "nearer")
    if form in ("left", "right"):
        return bool(thing.u[Q50] < reference.u[Q50]) == (form == "left")
    if form == "higher":
        assert thing.height is not None and reference.height is not None
        return bool(thing.height[Q50] > reference.height[Q50])
    assert thing.centre is not None and reference.centre is not None
    return float(np.linalg.norm(thing.centre - reference.centre)) < limit


# ---------------------------------------------------------------- which things are surely inside or outside
def _depth_splits(
    scene: Scene, references: Sequence[SceneObject], others: Sequence[SceneObject], margins: Margins
) -> Iterator[Split]:
    for reference in references:
        rest = [thing for thing in others if thing is not reference]
        near = [(thing, near_margin(scene, thing, reference, margins)) for thing in rest]
        far = [(thing, near_margin(scene, reference, thing, margins)) for thing in rest]
        yield Split(reference, _sure(near), _sure(far))


def _side_splits(references: Sequence[SceneObject], others: Sequence[SceneObject], margins: Margins) -> Iterator[Split]:
    for reference in references:
        rest = [thing for thing in others if thing is not reference]
        left = [(thing, side_margin(thing, reference, margins)) for thing in rest]
        right = [(thing, side_margin(reference, thing, margins)) for thing in rest]
        yield Split(reference, _sure(left), _sure(right))


def _height_splits(
    scene: Scene, references: Sequence[SceneObject], others: Sequence[SceneObject], margins: Margins
) -> Iterator[Split]:
    if not (scene.supports("bearing") and scene.has_gravity):
        return

    def over(high: SceneObject, low: SceneObject) -> float | None:
        sure = height_margin(scene, high, low, margins)
        # Most of a lamp that is seen is its shade: the middles of the extents must say the same.
        gap = middles[high.object_id] - middles[low.object_id]
        return None if sure is None or gap < margins.height_gap * scene.unit else min(sure[0], gap) / scene.unit

    whole = [thing for thing in others if has_middle(thing)]
    middles = {thing.object_id: _middle_height(scene, thing) for thing in (*whole, *references)}
    for reference in references:
        if not has_middle(reference):
            continue
        rest = [thing for thing in whole if thing is not reference]
        yield Split(
            reference,
            _sure([(thing, over(thing, reference)) for thing in rest]),
            _sure([(thing, over(reference, thing)) for thing in rest]),
        )


def _within_splits(
    scene: Scene, references: Sequence[SceneObject], others: Sequence[SceneObject], margins: Margins
) -> Iterator[Split]:
    if not scene.supports("metric"):
        return
    good = [scene.index(thing.object_id) for thing in others if has_middle(thing)]
    for reference in references:
        if not has_middle(reference):
            continue
        start = scene.index(reference.object_id)
        for limit in WITHIN:
            inside: list[tuple[SceneObject, float]] = []
            outside: list[tuple[SceneObject, float]] = []
            for k in good:
                if k == start:
                    continue
                room = limit - float(scene.distances[start, k])
                back = math.hypot(unseen(reference), unseen(scene.objects[k]))
                error = math.hypot(float(scene.distance_errors[start, k]), back)
                least = max(margins.closest_gap, margins.sigmas * error)
                if abs(room) > least:
                    (inside if room > 0 else outside).append((scene.objects[k], abs(room)))
            yield Split(reference, inside, outside, limit)


def _middle_height(scene: Scene, thing: SceneObject) -> float:
    low, high = np.quantile(mask_points(scene, thing)[:, 1], (0.02, 0.98))
    return -float(low + high) / 2


def _sure(things: Sequence[tuple[SceneObject, float | None]]) -> list[tuple[SceneObject, float]]:
    return [(thing, margin) for thing, margin in things if margin is not None]


# ---------------------------------------------------------------- how many of them are listed
def _counted(
    scene: Scene, forms: tuple[str, ...], splits: Iterable[Split], rng: np.random.Generator, opposed: bool = False
) -> Iterator[Fact]:
    """Facts of one condition (and its opposite): every number of things that it allows, in turn.

    Few things about a reference allow little but none and all, so where there is a choice those are mostly put last.
    ``opposed``: of each limit as many facts of n of m things as of m - n of them, so that the limit does not tell.
    """
    found = []
    for split in splits:
        for form in forms:
            inside, outside = split.inside, split.outside
            if form in ("farther", "right"):
                inside, outside = outside, inside
            for size in (3, 4):
                least, most = max(0, size - len(outside)), min(size, len(inside))
                found += [(split, form, size, count) for count in range(least, most + 1)]
    if opposed:
        kinds = [(split.limit, form, size) for split, form, size, _ in found]
        order = opposites([[2 * count - size] for *_, size, count in found], rng, kinds)
        yield from (_number(scene, *found[k], rng) for k in order)
        return
    last = {(size, count) for size in (3, 4) for count in (0, size) if rng.random() < POSTPONED}
    classes = [(size, count) for *_, size, count in found]
    parts = [[k for k, key in enumerate(classes) if (key in last) == late] for late in (False, True)]
    for k in (part[n] for part in parts for n in in_turns([classes[k] for k in part], rng)):
        yield _number(scene, *found[k], rng)


def _number(scene: Scene, split: Split, form: str, size: int, count: int, rng: np.random.Generator) -> Fact:
    inside, outside = split.inside, split.outside
    if form in ("farther", "right"):
        inside, outside = outside, inside
    chosen = [inside[n] for n in rng.permutation(len(inside))[:count]]
    rest = [outside[n] for n in rng.permutation(len(outside))[: size - count]]
    return _fact(scene, form, split, chosen, rest, rng)


def _fact(
    scene: Scene,
    form: str,
    split: Split,
    inside: Sequence[tuple[SceneObject, float]],
    outside: Sequence[tuple[SceneObject, float]],
    rng: np.random.Generator,
) -> Fact:
    things = [(thing, role, m) for role, part in (("inside", inside), ("outside", outside)) for thing, m in part]
    things = [things[n] for n in rng.permutation(len(things))]
    others = [str(n) for n in range(len(things) + 1) if n != len(inside)]
    others = [others[n] for n in sorted(rng.choice(len(others), 3, replace=False))]
    slots = {"a": split.reference.name, "list": together([thing.name for thing, *_ in things])}
    measures = {}
    if split.limit is not None:
        slots["d"], measures["d"] = metres(split.limit), split.limit
    return Fact(
        task="counting",
        form=f"counting.{form}",
        kind=KINDS.get(form, "ordinal"),
        frame=FRAMES.get(form, "camera"),
        operands=tuple(thing.object_id for thing in (split.reference, *(thing for thing, *_ in things))),
        style="value",
        answer=str(len(inside)),
        wrong=tuple(others),
        value=float(len(inside)),
        unit="things",
        margin=min(margin for *_, margin in things),
        formula=FORMULAS[form],
        slots=slots,
        evidence={
            "objects": [about(split.reference, "reference"), *(about(thing, role) for thing, role, _ in things)],
            "margins": rounded([float(margin) for *_, margin in things], 3),
            "shortcut": {"rule": "the flat picture", "right": _on_screen(form, split.reference, things)},
        },
        measures=measures,
    )


def _on_screen(form: str, reference: SceneObject, things: Sequence[tuple[SceneObject, str, float]]) -> bool:
    """Whether the picture's rows (columns) alone give the same number."""

    def rule(thing: SceneObject) -> bool:
        if form in ("nearer", "farther"):
            return bool(thing.v[-1] > reference.v[-1]) == (form == "nearer")
        if form == "higher":
            return bool(thing.v[Q50] < reference.v[Q50])
        if form == "within":
            apart = math.hypot(float(thing.u[Q50] - reference.u[Q50]), float(thing.v[Q50] - reference.v[Q50]))
            return apart < 0.35
        return bool(thing.u[Q50] < reference.u[Q50]) == (form == "left")

    return sum(rule(thing) for thing, *_ in things) == sum(role == "inside" for _, role, _ in things)

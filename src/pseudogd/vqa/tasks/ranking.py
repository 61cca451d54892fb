"""The order of three or four things: by distance to the camera, or by real height.

*Distance* (frame: camera): as in `nearer`, the 5 % quantile of z-depth; every two of the group must be told apart by
the guard of that task, with margins half as wide again. *Height* (frame: gravity): as in `size`, the extent along up
of things that are seen whole, every two told apart by the guard of that task. Wrong options are other orders of the
same things, drawn evenly of all there are, so that an order is not known by its likeness to the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations, islice, permutations

import numpy as np

from pseudogd.geometry.types import Scale
from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins, about, blend, in_turns, seen_well
from pseudogd.vqa.phrasing import Form, meant, metres
from pseudogd.vqa.scene import Q05, Q98, Scene, SceneObject
from pseudogd.vqa.tasks._plan import well_placed
from pseudogd.vqa.tasks._written import few, in_a_row, names_of, together
from pseudogd.vqa.tasks.nearer import near_margin
from pseudogd.vqa.tasks.size import SMALLEST, size_margin
from pseudogd.vqa.words.telling import DEPTH, SIZE

QUOTA = 1.0
NEEDS = "ordinal"

MOST_THINGS = 9
MOST_GROUPS = 40
WRONG = 3
SURER = 1.5
# form -> what comes first and last, in which order the sorted things are said
ENDS = {
    "near_far": ("nearest", "farthest", 1),
    "far_near": ("farthest", "nearest", -1),
    "short_tall": ("shortest", "tallest", 1),
    "tall_short": ("tallest", "shortest", -1),
}
FORMULAS = {
    "depth": "order of the 5% quantile of z-depth",
    "tall": "order of the extent along up (1-99% of the outline)",
}
RULES = {"depth": "lower in the picture is nearer", "tall": "taller in the picture is taller"}


def _wordings(first: str, last: str, scope: str) -> Form:
    order = f"from {first} to {last} {scope}"
    return Form(
        mc=(
            f"Which of these lists goes {order}?",
            f"Which is the right order {order}?",
            f"Which order is correct, {order}?",
            "Put {list} in order " + f"{order}: which order is right?",
            "Which list shows {list} sorted " + f"{order}?",
        ),
        open=(
            f"What is the order {order} of " + "{list}?",
            f"How are these ordered {order}: " + "{list}?",
            "In what order are {list}, " + f"{order}?",
            f"Sorted {order}, " + "what is the order of {list}?",
        ),
    )


FORMS = meant(
    {
        "ranking.near_far": _wordings("nearest", "farthest", "as seen from the camera"),
        "ranking.far_near": _wordings("farthest", "nearest", "as seen from the camera"),
        "ranking.short_tall": _wordings("shortest", "tallest", "in real height"),
        "ranking.tall_short": _wordings("tallest", "shortest", "in real height"),
    },
    {
        "ranking.near_far": (r"from nearest to farthest.*camera", r"farthest to|tall|short"),
        "ranking.far_near": (r"from farthest to nearest.*camera", r"nearest to|tall|short"),
        "ranking.short_tall": (r"from shortest to tallest in real height", r"tallest to|near|far"),
        "ranking.tall_short": (r"from tallest to shortest in real height", r"shortest to|near|far"),
    },
)
TELLING = {
    "ranking.near_far": DEPTH,
    "ranking.far_near": DEPTH,
    "ranking.short_tall": SIZE,
    "ranking.tall_short": SIZE,
}


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Orders by distance and, where sizes can be compared, by height."""
    # One wrong step of up to six spoils an order: each must be surer than a single comparison.
    margins = replace(
        margins,
        sigmas=SURER * margins.sigmas,
        depth_ratio=margins.depth_ratio**SURER,
        rank_gap=SURER * margins.rank_gap,
        size_ratio=margins.size_ratio**SURER,
    )
    order = [thing for thing in scene.objects if well_placed(scene, thing)]
    order = [order[k] for k in few(rng, len(order), MOST_THINGS)]
    order.sort(key=lambda thing: float(thing.z[Q05]))

    def nearer(near: SceneObject, far: SceneObject) -> float | None:
        return near_margin(scene, near, far, margins)

    def shorter(short: SceneObject, tall: SceneObject) -> float | None:
        return size_margin(tall, short, "tall", margins)

    whole: list[SceneObject] = []
    if scene.supports("ratio") and scene.has_gravity:
        whole = [thing for thing in order if seen_well(thing, scene) and _tall(thing) > SMALLEST * scene.unit]
        whole.sort(key=_tall)
    yield from blend(
        rng,
        (2, _orders(scene, order, nearer, ("near_far", "far_near"), rng)),
        (1, _orders(scene, whole, shorter, ("short_tall", "tall_short"), rng)),
    )


def answer(scene: Scene, fact: Fact) -> str | None:
    """The things of the fact in their order."""
    form = fact.form.split(".")[1]
    things = [scene.objects[scene.index(operand)] for operand in fact.operands]
    if form.endswith("near") or form.startswith("near"):
        things.sort(key=lambda thing: float(thing.z[Q05]))
    else:
        if any(thing.tall is None for thing in things):
            return None
        things.sort(key=_tall)
    names = names_of(fact)
    return in_a_row([names[thing.object_id] for thing in things[:: ENDS[form][2]]])


def steps(fact: Fact) -> list[str]:
    """What is known of each thing, then the order."""
    form = fact.form.split(".")[1]
    first, last, _ = ENDS[form]
    names, numbers = list(names_of(fact).values()), fact.evidence["measures"]
    if form in ("near_far", "far_near"):
        quantity = "the distance of the near side from the camera"
    else:
        quantity = "the real height"
    if fact.evidence["unit"] == "m":
        said = [metres(number) for number in numbers]
        told = ", ".join(f"the {name}: {text}" for name, text in zip(names, said))
        reason = f"Compared by {quantity}: {told}."
    elif fact.evidence["unit"] == "depth":
        told = ", ".join(f"the {name}: {number / min(numbers):.1f} times" for name, number in zip(names, numbers))
        reason = f"Compared by {quantity}, as a multiple of the smallest: {told}."
    else:
        reason = f"Compared by {quantity}."
    return [reason, f"From {first} to {last} that gives: {fact.answer}."]


def _tall(thing: SceneObject) -> float:
    return thing.tall or 0.0


def _orders(
    scene: Scene,
    things: Sequence[SceneObject],
    sure: Callable[[SceneObject, SceneObject], float | None],
    forms: tuple[str, str],
    rng: np.random.Generator,
) -> Iterator[Fact]:
    """Facts about groups of sorted things of which every two are told apart."""
    count = len(things)
    if count < 3:
        return
    lead = {(i, j): sure(things[i], things[j]) for i in range(count) for j in range(i + 1, count)}
    right = {(i, j): _shortcut(things[i], things[j], forms[0]) for i, j in lead}
    groups: dict[int, list[tuple[int, ...]]] = {}
    for size in (3, 4):
        every = list(combinations(range(count), size))
        drawn = (every[k] for k in rng.permutation(len(every)))
        good = (g for g in drawn if all(lead[key] is not None for key in combinations(g, 2)))
        groups[size] = list(islice(good, MOST_GROUPS))
    found = groups[3] + groups[4]
    classes = [(len(group), all(right[key] for key in combinations(group, 2))) for group in found]
    for k in in_turns(classes, rng):
        group = found[k]
        margin = min(lead[key] or 0.0 for key in combinations(group, 2))
        form = forms[int(rng.integers(2))]
        yield _fact(scene, [things[i] for i in group], form, margin, classes[k][1], rng)


def _shortcut(first: SceneObject, second: SceneObject, form: str) -> bool:
    """Whether the flat picture has the two in the order in which they are sorted."""
    return bool(first.v[Q98] > second.v[Q98] if form == "near_far" else first.bbox[3] < second.bbox[3])


def _fact(
    scene: Scene, group: list[SceneObject], form: str, margin: float, shortcut: bool, rng: np.random.Generator
) -> Fact:
    near = form in ("near_far", "far_near")
    quantity = "depth" if near else "tall"
    said = group[:: ENDS[form][2]]
    others = list(permutations([thing.name for thing in said]))[1:]
    wrong = [others[k] for k in rng.choice(len(others), WRONG, replace=False)]
    listed = [said[k].name for k in rng.permutation(len(said))]
    numbers = [float(thing.z[Q05]) if near else _tall(thing) for thing in said]
    scale = scene.geometry.scale
    return Fact(
        task="ranking",
        form=f"ranking.{form}",
        kind="ordinal" if near else "ratio",
        frame="camera" if near else "gravity",
        operands=tuple(thing.object_id for thing in said),
        style="value",
        answer=in_a_row([thing.name for thing in said]),
        wrong=tuple(in_a_row(names) for names in wrong),
        value=math.exp(margin) if scale is not Scale.AFFINE_DISPARITY else margin,
        unit="ratio" if scale is not Scale.AFFINE_DISPARITY else "rank",
        margin=margin,
        formula=FORMULAS[quantity],
        slots={"list": together(listed)},
        evidence={
            "objects": [about(thing, str(place)) for place, thing in enumerate(said, 1)],
            "measures": rounded(numbers),
            "unit": {Scale.METRIC: "m", Scale.UP_TO_SCALE: "depth"}.get(scale, "order"),
            "shortcut": {"rule": RULES[quantity], "right": shortcut},
        },
    )

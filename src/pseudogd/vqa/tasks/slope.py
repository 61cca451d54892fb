"""Whether the surface at a marked point is level, vertical or sloped, and which of four points has such a surface.

Frame: gravity. Angle between the surface's plane and the level: arccos |n . up| of the mean normal of a flat patch, in
[0, 90] degrees; level below 22.5, vertical above 67.5, sloped between. Asked only with normals and confident gravity,
if the angle keeps 15 degrees and twice the error of normal and gravity from these edges.

Floors and ceilings lie low and high in pictures, walls between them. Drawn fairly, every question is of two points in
nearly the same row (see `_opposed`): of one of them the kind is asked, with the kind of the other as the wrong answer,
or which of the two is of a kind.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins, about, blend, in_turns
from pseudogd.vqa.scene import Array, Scene
from pseudogd.vqa.tasks._marked import CHOICES, draw_points, points_of, spread_out, texts_of
from pseudogd.vqa.tasks._opposed import Opposed
from pseudogd.vqa.tasks._surfaces import Surfaces, alike, build_surfaces, kind_of, normals_at, some_of_each, sure_kinds
from pseudogd.vqa.words.slope import FORMS as FORMS

QUOTA = 1
NEEDS = "bearing"

KINDS = ("level", "sloped", "vertical")
MOST = 32
FORMULA = "arccos |n . up| of the mean normal of a flat patch"
RULE = "low in the picture is level, high is vertical"


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Single points of all three kinds in turn, and choices of four points; nothing without normals and gravity."""
    surfaces = build_surfaces(scene, margins) if scene.supports("bearing") and scene.has_gravity else None
    if surfaces is None:
        return
    if margins.fair:
        yield from _fair_facts(scene, surfaces, margins, rng)
        return
    chosen = some_of_each(surfaces, rng, MOST)
    tilt = tilts(surfaces.normal[chosen])
    sigma = np.hypot(surfaces.sigma[chosen], scene.settings.up_sigma)
    kinds, room = sure_kinds(tilt, sigma, surfaces.wide[chosen], margins)
    sure = [None if k < 0 else (KINDS[k], float(margin)) for k, margin in zip(kinds.tolist(), room)]
    yield from blend(
        rng,
        (2, _single(scene, surfaces, chosen, tilt, sigma, sure, rng)),
        *((1, _choice(scene, surfaces, chosen, tilt, sigma, sure, asked, rng)) for asked in ("level", "vertical")),
    )


def _fair_facts(scene: Scene, surfaces: Surfaces, margins: Margins, rng: np.random.Generator) -> Iterator[Fact]:
    """The same of two points that lie in the same row, as far from the middle of the picture."""
    tilt, sigma = tilts(surfaces.normal), np.hypot(surfaces.sigma, scene.settings.up_sigma)
    kinds, room = sure_kinds(tilt, sigma, surfaces.wide, margins)
    percent, pairs = surfaces.marks.percent, alike(scene, surfaces).different(kinds)

    def lower_is_level(k: int, other: int, kind: str) -> bool | None:
        """Whether the rule is right; None where it says nothing."""
        gap = int(percent[k, 1] - percent[other, 1])
        return None if gap == 0 or kind == "sloped" else (gap > 0) == (kind == "level")

    def single() -> Iterator[Fact]:
        groups = [pairs.opposed(kinds == a, kinds == b, rng) for a, b in combinations(range(len(KINDS)), 2)]
        for pair, _ in Opposed.joined(groups).drawn(rng):
            k, other = (int(p) for p in (pair if rng.integers(2) else pair[::-1]))
            kind, wrong = KINDS[kinds[k]], (KINDS[kinds[other]],)
            right = lower_is_level(k, other, kind)
            yield _fact(scene, surfaces, "at", [k], kind, wrong, float(tilt[k]), float(room[k]), sigma[k], right)

    def choice(asked: str) -> Iterator[Fact]:
        own = KINDS.index(asked)
        for pair, _ in pairs.opposed(kinds == own, kinds != own, rng).drawn(rng):
            k, other = picks = [int(p) for p in pair]
            texts, right = texts_of(surfaces.marks, picks), lower_is_level(k, other, asked)
            margin = float(room[picks].min())
            yield _fact(
                scene, surfaces, f"which_{asked}", picks, texts[0], (texts[1],), float(tilt[k]), margin, sigma[k], right
            )

    yield from blend(rng, (2, single()), *((1, choice(asked)) for asked in ("level", "vertical")))


def answer(scene: Scene, fact: Fact) -> str | None:
    """The kind of the surface now, or the one point whose surface is of the asked kind; None where several are."""
    found = normals_at(scene, fact) if scene.has_gravity else None
    if found is None:
        return None
    kinds = [kind_of(float(tilt), KINDS) for tilt in tilts(found[1])]
    if fact.form == "slope.at":
        return kinds[0]
    asked = fact.form.split("_")[1]
    return (fact.answer, *fact.wrong)[kinds.index(asked)] if kinds.count(asked) == 1 else None


def steps(fact: Fact) -> list[str]:
    """The tilt and what it is called."""
    where, kind = (fact.slots["p"], fact.answer) if fact.form == "slope.at" else (fact.answer, fact.form.split("_")[1])
    known = {"level": "close to 0", "vertical": "close to 90", "sloped": "neither close to 0 nor to 90"}
    return [
        f"The surface at {where} is tilted by about {round(fact.value)} degrees from the level.",
        f"That is {known[kind]} degrees, so it is {kind}.",
    ]


def tilts(normals: Array) -> Array:
    """(M,) angles between planes and the level in radians, of normals in the gravity frame."""
    angles: Array = np.arccos(np.clip(np.abs(normals[:, 1]), 0.0, 1.0))
    return angles


Sure = Sequence[tuple[str, float] | None]


def _single(
    scene: Scene, surfaces: Surfaces, chosen: list[int], tilt: Array, sigma: Array, sure: Sure, rng: np.random.Generator
) -> Iterator[Fact]:
    kept = [(k, *kind) for k, kind in enumerate(sure) if kind is not None]
    low = [bool(surfaces.marks.percent[chosen[k], 1] > 50) for k, *_ in kept]
    flat = [(kind == "level") == lower and kind != "sloped" for (_, kind, _), lower in zip(kept, low)]
    for n in in_turns([(kind, right) for (_, kind, _), right in zip(kept, flat)], rng):
        k, kind, margin = kept[n]
        wrong = tuple(other for other in KINDS if other != kind)
        yield _fact(scene, surfaces, "at", [chosen[k]], kind, wrong, float(tilt[k]), margin, sigma[k], flat[n])


def _choice(
    scene: Scene,
    surfaces: Surfaces,
    chosen: list[int],
    tilt: Array,
    sigma: Array,
    sure: Sure,
    asked: str,
    rng: np.random.Generator,
) -> Iterator[Fact]:
    kinds = [None if kind is None else kind[0] for kind in sure]
    place = {index: k for k, index in enumerate(chosen)}
    wrong = [chosen[k] for k, kind in enumerate(kinds) if kind not in (None, asked)]
    percent = surfaces.marks.percent
    for k in range(len(chosen)):
        if kinds[k] != asked:
            continue
        order = [wrong[n] for n in rng.permutation(len(wrong))]
        picks = spread_out(percent, order, [chosen[k]], CHOICES)
        if len(picks) < CHOICES:
            continue
        texts = texts_of(surfaces.marks, picks)
        lower = percent[picks, 1] if asked == "level" else -percent[picks, 1]
        margins_of = [sure[place[p]] for p in picks]
        margin = min(kind[1] for kind in margins_of if kind is not None)
        right = bool(lower.argmax() == 0)
        answer, others = texts[0], tuple(texts[1:])
        yield _fact(
            scene, surfaces, f"which_{asked}", picks, answer, others, float(tilt[k]), margin, float(sigma[k]), right
        )


def _fact(
    scene: Scene,
    surfaces: Surfaces,
    form: str,
    picks: list[int],
    answer: str,
    wrong: tuple[str, ...],
    tilt: float,
    margin: float,
    sigma: float,
    shortcut: bool | None,
) -> Fact:
    marks = surfaces.marks
    on = [scene.objects[k] for k in dict.fromkeys(int(marks.label[p]) for p in picks) if k >= 0]
    return Fact(
        task="slope",
        form=f"slope.{form}",
        kind="bearing",
        frame="gravity",
        operands=(),
        style="value" if form == "at" else "point",
        answer=answer,
        wrong=wrong,
        value=math.degrees(tilt),
        unit="degrees",
        margin=math.degrees(margin),
        formula=FORMULA,
        slots={"p": texts_of(marks, picks)[0]} if form == "at" else {},
        evidence={
            "objects": [about(thing, "under a point") for thing in on],
            "points": points_of(scene, marks, picks),
            "normals": rounded(surfaces.normal[picks], 3),
            "sigma": rounded(math.degrees(float(sigma)), 2),
            **({} if shortcut is None else {"shortcut": {"rule": RULE, "right": shortcut}}),
            "draw": draw_points(marks, picks),
        },
    )

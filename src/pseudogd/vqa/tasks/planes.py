"""Two surfaces at marked points: parallel, perpendicular or neither, and which point's surface is so to another.

Angle between planes: arccos |n1 . n2| of the mean normals of flat patches, in [0, 90] degrees; parallel below 22.5,
perpendicular above 67.5, neither between. Asked only if the angle keeps 15 degrees (and twice the propagated error of
the normals) from these edges, so "parallel" are angles below 7.5. Two points of one plane are not asked about: that is
one surface. Needs normals; depth may be up to scale. What the pieces are called plays no part.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins, about, blend, in_turns
from pseudogd.vqa.phrasing import point
from pseudogd.vqa.scene import Array, Scene
from pseudogd.vqa.tasks._marked import APART, CHOICES, apart, draw_points, points_of, spread_out, texts_of
from pseudogd.vqa.tasks._opposed import Alike, Opposed
from pseudogd.vqa.tasks._surfaces import Surfaces, alike, build_surfaces, kind_of, normals_at, some_of_each, sure_kinds
from pseudogd.vqa.words.planes import FORMS as FORMS

QUOTA = 1
NEEDS = "bearing"

KINDS = ("parallel", "neither", "perpendicular")
MOST = 16
STEP = 0.1
FORMULA = "arccos |n1 . n2| of the mean normals of flat patches"
Picks = int | NDArray[np.int64]


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Pairs of points, and which of four points has a surface parallel (perpendicular) to that of a fifth.

    Drawn fairly it is which of two, in nearly the same row; and of pairs, one of two points with a third.
    """
    surfaces = build_surfaces(scene, margins) if scene.supports("bearing") else None
    if surfaces is None:
        return
    chosen = some_of_each(surfaces, rng, MOST)
    if margins.fair:
        yield from _fair_facts(scene, surfaces, chosen, margins, rng)
        return
    pairs = _Pairs.of(surfaces, chosen, margins)
    yield from blend(
        rng,
        (2, _pairs(scene, surfaces, pairs, rng)),
        (1, _choices(scene, surfaces, pairs, "parallel", rng)),
        (1, _choices(scene, surfaces, pairs, "perpendicular", rng)),
    )


def _fair_facts(
    scene: Scene, surfaces: Surfaces, chosen: list[int], margins: Margins, rng: np.random.Generator
) -> Iterator[Fact]:
    """For each of the chosen points two others of which one makes the asked angle with it (or a coin says which)."""
    to_each = dict(zip(chosen, _to_each(scene, surfaces, chosen, margins)))

    def asked_of(name: str | None) -> Iterator[Fact]:
        for anchor in (chosen[k] for k in rng.permutation(len(chosen))):
            one = to_each[anchor]
            if not len(one.pairs.first):
                continue  # most often
            groups = []
            for k, other in combinations(range(len(KINDS)), 2):
                pair = (k, other) if name is None or KINDS[k] == name else (other, k)
                if name in (None, KINDS[pair[0]]):
                    groups.append(one.pairs.opposed(one.kinds == pair[0], one.kinds == pair[1], rng))
            found = next(Opposed.joined(groups).drawn(rng), None)
            if found is None:
                continue
            k, beside = (int(p) for p in (found[0] if name or rng.integers(2) else found[0][::-1]))
            numbers = (float(one.angles[k]), float(one.room[k]), float(one.sigma[k]))
            if name is None:
                picks = [anchor, k] if rng.integers(2) else [k, anchor]
                yield _fact(scene, surfaces, "pair", picks, KINDS[one.kinds[k]], (KINDS[one.kinds[beside]],), numbers)
            else:
                picks, texts = [k, beside, anchor], texts_of(surfaces.marks, [k, beside])
                yield _fact(scene, surfaces, f"which_{name}", picks, texts[0], (texts[1],), numbers)

    yield from blend(rng, (2, asked_of(None)), (1, asked_of("parallel")), (1, asked_of("perpendicular")))


@dataclass(frozen=True, eq=False)
class _ToOne:
    """Of all surfaces (M,) with one of them: ``angles``, their errors, sure ``kinds`` (-1: unsure, too near, or one
    plane) and ``room``; ``pairs``: points of two kinds that may be asked about fairly."""

    angles: Array
    sigma: Array
    kinds: NDArray[np.int64]
    room: Array
    pairs: Alike


def _to_each(scene: Scene, surfaces: Surfaces, anchors: Sequence[int], margins: Margins) -> Iterator[_ToOne]:
    """Of each of the anchors, in order."""
    percent, normal, every = surfaces.marks.percent, surfaces.normal, alike(scene, surfaces)
    cosines = np.array([normal @ normal[anchor] for anchor in anchors])
    angles: Array = np.arccos(np.clip(np.abs(cosines), 0.0, 1.0))
    sigma: Array = np.hypot(surfaces.sigma, surfaces.sigma[anchors, None])
    kinds, room = sure_kinds(angles, sigma, surfaces.wide & surfaces.wide[anchors, None], margins)
    clear = ((percent - percent[anchors, None]) ** 2).sum(axis=-1) >= APART**2
    level = np.nonzero(kinds == 0)
    clear[level] &= _different(scene, surfaces, np.asarray(anchors)[level[0]], level[1])
    kinds = np.where(clear, kinds, -1)
    for row in zip(angles, sigma, kinds, room):
        yield _ToOne(*row, every.different(row[2]))


def answer(scene: Scene, fact: Fact) -> str | None:
    """The kind of the angle now, or the one point whose surface is of the asked kind; None where several are."""
    found = normals_at(scene, fact)
    if found is None:
        return None
    angles = angles_between(found[1])
    if fact.form == "planes.pair":
        return kind_of(float(angles[0, 1]), KINDS)
    kinds = [kind_of(float(angle), KINDS) for angle in angles[-1, :-1]]
    asked = fact.form.split("_")[1]
    return (fact.answer, *fact.wrong)[kinds.index(asked)] if kinds.count(asked) == 1 else None


def steps(fact: Fact) -> list[str]:
    """The angle and what it is called."""
    angle, kind = round(fact.value), fact.answer if fact.form == "planes.pair" else fact.form.split("_")[1]
    if fact.form == "planes.pair":
        first = f"The surfaces at {fact.slots['p']} and {fact.slots['q']} make an angle of about {angle} degrees."
    else:
        first = f"The surfaces at {fact.answer} and {fact.slots['p']} make an angle of about {angle} degrees."
    known = {"parallel": "close to 0", "perpendicular": "close to 90", "neither": "neither close to 0 nor to 90"}
    last = "so they are neither parallel nor perpendicular" if kind == "neither" else f"so they are {kind}"
    return [first, f"That is {known[kind]} degrees, {last}."]


def angles_between(normals: Array) -> Array:
    """(M, M) angles between planes in radians, [0, pi / 2]."""
    angles: Array = np.arccos(np.clip(np.abs(normals @ normals.T), 0.0, 1.0))
    return angles


def _different(scene: Scene, surfaces: Surfaces, i: Picks, j: Picks) -> NDArray[np.bool_]:
    """Whether points lie on two planes, or on two sides of one; of two points or of many."""
    points, normal, z = surfaces.marks.points, surfaces.normal, surfaces.marks.z
    assert points is not None
    step = np.abs(((points[j] - points[i]) * (normal[i] + normal[j])).sum(axis=-1)) / 2
    least = np.maximum(STEP * scene.unit, 2 * scene.settings.depth_sigma * np.maximum(z[i], z[j]))
    different: NDArray[np.bool_] = ((normal[i] * normal[j]).sum(axis=-1) < 0) | (step > least)
    return different


@dataclass(frozen=True, eq=False)
class _Pairs:
    """``chosen``: indices of surfaces; of each pair the angle and its error in radians, and its sure kind or None."""

    chosen: list[int]
    angles: Array
    sigma: Array
    kinds: list[list[tuple[str, float] | None]]

    @classmethod
    def of(cls, surfaces: Surfaces, chosen: list[int], margins: Margins) -> _Pairs:
        angles, error = angles_between(surfaces.normal[chosen]), surfaces.sigma[chosen]
        sigma, wide = np.hypot(error[:, None], error), surfaces.wide[chosen]
        which, room = sure_kinds(angles, sigma, wide[:, None] & wide, margins)
        kinds = [
            [None if k < 0 else (KINDS[k], margin) for k, margin in zip(*rows)]
            for rows in zip(which.tolist(), room.tolist())
        ]
        return cls(chosen, angles, sigma, kinds)


def _pairs(scene: Scene, surfaces: Surfaces, pairs: _Pairs, rng: np.random.Generator) -> Iterator[Fact]:
    chosen, found = pairs.chosen, []
    for i in range(len(chosen)):
        for j in range(i):
            kind = pairs.kinds[i][j]
            if kind is None or not apart(surfaces.marks.percent, [chosen[i]], chosen[j]):
                continue
            if kind[0] != "parallel" or _different(scene, surfaces, chosen[i], chosen[j]):
                found.append((i, j, *kind))
    if len({entry[2] for entry in found}) < 2:
        return  # where only one answer is to be had, it is most often "perpendicular"
    for k in in_turns([entry[2] for entry in found], rng):
        i, j, name, margin = found[k]
        picks = [chosen[i], chosen[j]] if rng.integers(2) else [chosen[j], chosen[i]]
        wrong = tuple(other for other in KINDS if other != name)
        numbers = (float(pairs.angles[i, j]), margin, float(pairs.sigma[i, j]))
        yield _fact(scene, surfaces, "pair", picks, name, wrong, numbers)


def _choices(scene: Scene, surfaces: Surfaces, pairs: _Pairs, asked: str, rng: np.random.Generator) -> Iterator[Fact]:
    """For each fifth point at most one right point, with three whose surfaces are surely of another kind."""
    percent, chosen = surfaces.marks.percent, pairs.chosen
    for start, anchor in enumerate(chosen):
        others = [(k, kind) for k, kind in enumerate(pairs.kinds[start]) if k != start and kind is not None]
        wrong = [chosen[k] for k, kind in others if kind[0] != asked]
        right = [(k, kind[1]) for k, kind in others if kind[0] == asked and apart(percent, [anchor], chosen[k])]
        if asked == "parallel":
            right = [(k, margin) for k, margin in right if _different(scene, surfaces, anchor, chosen[k])]
        if not right:
            continue
        k, margin = right[int(rng.integers(len(right)))]
        order = [wrong[n] for n in rng.permutation(len(wrong))]
        spread = spread_out(percent, order, [anchor, chosen[k]], CHOICES + 1)
        if len(spread) <= CHOICES:
            continue
        picks = [*spread[1:], anchor]
        texts = texts_of(surfaces.marks, picks)
        numbers = (float(pairs.angles[start, k]), margin, float(pairs.sigma[start, k]))
        yield _fact(scene, surfaces, f"which_{asked}", picks, texts[0], tuple(texts[1:CHOICES]), numbers)


def _fact(
    scene: Scene,
    surfaces: Surfaces,
    form: str,
    picks: Sequence[int],
    answer: str,
    wrong: tuple[str, ...],
    numbers: tuple[float, float, float],
) -> Fact:
    """``numbers``: angle, margin and error in radians."""
    marks, (angle, margin, sigma) = surfaces.marks, numbers
    texts = [point(*marks.percent[k]) for k in picks]
    slots = {"p": texts[0], "q": texts[1]} if form == "pair" else {"p": texts[-1]}
    on = [scene.objects[k] for k in dict.fromkeys(int(marks.label[p]) for p in picks) if k >= 0]
    return Fact(
        task="planes",
        form=f"planes.{form}",
        kind="bearing",
        frame="none",
        operands=(),
        style="value" if form == "pair" else "point",
        answer=answer,
        wrong=wrong,
        value=math.degrees(angle),
        unit="degrees",
        margin=math.degrees(margin),
        formula=FORMULA,
        slots=slots,
        evidence={
            "objects": [about(thing, "under a point") for thing in on],
            "points": points_of(scene, marks, picks),
            "normals": rounded(surfaces.normal[list(picks)], 3),
            "sigma": rounded(math.degrees(sigma), 2),
            "draw": draw_points(marks, picks),
        },
    )

"""Two surfaces at marked points: parallel, perpendicular or neither, and which point's surface is so to another.

Angle between planes: arccos |n1 . n2| of the mean normals of flat patches, in [0, 90] degrees; parallel below 22.5,
perpendicular above 67.5, neither between. Asked only if the angle keeps 15 degrees (and twice the propagated error of
the normals) from these edges, so "parallel" are angles below 7.5. Two points of one plane are not asked about: that is
one surface. Needs normals; depth may be up to scale. What the pieces are called plays no part.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins, about, blend, in_turns
from pseudogd.vqa.phrasing import point
from pseudogd.vqa.scene import Array, Scene
from pseudogd.vqa.tasks._marked import CHOICES, apart, draw_points, points_of, spread_out, texts_of
from pseudogd.vqa.tasks._surfaces import Surfaces, build_surfaces, kind_of, normals_at, some_of_each, sure_kind
from pseudogd.vqa.words.planes import FORMS as FORMS

QUOTA = 1
NEEDS = "bearing"

KINDS = ("parallel", "neither", "perpendicular")
MOST = 16
STEP = 0.1
FORMULA = "arccos |n1 . n2| of the mean normals of flat patches"


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Pairs of points, and which of four points has a surface parallel (perpendicular) to that of a fifth."""
    surfaces = build_surfaces(scene, margins) if scene.supports("bearing") else None
    if surfaces is None:
        return
    chosen = some_of_each(surfaces, rng, MOST)
    angles = angles_between(surfaces.normal[chosen])
    yield from blend(
        rng,
        (2, _pairs(scene, surfaces, chosen, angles, rng, margins)),
        (1, _choices(scene, surfaces, chosen, angles, "parallel", rng, margins)),
        (1, _choices(scene, surfaces, chosen, angles, "perpendicular", rng, margins)),
    )


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


def _different(scene: Scene, surfaces: Surfaces, i: int, j: int) -> bool:
    """Whether two points lie on two planes, or on two sides of one."""
    points, normal = surfaces.marks.points, surfaces.normal
    assert points is not None
    if float(normal[i] @ normal[j]) < 0:
        return True
    step = abs(float((points[j] - points[i]) @ (normal[i] + normal[j]))) / 2
    z = max(surfaces.marks.z[i], surfaces.marks.z[j])
    return step > max(STEP * scene.unit, 2 * scene.settings.depth_sigma * float(z))


def _pairs(
    scene: Scene, surfaces: Surfaces, chosen: list[int], angles: Array, rng: np.random.Generator, margins: Margins
) -> Iterator[Fact]:
    found = []
    for i in range(len(chosen)):
        for j in range(i):
            sigma = math.hypot(surfaces.sigma[chosen[i]], surfaces.sigma[chosen[j]])
            kind = sure_kind(float(angles[i, j]), sigma, margins, KINDS)
            if kind is None or not apart(surfaces.marks.percent, [chosen[i]], chosen[j]):
                continue
            if kind[0] != "parallel" or _different(scene, surfaces, chosen[i], chosen[j]):
                found.append((i, j, sigma, *kind))
    for k in in_turns([entry[3] for entry in found], rng):
        i, j, sigma, name, margin = found[k]
        picks = [chosen[i], chosen[j]] if rng.integers(2) else [chosen[j], chosen[i]]
        wrong = tuple(other for other in KINDS if other != name)
        yield _fact(scene, surfaces, "pair", picks, name, wrong, float(angles[i, j]), margin, sigma)


def _choices(
    scene: Scene,
    surfaces: Surfaces,
    chosen: list[int],
    angles: Array,
    asked: str,
    rng: np.random.Generator,
    margins: Margins,
) -> Iterator[Fact]:
    for start in range(len(chosen)):
        kinds = [
            sure_kind(
                float(angles[start, k]),
                math.hypot(surfaces.sigma[chosen[start]], surfaces.sigma[chosen[k]]),
                margins,
                KINDS,
            )
            for k in range(len(chosen))
        ]
        right = [k for k, kind in enumerate(kinds) if k != start and kind is not None and kind[0] == asked]
        wrong = [chosen[k] for k, kind in enumerate(kinds) if k != start and kind is not None and kind[0] != asked]
        anchor = chosen[start]
        percent = surfaces.marks.percent
        for k in (right[n] for n in rng.permutation(len(right))):
            first = chosen[k]
            if not apart(percent, [anchor], first):
                continue
            if asked == "parallel" and not _different(scene, surfaces, anchor, first):
                continue
            spread = spread_out(percent, [wrong[n] for n in rng.permutation(len(wrong))], [anchor, first], CHOICES + 1)
            if len(spread) <= CHOICES:
                break
            picks = [*spread[1:], anchor]
            texts = texts_of(surfaces.marks, picks)
            kind = kinds[k]
            assert kind is not None
            sigma = math.hypot(surfaces.sigma[anchor], surfaces.sigma[first])
            angle = float(angles[start, k])
            yield _fact(
                scene, surfaces, f"which_{asked}", picks, texts[0], tuple(texts[1:CHOICES]), angle, kind[1], sigma
            )
            break


def _fact(
    scene: Scene,
    surfaces: Surfaces,
    form: str,
    picks: Sequence[int],
    answer: str,
    wrong: tuple[str, ...],
    angle: float,
    margin: float,
    sigma: float,
) -> Fact:
    marks = surfaces.marks
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

"""Which of four marked surfaces faces the camera most directly (or is seen most from the side).

Quantity: angle between the mean normal of the flat patch at a point and the direction from there to the camera, 0 for
a surface seen straight on. Asked only if the answer's angle differs from every other by 15 degrees and twice the
propagated error of the normals, and so does its normal: two points of one wall, or of a wall and the cabinet before it,
are seen under different angles, but nobody would say that the one surface faces the camera more than the other. Needs
normals; gravity and scale play no part. A rule of the flat picture that comes near: the surface nearest to the middle
of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins, about, blend
from pseudogd.vqa.scene import Array, Scene
from pseudogd.vqa.tasks._marked import CHOICES, draw_points, leading_four, points_of, texts_of
from pseudogd.vqa.tasks._surfaces import Surfaces, alike, build_surfaces, normals_at
from pseudogd.vqa.words.faces_camera import FORMS as FORMS

QUOTA = 1
NEEDS = "bearing"

TRIES = 12
RULE = "nearest to the middle of the picture faces the camera"
FORMULA = "angle between the mean normal of a flat patch and the direction to the camera"


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Most and least directly seen of four points (drawn fairly, of two), in turn; nothing without normals."""
    surfaces = build_surfaces(scene, margins) if scene.supports("bearing") else None
    if surfaces is None or surfaces.marks.points is None:
        return
    angle = slants(surfaces.normal, surfaces.marks.points)
    facts_of = _fair_facts if margins.fair else _facts_of
    yield from blend(
        rng,
        (1, facts_of(scene, surfaces, angle, "most", rng, margins)),
        (1, facts_of(scene, surfaces, angle, "least", rng, margins)),
    )


def answer(scene: Scene, fact: Fact) -> str | None:
    """The marked point whose surface faces the camera most (least) in this scene."""
    found = normals_at(scene, fact)
    if found is None:
        return None
    angle = slants(found[1], found[0])
    best = angle.argmin() if fact.form == "faces_camera.most" else angle.argmax()
    return (fact.answer, *fact.wrong)[int(best)]


def steps(fact: Fact) -> list[str]:
    """The slants of all the surfaces, and which is the smallest (largest)."""
    told = [
        f"{angle:.0f} degrees at {text}" for angle, text in zip(fact.evidence["slants"], (fact.answer, *fact.wrong))
    ]
    word = "smallest" if fact.form == "faces_camera.most" else "largest"
    return [
        "The slant is the angle between a surface's normal and the direction to the camera.",
        f"It is about {', '.join(told[:-1])} and {told[-1]}.",
        f"The {word} of these is at {fact.answer}.",
    ]


def slants(normals: Array, points: Array) -> Array:
    """(M,) angles in radians between normals and the directions to the camera, which is the origin."""
    ray = points / np.linalg.norm(points, axis=1, keepdims=True)
    angles: Array = np.arccos(np.clip(-(normals * ray).sum(axis=1), -1.0, 1.0))
    return angles


def _facts_of(
    scene: Scene, surfaces: Surfaces, angle: Array, form: str, rng: np.random.Generator, margins: Margins
) -> Iterator[Fact]:
    marks = surfaces.marks
    score = angle if form == "most" else -angle
    usable = np.flatnonzero(surfaces.wide)
    off = _off_middle(surfaces)
    sigma, least = _errors(surfaces, margins)

    def turned(picks: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Of (n, 4) points: whether the first lies on a surface that is not parallel to those of the others."""
        first, others = surfaces.normal[picks[:, :1]], surfaces.normal[picks[:, 1:]]
        clear: NDArray[np.bool_] = (first * others).sum(axis=-1).max(axis=1) < math.cos(least)
        return clear

    for _ in range(TRIES):
        found = leading_four(score, least, off if form == "most" else -off, marks, usable, rng, turned)
        if found is None:
            continue
        yield _fact(scene, surfaces, angle, form, found, sigma, rng)


def _fair_facts(
    scene: Scene, surfaces: Surfaces, angle: Array, form: str, rng: np.random.Generator, margins: Margins
) -> Iterator[Fact]:
    """The same of two points in nearly the same row, as far from the middle of the picture."""
    score = angle if form == "most" else -angle
    off = _off_middle(surfaces) * (1 if form == "most" else -1)
    sigma, least = _errors(surfaces, margins)
    normal, wide = surfaces.normal, surfaces.wide

    def fits(first: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
        turned = (normal[first] * normal[other]).sum(axis=-1) < math.cos(least)
        return np.asarray((score[other] - score[first] > least) & turned)

    for picks, _ in islice(alike(scene, surfaces).opposed(wide, wide, rng, fits).drawn(rng), TRIES):
        first, other = picks
        right = None if off[first] == off[other] else bool(off[first] < off[other])
        lead = float(score[other] - score[first])
        yield _fact(scene, surfaces, angle, form, (picks, lead, right), sigma, rng)


def _off_middle(surfaces: Surfaces) -> Array:
    """(M,) percent from the middle of the picture."""
    off: Array = np.hypot(*(surfaces.marks.percent - 50.0).T)
    return off


def _errors(surfaces: Surfaces, margins: Margins) -> tuple[float, float]:
    """Standard error of the difference of two angles, and by how much two must differ, in radians."""
    sigma = math.hypot(float(np.median(surfaces.sigma)), float(surfaces.sigma.max()))
    return sigma, max(margins.surface, margins.sigmas * sigma)


def _fact(
    scene: Scene,
    surfaces: Surfaces,
    angle: Array,
    form: str,
    found: tuple[NDArray[np.int64], float, bool | None],
    sigma: float,
    rng: np.random.Generator,
) -> Fact:
    """``found``: the points, the lead of the first, and whether the rule of the flat picture is right (None: it says
    nothing)."""
    (picks, lead, right), marks = found, surfaces.marks
    texts = texts_of(marks, picks.tolist())
    on = [scene.objects[k] for k in dict.fromkeys(int(marks.label[p]) for p in picks) if k >= 0]
    return Fact(
        task="faces_camera",
        form=f"faces_camera.{form}",
        kind="bearing",
        frame="camera",
        operands=(),
        style="point",
        answer=texts[0],
        wrong=tuple(texts[1:CHOICES]),
        value=math.degrees(float(angle[picks[0]])),
        unit="degrees",
        margin=math.degrees(lead),
        formula=FORMULA,
        slots={"points": _listed(texts, rng)},
        evidence={
            "objects": [about(thing, "under a point") for thing in on],
            "points": points_of(scene, marks, picks.tolist()),
            "slants": rounded(np.degrees(angle[picks]), 1),
            "sigma": rounded(math.degrees(sigma), 2),
            **({} if right is None else {"shortcut": {"rule": RULE, "right": right}}),
            "draw": draw_points(marks, picks.tolist()),
        },
    )


def _listed(texts: list[str], rng: np.random.Generator) -> str:
    *head, last = (texts[k] for k in rng.permutation(len(texts)))
    return f"{', '.join(head)} or {last}"

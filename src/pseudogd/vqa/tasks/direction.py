"""Left / right and higher / lower, as seen from the camera (egocentric).

*Side* (frame: camera): 10-90 % intervals of the mask's columns, which are bearings whatever the depth. Asked only if
the intervals leave the margin between them, both things are mostly visible and neither lies in the other. *Height*
(frame: gravity): heights along up; asked only with confident gravity, if all of the 10 %, 50 % and 90 % quantiles have
one order and the medians differ by more than 5 cm and the propagated error (depth and tilt of gravity), more where the
higher one is lower in the picture (`prior`).
*Quadrant*: side and nearness at once, each with its own guard.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.fairness import evenly
from pseudogd.vqa.guards import Margins, about, blend, in_turns, nested, pairs
from pseudogd.vqa.phrasing import metres
from pseudogd.vqa.prior import sigmas_needed
from pseudogd.vqa.scene import Q02, Q05, Q10, Q50, Q90, Q98, Scene, SceneObject
from pseudogd.vqa.tasks.nearer import near_margin
from pseudogd.vqa.words.direction import FORMS as FORMS
from pseudogd.vqa.words.telling import DEPTH, HEIGHT, SIDE

QUOTA = 2
NEEDS = "ordinal"
TELLING = {"direction.side": SIDE, "direction.height": HEIGHT, "direction.quadrant": SIDE | DEPTH}

Found = list[tuple[SceneObject, SceneObject, bool, float, float]]
OPPOSITE = {"left": "right", "right": "left", "higher": "lower", "lower": "higher"}
STEP = 0.05  # of the picture's height: how far apart two feet are is no hint either
QUADRANTS = ("left_near", "left_far", "right_near", "right_far")


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Sides, heights and quadrants in turn; see the module for frames and guards."""
    couples = [(scene.objects[i], scene.objects[j]) for i, j in pairs(len(scene))]
    yield from blend(
        rng,
        (1, _side_facts(couples, margins, rng)),
        (1, _height_facts(scene, couples, margins, rng)),
        (1, (_fair_quadrants if margins.fair else _quadrant_facts)(scene, couples, margins, rng)),
    )


def answer(scene: Scene, fact: Fact) -> str | None:
    """Side by the middle column, height by the median, nearness by the near face."""
    a, b = (scene.objects[scene.index(operand)] for operand in fact.operands)
    if fact.form == "direction.height":
        if a.height is None or b.height is None:
            return None
        return "higher" if a.height[Q50] > b.height[Q50] else "lower"
    side = "left" if a.u[Q50] < b.u[Q50] else "right"
    return side if fact.form == "direction.side" else f"{side}_{'near' if a.z[Q05] < b.z[Q05] else 'far'}"


def steps(fact: Fact) -> list[str]:
    """How far apart the middles are, across or up."""
    a, b = fact.slots["a"], fact.slots["b"]
    if fact.form == "direction.height":
        length = metres(abs(fact.value)) if fact.evidence.get("metric") else None
        word = "above" if fact.value > 0 else "below"
        return [f"Measured along up, the middle of the {a} is {f'{length} ' if length else ''}{word} that of the {b}."]
    side = "left" if fact.value < 0 else "right"
    said = [f"In the picture, the middle of the {a} is {abs(fact.value):.0%} of its width {side} of that of the {b}."]
    if fact.form == "direction.quadrant":
        near = "closer to" if fact.answer.endswith("near") else "farther from"
        said.append(f"In depth, the {a} is {near} the camera than the {b}.")
    return said


def side_margin(left: SceneObject, right: SceneObject, margins: Margins) -> float | None:
    """Free columns between the two as share of the picture's width, or None if the first is not surely left."""
    room = float(right.u[Q10] - left.u[Q90])
    if room <= margins.side_gap or right.u[Q02] <= left.u[Q02] or right.u[Q98] <= left.u[Q98]:
        return None
    if max(left.occluded, right.occluded) >= margins.visible or nested(left, right):
        return None
    return room


def _side_facts(
    couples: list[tuple[SceneObject, SceneObject]], margins: Margins, rng: np.random.Generator
) -> Iterator[Fact]:
    found = []
    for a, b in couples:
        for left, right in ((a, b), (b, a)):
            room = side_margin(left, right, margins)
            if room is not None:
                found.append((left, right, room))
    for k in rng.permutation(len(found)):
        left, right, room = found[k]
        # Which of the two is asked about decides the answer: a fair coin, so neither side is more often right.
        a, b, answer = (left, right, "left") if rng.integers(2) else (right, left, "right")
        value = float(a.u[Q50] - b.u[Q50])
        yield _fact("direction.side", "ordinal", "camera", a, b, answer, (OPPOSITE[answer],), value, "width", room, {})


def _height_facts(
    scene: Scene, couples: list[tuple[SceneObject, SceneObject]], margins: Margins, rng: np.random.Generator
) -> Iterator[Fact]:
    if not (scene.supports("bearing") and scene.has_gravity):
        return
    found: Found = []
    for a, b in couples:
        if a.boxes_only or b.boxes_only or a.truncated or b.truncated:
            continue
        for high, low in ((a, b), (b, a)):
            sure = height_margin(scene, high, low, margins)
            if sure is not None:
                found.append((high, low, bool(high.v[Q50] < low.v[Q50]), *sure))
    for k in in_turns([entry[2] for entry in found], rng):
        high, low, shortcut_right, gap, sigma = found[k]
        a, b, answer = (high, low, "higher") if rng.integers(2) else (low, high, "lower")
        evidence = {
            "sigma": rounded(sigma),
            "shortcut": {"rule": "higher in the picture is higher", "right": shortcut_right},
            **({"metric": True} if scene.supports("metric") else {}),
        }
        value = gap if answer == "higher" else -gap
        margin = gap / max(sigma, 1e-9)
        yield _fact(
            "direction.height", "bearing", "gravity", a, b, answer, (OPPOSITE[answer],), value, "m", margin, evidence
        )


def height_margin(scene: Scene, high: SceneObject, low: SceneObject, margins: Margins) -> tuple[float, float] | None:
    """Height difference of the medians and its standard error, or None if the first is not surely higher."""
    if high.height is None or low.height is None or high.centre is None or low.centre is None:
        return None
    if any(high.height[q] <= low.height[q] for q in (Q10, Q50, Q90)):
        return None
    gap = float(high.height[Q50] - low.height[Q50])
    step = high.centre - low.centre
    level = math.hypot(step[0], step[2])
    # An error along the ray lifts a point by that step's share along up; a tilt of gravity lifts far things more.
    sigma = math.sqrt(
        (high.sigma * high.centre[1]) ** 2 + (low.sigma * low.centre[1]) ** 2 + (scene.settings.up_sigma * level) ** 2
    )
    sigmas = sigmas_needed(margins, bool(high.v[Q50] < low.v[Q50]))
    return (gap, sigma) if gap > max(margins.height_gap * scene.unit, sigmas * sigma) else None


def _quadrant_facts(
    scene: Scene, couples: list[tuple[SceneObject, SceneObject]], margins: Margins, rng: np.random.Generator
) -> Iterator[Fact]:
    found = _quadrants(scene, couples, margins)
    for k in in_turns([entry[2] for entry in found], rng):
        left, right, of_left, of_right, margin = found[k]
        a, b, answer = (left, right, of_left) if rng.integers(2) else (right, left, of_right)
        wrong = tuple(q for q in QUADRANTS if q != answer)
        value = float(a.u[Q50] - b.u[Q50])
        yield _fact("direction.quadrant", "ordinal", "camera", a, b, answer, wrong, value, "width", margin, {})


def _fair_quadrants(
    scene: Scene, couples: list[tuple[SceneObject, SceneObject]], margins: Margins, rng: np.random.Generator
) -> Iterator[Fact]:
    """The same, but the nearer one is as often higher in the picture as lower, and by as much."""
    found = _quadrants(scene, couples, margins)
    rules, steps = [], []
    for left, right, of_left, _, _ in found:
        near, far = (left, right) if of_left == "left_near" else (right, left)
        step = (near.bbox[1] + near.bbox[3] - far.bbox[1] - far.bbox[3]) / _picture_height(scene)
        rules.append((int(step > 0),))
        steps.append(int(abs(step) / STEP))
    for k in evenly(rules, [2] * len(found), rng, steps):
        left, right, of_left, of_right, margin = found[k]
        a, b, answer = (left, right, of_left) if rng.integers(2) else (right, left, of_right)
        wrong = tuple(q for q in QUADRANTS if q != answer)
        extra = {"shortcut": {"rule": "lower in the picture is nearer", "right": rules[k][0] == 1}}
        value = float(a.u[Q50] - b.u[Q50])
        yield _fact("direction.quadrant", "ordinal", "camera", a, b, answer, wrong, value, "width", margin, extra)


def _picture_height(scene: Scene) -> float:
    camera = scene.geometry.camera
    return float(scene.depth.shape[0] if camera is None else camera.height)


def _quadrants(
    scene: Scene, couples: list[tuple[SceneObject, SceneObject]], margins: Margins
) -> list[tuple[SceneObject, SceneObject, str, str, float]]:
    """(left, right, quadrant of the left one, of the right one, margin) of the pairs of which both are sure."""
    found = []
    for a, b in couples:
        for left, right in ((a, b), (b, a)):
            room = side_margin(left, right, margins)
            if room is None:
                continue
            nearer, farther = near_margin(scene, left, right, margins), near_margin(scene, right, left, margins)
            if nearer is not None:
                found.append((left, right, "left_near", "right_far", min(room, nearer)))
            elif farther is not None:
                found.append((left, right, "left_far", "right_near", min(room, farther)))
    return found


def _fact(
    form: str,
    kind: str,
    frame: str,
    a: SceneObject,
    b: SceneObject,
    answer: str,
    wrong: tuple[str, ...],
    value: float,
    unit: str,
    margin: float,
    extra: dict[str, Any],
) -> Fact:
    formulas = {
        "direction.side": "order of the 10-90% intervals of mask columns",
        "direction.height": "order of the 10, 50, 90% quantiles of height along up",
        "direction.quadrant": "order of mask columns and of z-depth",
    }
    return Fact(
        task="direction",
        form=form,
        kind=kind,
        frame=frame,
        operands=(a.object_id, b.object_id),
        style="value",
        answer=answer,
        wrong=wrong,
        value=value,
        unit=unit,
        margin=margin,
        formula=formulas[form],
        slots={"a": a.name, "b": b.name},
        evidence={"objects": [about(a, "asked"), about(b, "reference")], **extra},
    )

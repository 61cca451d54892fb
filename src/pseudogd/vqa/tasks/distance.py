"""Distance in metres: to the camera, between middles, between closest parts. The wording names which.

Frame: none (lengths do not turn). *camera*: length of the ray to the centre; *centre*: between centres; *gap*: between
the closest visible parts (`Scene.gaps`). Needs metric depth and a camera. Asked only if the number exceeds its
propagated error by so many times that the wrong options, at least a factor of 1.6 away, cannot be meant; gaps only
between things that are seen whole, and never across touching masks, whose gap is below its error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.fairness import alternatives
from pseudogd.vqa.guards import Margins, about, blend, pairs, seen_well
from pseudogd.vqa.phrasing import metres
from pseudogd.vqa.scene import Scene, SceneObject
from pseudogd.vqa.words.distance import FORMS as FORMS

QUOTA = 2
NEEDS = "metric"

RATIO = 1.6
CHOICES = 4
LONGEST = 30.0
SLACK = 1.15
CENTRES = "|centre a - centre b|"
GAPS = "2% quantile of nearest-neighbour distances, smaller side"


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Distances to the camera, between middles and between closest parts, in turn; nothing without metres."""
    if not scene.supports("metric") or not len(scene):
        return
    if margins.fair:
        yield from blend(rng, *((1, _fair_facts(name, scene, rng, margins)) for name in ("centre", "camera", "gap")))
        return
    yield from blend(
        rng,
        (1, _centre_facts(scene, rng, margins)),
        (1, _camera_facts(scene, rng, margins)),
        (1, _gap_facts(scene, rng, margins)),
    )


def answer(scene: Scene, fact: Fact) -> float:
    """Metres, by the definition of the form."""
    indices = [scene.index(operand) for operand in fact.operands]
    if fact.form == "distance.camera":
        return float(np.linalg.norm(scene.centres[indices[0]]))
    if fact.form == "distance.gap":
        return scene.gap(*indices)
    return float(np.linalg.norm(scene.centres[indices[0]] - scene.centres[indices[1]]))


def steps(fact: Fact) -> list[str]:
    """The places between which is measured, and the root of the squares."""
    if fact.evidence["definition"] == "gap":
        start, end = fact.evidence["ends"]
        first = f"The closest visible parts of the {fact.slots['a']} and the {fact.slots['b']} are"
    elif fact.evidence["definition"] == "centre":
        start, end = (entry["centre"] for entry in fact.evidence["objects"])
        first = f"The middles of the {fact.slots['a']} and the {fact.slots['b']} are"
    else:
        start, end = [0.0, 0.0, 0.0], fact.evidence["objects"][0]["centre"]
        first = f"The camera and the middle of the {fact.slots['a']} are"
    across, up, deep = (metres(abs(one - other)) for one, other in zip(start, end))
    return [
        f"{first} {across} apart across the view, {up} in height and {deep} in depth.",
        f"The root of the sum of the squares is {metres(fact.value)}.",
    ]


def spaced(value: float, rng: np.random.Generator, ratio: float = RATIO, count: int = CHOICES) -> list[str]:
    """Wrong lengths as text, each at least ``ratio`` from every other and from the right one as it is written.

    The rank of the right one among all is drawn evenly (of the ranks that leave room for one decimal), so that neither
    "the smallest" nor "the middle" is a good guess; the steps are hardly larger than the ratio, so that few options
    are absurd.
    """
    written = _number(metres(value))
    below: list[float] = []
    while len(below) < count - 1:
        last = below[-1] if below else written
        step = _written(last / (ratio * rng.uniform(1.0, SLACK)), math.floor)
        if step < 0.1:
            break
        below.append(step)
    wrong = below[: int(rng.integers(len(below) + 1))]
    last = written
    while len(wrong) < count - 1:
        last = _written(last * ratio * rng.uniform(1.0, SLACK), math.ceil)
        wrong.append(last)
    return [metres(number) for number in wrong]


def _written(value: float, to_whole: Callable[[float], int]) -> float:
    """The length moved up or down to the next one that can be written: tenths below 10 m, whole metres above."""
    tenths = to_whole(round(value * 10, 6))
    return tenths / 10 if tenths < 100 else float(to_whole(round(value, 6)))


def _number(text: str) -> float:
    return float(text.split()[0])


def _sure(scene: Scene, value: float, sigma: float, margins: Margins) -> bool:
    least = max(margins.min_distance, margins.distance_sigmas * sigma)
    return least < value < LONGEST


def _centre_error(scene: Scene, i: int, j: int, margins: Margins) -> float:
    """One standard error of the distance between two middles: that of their depths, and of where in each thing its
    middle is, which counts where they are near each other (`Margins.middle`)."""
    off = [margins.middle * (scene.objects[k].wide or 0.0) for k in (i, j)]
    return scene.length_error(float(scene.distances[i, j]), math.hypot(float(scene.distance_errors[i, j]), *off))


def _camera_facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    for k in rng.permutation(len(scene)):
        thing = scene.objects[k]
        value = float(np.linalg.norm(scene.centres[k]))
        sigma = scene.length_error(value, thing.sigma * value)
        if not thing.truncated and _sure(scene, value, sigma, margins):
            yield _fact("camera", [thing], {"a": thing.name}, value, sigma, "|centre|", spaced(value, rng))


def _centre_facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    couples = pairs(len(scene))
    for k in rng.permutation(len(couples)):
        i, j = couples[k]
        a, b = _either_way(scene.objects[i], scene.objects[j], rng)
        value = float(scene.distances[i, j])
        sigma = _centre_error(scene, i, j, margins)
        # A thing that is cut off or hidden has its middle elsewhere.
        if seen_well(a, scene) and seen_well(b, scene) and _sure(scene, value, sigma, margins):
            yield _fact("centre", [a, b], {"a": a.name, "b": b.name}, value, sigma, CENTRES, spaced(value, rng))


def _gap_facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    couples = pairs(len(scene))
    for k in rng.permutation(len(couples)):
        i, j = couples[k]
        a, b = _either_way(scene.objects[i], scene.objects[j], rng)
        value = float(scene.gaps[i, j])
        sigma = scene.length_error(value, float(scene.distance_errors[i, j]))
        if seen_well(a, scene) and seen_well(b, scene) and _sure(scene, value, sigma, margins):
            ends = rounded(scene.closest_parts(i, j), 3)
            slots = {"a": a.name, "b": b.name}
            yield _fact("gap", [a, b], slots, value, sigma, GAPS, spaced(value, rng), ends=ends)


def _fair_facts(definition: str, scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Facts whose wrong options are lengths of the same kind in the same photo, each as likely to be asked for."""
    found: dict[tuple[int, ...], tuple[float, float]] = {}
    if definition == "camera":
        for k, thing in enumerate(scene.objects):
            value = float(np.linalg.norm(scene.centres[k]))
            if not thing.truncated:
                found[(k,)] = value, scene.length_error(value, thing.sigma * value)
    else:
        table = scene.distances if definition == "centre" else scene.gaps
        whole = [seen_well(thing, scene) for thing in scene.objects]
        for i, j in pairs(len(scene)):
            if whole[i] and whole[j]:
                value = float(table[i, j])
                sigma = scene.length_error(value, float(scene.distance_errors[i, j]))
                found[i, j] = value, _centre_error(scene, i, j, margins) if definition == "centre" else sigma
    sure = {key: _number(metres(value)) for key, (value, sigma) in found.items() if _sure(scene, value, sigma, margins)}
    formula = {"camera": "|centre|", "centre": CENTRES, "gap": GAPS}[definition]
    for key, others in alternatives(sure, RATIO, CHOICES, rng):
        things = [scene.objects[k] for k in (key if rng.integers(2) else key[::-1])]
        extra = {"ends": rounded(scene.closest_parts(*key), 3)} if definition == "gap" else {}
        slots = {letter: thing.name for letter, thing in zip("ab", things)}
        wrong = [metres(sure[other]) for other in others]
        yield _fact(definition, things, slots, *found[key], formula, wrong, **extra)


def _either_way(a: SceneObject, b: SceneObject, rng: np.random.Generator) -> tuple[SceneObject, SceneObject]:
    return (a, b) if rng.integers(2) else (b, a)


def _fact(
    definition: str,
    things: list[SceneObject],
    slots: dict[str, str],
    value: float,
    sigma: float,
    formula: str,
    wrong: list[str],
    **evidence: Any,
) -> Fact:
    return Fact(
        task="distance",
        form=f"distance.{definition}",
        kind="metric",
        frame="camera" if definition == "camera" else "none",
        operands=tuple(thing.object_id for thing in things),
        style="number",
        answer=metres(value),
        wrong=tuple(wrong),
        value=value,
        unit="m",
        margin=value / max(sigma, 1e-9),
        formula=formula,
        slots=slots,
        evidence={
            "objects": [about(thing, role) for thing, role in zip(things, "ab")],
            "definition": definition,
            "sigma": rounded(sigma),
            **evidence,
        },
        amounts=(value, *(_number(text) for text in wrong)),
    )

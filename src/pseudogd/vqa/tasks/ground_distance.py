"""Distance along the ground, in metres: between two things, or from the camera.

Frame: gravity. The middle of a thing is the median of its visible points. The middles (and the camera) are dropped
straight down; what is measured is the level distance of the points below, so heights do not count; the wording says
so. Needs metric depth and confident gravity. The error is that of both middles along their rays, and that of gravity,
which takes a share of their difference of height for level. The wrong options are at least a factor of 1.6 away, and
farther where the error asks for it; where a factor of 2 is too little, nothing is asked. The number is written in
steps of the error, not in finer ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins, about, blend, in_turns, pairs
from pseudogd.vqa.phrasing import Form, meant, metres
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.tasks._plan import well_placed
from pseudogd.vqa.tasks._written import few, has_middle, length_grid, snapped, spaced, spacing, unseen
from pseudogd.vqa.tasks.distance import LONGEST, RATIO

QUOTA = 1.0
NEEDS = "metric"

MOST_THINGS = 12
STEEP = 1.15
"""Straight distance by that along the ground, from which on the two are told apart by the eye."""

_BETWEEN = (
    "Measured along the ground, how far is the middle of the visible part of the {a} from that of the {b}?",
    "What is the distance along the ground between the middles of the visible parts of the {a} and the {b}?",
    "On a floor plan of the scene, how far apart are the middles of the visible parts of the {a} and the {b}?",
    "How many meters of ground lie between the points below the middles of the visible parts of the {a} and the {b}?",
)
_CAMERA = (
    "Measured along the ground, how far is the middle of the visible part of the {a} from the camera?",
    "How far along the ground is the point below the middle of the visible part of the {a} from the camera?",
    "On a floor plan of the scene, how far is the middle of the visible part of the {a} from the camera?",
    "What is the distance along the ground from the camera to the middle of the visible part of the {a}?",
)
_A = r"middles? of the visible parts? of the \{a\}"
_LEVEL = r"along the ground|of ground|On a floor plan"
FORMS = meant(
    {
        "ground_distance.between": Form(mc=_BETWEEN, open=_BETWEEN),
        "ground_distance.camera": Form(mc=_CAMERA, open=_CAMERA),
    },
    {
        "ground_distance.between": (
            rf"(?=.*({_LEVEL})).*middles? of the visible parts? of the \{{a\}}.*\{{b\}}",
            r"camera|closest|gap",
        ),
        "ground_distance.camera": (
            rf"(?=.*camera)(?=.*({_LEVEL})).*middle of the visible part of the \{{a\}}",
            r"\{b\}|closest|gap",
        ),
    },
)
FORMULAS = {
    "ground_distance.between": "length of the level part of centre a - centre b",
    "ground_distance.camera": "length of the level part of centre a",
}


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Between two things and from the camera; in turn such as differ from the straight distance and such as do not."""
    if not (scene.supports("metric") and scene.has_gravity):
        return
    good = [k for k, thing in enumerate(scene.objects) if has_middle(thing) and well_placed(scene, thing)]
    good = [good[k] for k in few(rng, len(good), MOST_THINGS)]
    couples: list[tuple[int, ...]] = [(good[i], good[j]) for i, j in pairs(len(good))]
    yield from blend(
        rng,
        (2, _sure_facts(scene, "ground_distance.between", couples, rng, margins)),
        (1, _sure_facts(scene, "ground_distance.camera", [(k,) for k in good], rng, margins)),
    )


def answer(scene: Scene, fact: Fact) -> float | None:
    """Metres along the ground; None without gravity."""
    if not scene.has_gravity:
        return None
    return _level(scene, tuple(scene.index(operand) for operand in fact.operands))[0]


def steps(fact: Fact) -> list[str]:
    """Level parts of the way, and how long they are together."""
    across, along = (abs(number) for number in fact.evidence["level"])
    names = [str(entry["name"]) for entry in fact.evidence["objects"]]
    ends = f"the {names[0]} and the {names[1]}" if len(names) == 2 else f"the camera and the {names[0]}"
    return [
        "Heights do not count, as the distance is measured along the ground.",
        f"Between {ends} lie {metres(across)} across the view and {metres(along)} along it.",
        f"Together that is about {fact.answer}.",
    ]


def _level(scene: Scene, indices: tuple[int, ...]) -> tuple[float, float, np.ndarray]:
    """Distance along the ground, straight distance, and the step itself in the scene's frame."""
    step = scene.centres[indices[0]]
    if len(indices) == 2:
        step = scene.centres[indices[1]] - step
    return math.hypot(step[0], step[2]), float(np.linalg.norm(step)), step


def level_error(scene: Scene, indices: tuple[int, ...]) -> float:
    """One standard error of the distance along the ground: depth and back of each thing, and the tilt of gravity."""
    length, _, step = _level(scene, indices)
    if length < 1e-9:
        return math.inf
    line = step[::2] / length
    along = [float(scene.errors[k][::2] @ line) for k in indices]
    for k in indices:
        sight = scene.centres[k][::2]
        along.append(unseen(scene.objects[k]) * float(sight @ line) / (float(np.linalg.norm(sight)) or 1.0))
    return math.hypot(*along, scene.settings.up_sigma * float(step[1]))


def _sure_facts(
    scene: Scene, form: str, groups: list[tuple[int, ...]], rng: np.random.Generator, margins: Margins
) -> Iterator[Fact]:
    found = []
    for indices in groups:
        value, straight, step = _level(scene, indices)
        if not margins.min_distance < value < LONGEST:
            continue
        sigma = scene.length_error(value, level_error(scene, indices))
        apart = spacing(sigma / value, margins, RATIO)
        if value > margins.distance_sigmas * sigma and apart is not None:
            found.append((indices, value, sigma, apart, step, straight < STEEP * value))
    for k in in_turns([entry[5] for entry in found], rng):
        yield _fact(scene, form, *found[k], rng)


def _fact(
    scene: Scene,
    form: str,
    indices: tuple[int, ...],
    value: float,
    sigma: float,
    apart: float,
    step: np.ndarray,
    flat: bool,
    rng: np.random.Generator,
) -> Fact:
    things = [scene.objects[k] for k in indices]
    if len(things) == 2 and rng.integers(2):
        things, step = things[::-1], -step
    grid = length_grid(sigma)
    written = snapped(value, grid)
    wrong = spaced(written, rng, grid, apart)
    start = rounded(things[0].centre[::2], 3) if len(things) == 2 and things[0].centre is not None else [0.0, 0.0]
    end = things[-1].centre
    return Fact(
        task="ground_distance",
        form=form,
        kind="metric",
        frame="gravity",
        operands=tuple(thing.object_id for thing in things),
        style="number",
        answer=metres(written),
        wrong=tuple(metres(number) for number in wrong),
        value=value,
        unit="m",
        margin=value / max(sigma, 1e-9),
        formula=FORMULAS[form],
        slots=dict(zip("ab", (thing.name for thing in things))),
        evidence={
            "objects": [about(thing, role) for thing, role in zip(things, "ab")],
            "level": rounded([float(step[0]), float(step[2])], 3),
            "sigma": rounded(sigma),
            "spacing": rounded(apart, 2),
            "draw": [
                {
                    "kind": "segment",
                    "in": "ground",
                    "from": start,
                    "to": rounded(end[::2], 3) if end is not None else start,
                    "label": metres(written),
                }
            ],
            "shortcut": {"rule": "the straight distance", "right": flat},
        },
        amounts=(written, *wrong),
    )

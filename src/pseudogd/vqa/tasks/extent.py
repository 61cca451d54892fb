"""Height and width of one thing, in metres.

Frame: gravity. *Height*: extent along up; *width*: level extent across the line of sight; both are 1-99 % extents of
the whole outline, its depth held within the thing's own. Needs metric depth and confident gravity. The error is that
of the depth, of half a pixel at either end, and - for the height of wide things - of gravity. Asked only of things
that are seen whole. The wrong options are at least a factor of 1.6 away, and farther where the error asks for it;
where a factor of 2 is too little, nothing is asked. The number is written in steps of the error, not in finer ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins, about, blend, seen_well
from pseudogd.vqa.phrasing import Form, meant, metres
from pseudogd.vqa.scene import Scene, SceneObject
from pseudogd.vqa.tasks._plan import well_placed
from pseudogd.vqa.tasks._written import length_grid, size_error, snapped, spaced, spacing
from pseudogd.vqa.tasks.distance import LONGEST, RATIO
from pseudogd.vqa.words.telling import SIZE

QUOTA = 1.0
NEEDS = "metric"
TELLING = {"extent": SIZE}

QUANTITIES = {"height": "tall", "width": "wide"}
FORMULAS = {
    "height": "extent along up (1-99% of the outline)",
    "width": "level extent across the line of sight (1-99% of the outline)",
}

_HEIGHT = (
    "How tall is the {a} in real size?",
    "What is the real height of the {a}, from its lowest to its highest point?",
    "How many meters are between the lowest and the highest point of the {a}, measured straight up?",
    "What is the height of the {a} in the real scene?",
)
_WIDTH = (
    "How wide is the {a} in real size, measured across the line of sight?",
    "What is the real width of the {a} across the camera's line of sight?",
    "How many meters wide is the {a}, measured level and across the line of sight?",
    "What is the width of the {a} in the real scene, across the line of sight?",
)
FORMS = meant(
    {"extent.height": Form(mc=_HEIGHT, open=_HEIGHT), "extent.width": Form(mc=_WIDTH, open=_WIDTH)},
    {
        "extent.height": (r"\btall\b|\bheight\b|lowest and the highest", r"wid|across"),
        "extent.width": (r"\bwid(e|th)\b.*across", r"tall|height|high"),
    },
)


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Heights and widths of things that are seen whole."""
    if not (scene.supports("metric") and scene.has_gravity):
        return
    whole = [thing for thing in scene.objects if seen_well(thing, scene) and well_placed(scene, thing)]
    yield from blend(rng, *((1, _extents(scene, whole, form, rng, margins)) for form in QUANTITIES))


def answer(scene: Scene, fact: Fact) -> float | None:
    """Metres; None without gravity."""
    thing = scene.objects[scene.index(fact.operands[0])]
    return thing.tall if fact.form == "extent.height" else thing.wide


def steps(fact: Fact) -> list[str]:
    """How far the thing is, what it measures, and how well that is known."""
    name = fact.evidence["objects"][0]["name"]
    what = "tall" if fact.form == "extent.height" else "wide"
    return [
        f"The middle of the {name} is {metres(fact.evidence['distance'])} from the camera.",
        f"At that distance its outline is about {fact.answer} {what}.",
    ]


def extent_error(scene: Scene, thing: SceneObject, form: str) -> float:
    """One standard error in metres."""
    tall, wide = thing.tall or 0.0, thing.wide or 0.0
    if form == "width":
        return wide * size_error(thing, "wide")
    return math.hypot(tall * size_error(thing, "tall"), wide * scene.settings.up_sigma)


def _extents(
    scene: Scene, things: list[SceneObject], form: str, rng: np.random.Generator, margins: Margins
) -> Iterator[Fact]:
    for k in rng.permutation(len(things)):
        thing = things[k]
        value = (thing.tall if form == "height" else thing.wide) or 0.0
        sigma = scene.length_error(value, extent_error(scene, thing, form))
        if not max(margins.min_distance, margins.distance_sigmas * sigma) < value < LONGEST:
            continue
        apart = spacing(sigma / value, margins, RATIO)
        if apart is not None:
            yield _fact(thing, form, value, sigma, apart, rng)


def _fact(thing: SceneObject, form: str, value: float, sigma: float, apart: float, rng: np.random.Generator) -> Fact:
    grid = length_grid(sigma)
    written = snapped(value, grid)
    wrong = spaced(written, rng, grid, apart)
    assert thing.centre is not None
    return Fact(
        task="extent",
        form=f"extent.{form}",
        kind="metric",
        frame="gravity",
        operands=(thing.object_id,),
        style="number",
        answer=metres(written),
        wrong=tuple(metres(number) for number in wrong),
        value=value,
        unit="m",
        margin=value / max(sigma, 1e-9),
        formula=FORMULAS[form],
        slots={"a": thing.name},
        evidence={
            "objects": [about(thing, "measured")],
            "distance": rounded(float(np.linalg.norm(thing.centre)), 3),
            "sigma": rounded(sigma),
            "spacing": rounded(apart, 2),
        },
        amounts=(written, *wrong),
    )

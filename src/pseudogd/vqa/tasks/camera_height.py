"""Height of the camera over the floor or ground, in metres.

Frame: gravity. The distance of the camera from the plane that was fitted to the free floor. A table top is a plane,
too, so it is asked only if something that stands on floors as a rule (`categories.is_standable`) rests on the plane,
if much of the picture shows it, and if it is level as far as gravity is known. The error has three parts: the depth
of the whole photo (taken as wrong as that of one thing), the scatter of the floor's points with the leverage of a
plane that is seen far ahead and measured below the feet, and the disagreement of the plane with gravity over that
way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from pseudogd.vqa.categories import is_standable
from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins, about
from pseudogd.vqa.measure import RESTS_WITHIN
from pseudogd.vqa.phrasing import Form, meant, metres
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.tasks._written import length_grid, snapped, spaced, spacing
from pseudogd.vqa.tasks.distance import RATIO

QUOTA = 0.5
NEEDS = "metric"

BEND = 1.5
"""A floor reaches from near to far, and a depth map that bends tilts it: more than single things are off by."""

FORMULA = "distance of the origin from the plane fitted to the free floor"
LOWEST, HIGHEST = 0.3, 8.0
LEAST_FLOOR = 0.08
"""Share of the picture that must show the plane."""
INDEPENDENT = 30.0
"""How many independent points the floor of one photo is worth: errors of neighbours are alike."""

_ASK = (
    "How high is the camera above the floor or ground?",
    "What is the height of the camera above the floor or ground?",
    "How many meters above the floor or ground is the camera?",
    "From how high above the floor or ground was this picture taken?",
    "At what height above the floor or ground was this picture taken?",
    "How high above the floor or ground is the lens of the camera?",
    "Measured straight up, at what height above the floor or ground is the camera?",
    "How many meters above the floor or ground was the camera when it took this picture?",
)
FORMS = meant(
    {"camera_height.floor": Form(mc=_ASK, open=_ASK)},
    {"camera_height.floor": (r"above the floor or ground", r"far|wide|\{")},
)


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """One fact, where the floor is sure to be the floor."""
    if not (scene.supports("metric") and scene.has_gravity) or scene.ground is None or scene.points is None:
        return
    value = float(scene.ground.offset)
    if not LOWEST < value < HIGHEST or scene.floor.mean() < LEAST_FLOOR:
        return
    resting = [
        thing
        for thing in scene.objects
        if thing.ground_gap is not None and abs(thing.ground_gap) < RESTS_WITHIN and is_standable(thing.category)
    ]
    sigma, tilt = height_error(scene)
    sigma = scene.length_error(value, BEND * sigma)
    apart = spacing(sigma / value, margins, RATIO)
    if (
        not resting
        or apart is None
        or tilt > margins.sigmas * scene.settings.up_sigma + 1e-3
        or value < margins.distance_sigmas * sigma
    ):
        return
    grid = length_grid(sigma)
    written = snapped(value, grid)
    wrong = spaced(written, rng, grid, apart, 2 * HIGHEST)
    yield Fact(
        task="camera_height",
        form="camera_height.floor",
        kind="metric",
        frame="gravity",
        operands=(),
        style="number",
        answer=metres(written),
        wrong=tuple(metres(number) for number in wrong),
        value=value,
        unit="m",
        margin=value / max(sigma, 1e-9),
        formula=FORMULA,
        evidence={
            "objects": [about(thing, "on the floor") for thing in resting[:3]],
            "sigma": rounded(sigma),
            "spacing": rounded(apart, 2),
            "tilt": rounded(math.degrees(tilt), 2),
            "floor": rounded(float(scene.floor.mean())),
        },
        amounts=(written, *wrong),
    )


def answer(scene: Scene, fact: Fact) -> float | None:
    """Metres over the plane; None where none was found."""
    return None if scene.ground is None else float(scene.ground.offset)


def steps(fact: Fact) -> list[str]:
    """What shows the floor, and where it lies."""
    names = [str(entry["name"]) for entry in fact.evidence["objects"]]
    return [
        f"The floor is the level surface that carries the {names[0]}.",
        f"Carried on to below the camera, that surface lies {fact.answer} under it.",
    ]


def height_error(scene: Scene) -> tuple[float, float]:
    """One standard error of the camera's height in metres, and the angle between plane and gravity in radians."""
    assert scene.ground is not None and scene.points is not None
    normal = scene.ground.normal
    tilt = math.acos(float(np.clip(-normal[1], -1.0, 1.0)))
    points = scene.points[scene.floor]
    points = points[:: max(1, len(points) // 400)].astype(np.float64)
    scatter = float(np.sqrt(np.mean(scene.ground.height(points) ** 2)))
    away = float(np.hypot(*np.median(points[:, ::2], axis=0)))
    spread = float(points[:, ::2].std(axis=0).max()) or 1e-9
    leverage = math.sqrt((1 + (away / spread) ** 2) / INDEPENDENT)
    lean = math.hypot(normal[0], normal[2]) * away
    return math.hypot(scene.settings.depth_sigma * scene.ground.offset, scatter * leverage, lean / 2), tilt

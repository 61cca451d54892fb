"""From the own point of view of A, which has a front: where is B?

Frame: on the ground at A, forward a = h(front of A), right r = a x up, v = h(B - A), theta = atan2(v.r, v.a), right
positive; the four sectors are centred at 0, 90, 180 and -90 degrees. *side* asks left or right alone; *seat* says the
same of a person who sits on A. Asked only of things of a kind that has a front, whose stated front is confident and
roughly level, with camera and confident gravity, if theta keeps a margin from the sector's edge that also exceeds twice
its error: that of both places and that of the front. Every fact has a twin with A turned around, of opposite answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from pseudogd.vqa.categories import SEATS as SEAT_WORDS
from pseudogd.vqa.categories import head_noun
from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins, about, in_turns, nested
from pseudogd.vqa.scene import Scene, SceneObject
from pseudogd.vqa.tasks import _stand
from pseudogd.vqa.tasks.hypothetical import CUT_OFF, OPPOSITE, QUARTER, SECTORS
from pseudogd.vqa.words.allocentric import FORMS as FORMS
from pseudogd.vqa.words.allocentric import SIDES

QUOTA = 1
NEEDS = "bearing"

LEVEL = math.radians(30.0)
SEATS = frozenset(SEAT_WORDS.split())
FORMULA = "theta = atan2(v.r, v.a), a = h(front of A), r = a x up, v = h(B - A)"


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Facts in pairs of twins, all answers in turn as far as the scene has them."""
    if not (scene.supports("bearing") and scene.has_gravity):
        return
    found = []
    for a, thing in enumerate(scene.objects):
        if not faces(thing, margins):
            continue
        for b, other in enumerate(scene.objects):
            if a == b or not _apart(scene, a, b, margins):
                continue
            angle, sigma = turn(scene, a, b), _error(scene, a, b, margins)
            if angle is None:
                continue
            side = SECTORS[int(_stand.sector(angle, 4))]
            margin = QUARTER / 2 - abs(float(_stand.wrapped(angle - SECTORS.index(side) * QUARTER)))
            if margin > max(margins.sector, margins.sigmas * sigma) and not nested(thing, other):
                found.append((a, b, side, angle, sigma, margin, _by_camera(scene, a, b)))
    for k in in_turns([(side, side == camera) for *_, side, _, _, _, camera in found], rng):
        a, b, side, angle, sigma, margin, camera = found[k]
        if not _mostly(scene, a, b, angle, side):
            continue
        form = "seat" if head_noun(scene.objects[a].category) in SEATS and rng.integers(2) else "four"
        if form == "four" and side in ("left", "right") and rng.integers(2):
            form = "side"
        twins = [
            _fact(scene, a, b, f"{form}{turned}", side, angle, sigma, margin, camera) for turned in ("", "_turned")
        ]
        yield from twins if rng.integers(2) else twins[::-1]


def answer(scene: Scene, fact: Fact) -> str | None:
    """The sector of B, or its side; None without gravity or a front."""
    a, b = (scene.index(operand) for operand in fact.operands)
    angle = turn(scene, a, b)
    if angle is None:
        return None
    if fact.form.startswith("allocentric.side"):
        side = "right" if angle > 0 else "left"
    else:
        side = SECTORS[round(angle / QUARTER) % 4]
    return OPPOSITE[side] if fact.form.endswith("_turned") else side


def steps(fact: Fact) -> list[str]:
    """From the front to the side."""
    name, turned = fact.slots, fact.form.endswith("_turned")
    ahead = "opposite to where its front faces now" if turned else "where its front faces"
    return [
        f"Straight ahead of the {name['a']} is the direction {ahead}.",
        f"From there the {name['b']} lies {_stand.side_of(fact.value)}.",
        f"The nearest of the four sides is {SIDES[fact.answer]}.",
    ]


def faces(thing: SceneObject, margins: Margins) -> bool:
    """Whether a thing has a front that is known well enough and roughly level."""
    if not thing.has_front or thing.front is None or (thing.front_confidence or 0.0) < margins.front:
        return False
    return abs(float(thing.front[1])) < math.sin(LEVEL) and not thing.boxes_only


def turn(scene: Scene, a: int, b: int) -> float | None:
    """Radians, right positive, from A's front to B; None without gravity or a level front, or at one place."""
    front = scene.objects[a].front
    if front is None or not scene.has_gravity:
        return None
    places = scene.centres
    line = (places[b, 0] - places[a, 0], places[b, 2] - places[a, 2])
    if math.hypot(*line) < 1e-9 or math.hypot(front[0], front[2]) < 1e-9:
        return None
    return float(_stand.wrapped(math.atan2(*line) - math.atan2(front[0], front[2])))


def _apart(scene: Scene, a: int, b: int, margins: Margins) -> bool:
    thing, other = scene.objects[a], scene.objects[b]
    if other.boxes_only or any(obj.truncated and obj.occluded > 0.5 for obj in (thing, other)):
        return False
    length = float(np.hypot(*(scene.centres[b] - scene.centres[a])[::2]))
    return length >= max(margins.stand_off * scene.unit, thing.footprint)


def _error(scene: Scene, a: int, b: int, margins: Margins) -> float:
    """Standard error of the turn: both places along their rays, cut-off things, the lean of up, and the front."""
    line = scene.centres[b] - scene.centres[a]
    squared = float(line[0] ** 2 + line[2] ** 2)
    across = np.array([line[2], -line[0]]) / squared
    parts = [float(across @ scene.errors[k, ::2]) for k in (a, b)]
    parts += [CUT_OFF * scene.unit / math.sqrt(squared) * scene.objects[k].truncated for k in (a, b)]
    lean = scene.settings.up_sigma * float(line[1]) / math.sqrt(squared)
    return math.hypot(*parts, lean, margins.front_error)


def _by_camera(scene: Scene, a: int, b: int) -> str:
    return SECTORS[int(_stand.sector(_camera_angle(scene, a, b), 4))]


def _mostly(scene: Scene, a: int, b: int, angle: float, side: str) -> bool:
    """Whether most of what is seen of B lies on that side of A."""
    points = scene.objects[b].points
    assert points is not None
    line, centre = points[:, ::2] - scene.centres[a, ::2], scene.centres[b] - scene.centres[a]
    off = np.arctan2(line[:, 0], line[:, 1]) - math.atan2(centre[0], centre[2])
    return bool((_stand.sector(angle + off, 4) == SECTORS.index(side)).mean() >= _stand.MOST)


def _fact(
    scene: Scene, a: int, b: int, form: str, side: str, angle: float, sigma: float, margin: float, camera: str
) -> Fact:
    thing, other = scene.objects[a], scene.objects[b]
    assert thing.front is not None
    kind, turned = form.split("_")[0], form.endswith("_turned")
    own = OPPOSITE[side] if turned else side
    keys = ("left", "right") if kind == "side" else SECTORS
    start = scene.centres[a, ::2]
    ahead = start + thing.front[::2] * (-1 if turned else 1)
    degrees = math.degrees(float(_stand.wrapped(angle + math.pi)) if turned else angle)
    seen = camera if kind != "side" else ("right" if math.sin(_camera_angle(scene, a, b)) > 0 else "left")
    return Fact(
        task="allocentric",
        form=f"allocentric.{form}",
        kind="bearing",
        frame=f"{'back' if turned else 'front'}:{thing.object_id}",
        operands=(thing.object_id, other.object_id),
        style="value",
        answer=own,
        wrong=tuple(key for key in keys if key != own),
        value=degrees,
        unit="deg",
        margin=math.degrees(margin),
        formula=FORMULA.replace("h(front", "-h(front") if turned else FORMULA,
        slots={"a": thing.name, "b": other.name},
        evidence={
            "objects": [about(thing, "viewer"), about(other, "asked")],
            "sigma": rounded(math.degrees(sigma), 2),
            "front": rounded(thing.front, 3),
            "front_confidence": rounded(float(thing.front_confidence or 0.0), 3),
            "shortcut": {"rule": "facing the way the camera does", "right": seen == own},
            "camera_view": seen,
            "draw": [
                {"kind": "arrow", "in": "ground", "from": rounded(start, 3), "to": rounded(ahead, 3), "label": "front"},
                {
                    "kind": "segment",
                    "in": "ground",
                    "from": rounded(start, 3),
                    "to": rounded(scene.centres[b, ::2], 3),
                    "label": f"{degrees:.0f} degrees",
                },
            ],
        },
        twin=f"{kind} {thing.object_id}>{other.object_id}",
    )


def _camera_angle(scene: Scene, a: int, b: int) -> float:
    line = scene.centres[b] - scene.centres[a]
    return math.atan2(line[0], line[2]) - _stand.heading(scene)

"""From the own point of view of A, which has a front: where is B?

Frame: on the ground at A, forward f = horizontal part of the direction that A's front faces, right r = f x up. With
v = horizontal vector from A to B, theta = atan2(v.r, v.f), right positive. ``where``: four sectors centred at 0, 90,
180 and -90 degrees; ``side``: left or right of the line straight ahead and behind. Asked only of things of a kind that
has a front, whose front somebody stated with confidence (`Margins.front`) and that faces roughly level; where B keeps
its distance from A, theta keeps a margin from the edges that exceeds the errors of front and places together, and most
of what is seen of B lies on that side. Nobody else's facing answers it: the camera's own left and right, which is the
usual mistake, is noted in the evidence, and facts where it is right and where it is wrong are asked in turn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins, about, blend, in_turns
from pseudogd.vqa.scene import Array, Scene, SceneObject
from pseudogd.vqa.tasks import _stand
from pseudogd.vqa.tasks.hypothetical import CUT_OFF, SECTORS
from pseudogd.vqa.words.allocentric import FORMS as FORMS
from pseudogd.vqa.words.allocentric import WHERE

QUOTA = 1
NEEDS = "bearing"

LEVEL = math.sin(math.radians(25.0))
FORMULA = "theta = atan2(v.r, v.f), f = unit h(front of A), r = f x up, v = h(B - A)"


@dataclass(frozen=True)
class _View:
    """B as A has it: angle, its standard error and its distance from the nearest edge, in radians."""

    a: int
    b: int
    angle: float
    sigma: float
    room: float


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Four ways and sides in turn, all answers in turn as far as the scene has them."""
    if not (scene.supports("bearing") and scene.has_gravity) or len(scene) < 2:
        return
    views = list(_views(scene, margins))
    yield from blend(rng, *((1, _asked(scene, rng, views, margins, asked)) for asked in ("where", "side")))


def answer(scene: Scene, fact: Fact) -> str | None:
    """The sector or side of B; None without gravity or a front that is not upright."""
    a, b = (scene.index(operand) for operand in fact.operands)
    angle = angle_of(scene, a, b)
    return None if angle is None else told(angle, fact.form.split(".")[1])


def angle_of(scene: Scene, a: int, b: int) -> float | None:
    """Radians from the front of A to B, right positive, in [-pi, pi)."""
    front = scene.objects[a].front
    if not scene.has_gravity or front is None:
        return None
    line = scene.centres[b] - scene.centres[a]
    if math.hypot(line[0], line[2]) < 1e-9 or math.hypot(front[0], front[2]) < 1e-9:
        return None
    angle = math.atan2(line[0], line[2]) - math.atan2(front[0], front[2])
    return (angle + math.pi) % math.tau - math.pi


def told(angle: float, asked: str) -> str:
    """The answer to an angle: left or right, or one of four sectors."""
    if asked == "side":
        return "right" if angle > 0 else "left"
    return SECTORS[round(angle / (math.pi / 2)) % 4]


def steps(fact: Fact) -> list[str]:
    """From the front of A to the side of B."""
    name, evidence = fact.slots, fact.evidence
    last = f"that is {WHERE[fact.answer]}" if fact.form.endswith("where") else f"that is on its {fact.answer}"
    return [
        f"The {name['a']} faces {_faced(evidence['front_bearing'])}, as the camera sees it.",
        f"Seen from the {name['a']}, the {name['b']} lies {_stand.side_of(fact.value)}, so {last}.",
    ]


def has_sure_front(thing: SceneObject, margins: Margins) -> bool:
    """Whether the thing is of a kind with a front, and its own is stated with confidence and roughly level."""
    if not thing.has_front or thing.front is None or (thing.front_confidence or 0.0) < margins.front:
        return False
    return bool(abs(thing.front[1]) <= LEVEL)


def _views(scene: Scene, margins: Margins) -> Iterator[_View]:
    unseen = np.array([CUT_OFF * scene.unit if thing.truncated else 0.0 for thing in scene.objects])
    for a, own in enumerate(scene.objects):
        if not has_sure_front(own, margins) or own.boxes_only or own.truncated:
            continue
        least = max(margins.stand_off * scene.unit, own.footprint)
        for b, thing in enumerate(scene.objects):
            line = scene.centres[b] - scene.centres[a]
            level = math.hypot(line[0], line[2])
            if a == b or thing.boxes_only or level < least or (thing.truncated and thing.occluded > 0.5):
                continue
            angle = angle_of(scene, a, b)
            assert angle is not None
            places = math.hypot(_across(scene, a, line), _across(scene, b, line), unseen[b]) / level
            lean = scene.settings.up_sigma * abs(line[1]) / level
            yield _View(a, b, angle, math.hypot(margins.front_error, places, lean), 0.0)


def _across(scene: Scene, k: int, line: Array) -> float:
    """One standard error of a place, across a line on the ground."""
    step = scene.errors[k]
    return float(step[0] * line[2] - step[2] * line[0]) / math.hypot(line[0], line[2])


def _asked(scene: Scene, rng: np.random.Generator, views: list[_View], margins: Margins, asked: str) -> Iterator[Fact]:
    width = math.pi if asked == "side" else math.pi / 2
    least = 2 * margins.sector if asked == "side" else margins.sector
    good = []
    for view in views:
        centre = math.copysign(math.pi / 2, view.angle) if asked == "side" else _centre(view.angle)
        room = width / 2 - abs(float(_stand.wrapped(view.angle - centre)))
        if room > max(least, margins.sigmas * view.sigma) and _share(scene, view, centre, width / 2) >= _stand.MOST:
            good.append(_View(view.a, view.b, view.angle, view.sigma, room))
    own = [told(view.angle, asked) for view in good]
    seen = [told(_by_camera(scene, view), asked) for view in good]
    for k in in_turns([(answer, answer == other) for answer, other in zip(own, seen)], rng):
        yield _fact(scene, good[k], asked, own[k], seen[k])


def _centre(angle: float) -> float:
    return round(angle / (math.pi / 2)) * math.pi / 2


def _share(scene: Scene, view: _View, centre: float, reach: float) -> float:
    """Share of what is seen of B within ``reach`` of the angle ``centre``."""
    points, front = scene.objects[view.b].points, scene.objects[view.a].front
    assert points is not None and front is not None
    place = scene.centres[view.a]
    theirs = np.arctan2(points[:, 0] - place[0], points[:, 2] - place[2]) - math.atan2(front[0], front[2])
    return float((np.abs(_stand.wrapped(theirs - centre)) <= reach).mean())


def _by_camera(scene: Scene, view: _View) -> float:
    """The angle if A faced the way that the camera does."""
    line = scene.centres[view.b] - scene.centres[view.a]
    return float(_stand.wrapped(math.atan2(line[0], line[2]) - _stand.heading(scene)))


def _faced(degrees: float) -> str:
    """Where a front with this bearing faces, 0 being the camera's own forward."""
    ways = ("away from the camera", "to the right", "towards the camera", "to the left")
    return ways[round(degrees / 90) % 4]


def _fact(scene: Scene, view: _View, asked: str, own: str, seen: str) -> Fact:
    a, b = scene.objects[view.a], scene.objects[view.b]
    front = a.front
    assert front is not None
    wrong = ("left", "right") if asked == "side" else SECTORS
    start, end = scene.centres[view.a, ::2], scene.centres[view.b, ::2]
    ahead = start + front[::2] / np.linalg.norm(front[::2]) * scene.unit
    bearing = math.degrees(float(_stand.wrapped(math.atan2(front[0], front[2]) - _stand.heading(scene))))
    lines = [
        {"kind": "arrow", "in": "ground", "from": rounded(start, 3), "to": rounded(ahead, 3), "label": "front"},
        {"kind": "segment", "in": "ground", "from": rounded(start, 3), "to": rounded(end, 3), "label": b.name},
    ]
    return Fact(
        task="allocentric",
        form=f"allocentric.{asked}",
        kind="bearing",
        frame=f"own:{a.object_id}",
        operands=(a.object_id, b.object_id),
        style="value",
        answer=own,
        wrong=tuple(other for other in wrong if other != own),
        value=math.degrees(view.angle),
        unit="deg",
        margin=math.degrees(view.room),
        formula=FORMULA,
        slots={"a": a.name, "b": b.name},
        evidence={
            "objects": [about(a, "own view"), about(b, "asked")],
            "draw": lines,
            "front": rounded(front, 3),
            "front_bearing": round(bearing, 1),
            "front_confidence": rounded(float(a.front_confidence or 0.0), 3),
            "sigma": rounded(math.degrees(view.sigma), 2),
            "shortcut": {"rule": "the camera's own directions", "right": own == seen},
            "camera_view": seen,
        },
    )

"""The camera at the place of another thing, at its own height and facing the way it faces now: where is A then?

The move is that of the middle of X on the ground, so it needs no metres. What an error of depth does is found by moving
A and X along their own rays, one after the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.fairness import evenly
from pseudogd.vqa.guards import Margins, about
from pseudogd.vqa.scene import Q50, Scene
from pseudogd.vqa.tasks._camera import Seen, half_size, picture_place, seen_after, side_now, where
from pseudogd.vqa.words.camera_move import PLACES

MOST_PAIRS = 24
CLEAR = 0.35
"""Length (of `scene.unit`) between the edges of A and X: nobody stands in A."""
LEAST_RATIO = 0.12
CENTRAL = 0.25
ANSWERS = {"side": ("left", "right"), "seen": ("in", "out"), "range": ("nearer", "farther")}
FORMULAS = {
    "side": "side of u = fx x / z + cx from the middle column, (x, y, z) = A - X on the ground, at the camera's height",
    "seen": "u, v = (fx x / z + cx, fy y / z + cy) against the borders, (x, y, z) = A - X on the ground",
    "range": "|A - X on the ground, at the camera's height| / |A|",
}
RULES = {
    "side": ("its half of the picture now", "its side of the place now"),
    "seen": ("it is near the middle column now",),
    "range": ("it is behind the place, seen from the camera",),
}


@dataclass(frozen=True)
class _Told:
    """A and X, the answer, its measure and margin, and the answers that rules of thumb give."""

    a: int
    x: int
    own: str
    value: float
    room: float
    rules: tuple[str, ...]


def to_facts(scene: Scene, rng: np.random.Generator, margins: Margins, whole: list[int], asked: str) -> Iterator[Fact]:
    """Facts in pairs with both answers, for which all rules of thumb say the same."""
    pairs = [(a, x) for a in whole for x in whole if a != x and _apart(scene, a, x)]
    pairs = [pairs[k] for k in rng.permutation(len(pairs))[:MOST_PAIRS]]
    rule = {"side": _side, "seen": _seen, "range": _range}[asked]
    found = [told for a, x in pairs if (told := rule(scene, a, x, margins)) is not None]
    ranks = [(ANSWERS[asked].index(told.own),) for told in found]
    for k in evenly(ranks, [2] * len(found), rng, [told.rules for told in found]):
        yield _fact(scene, asked, found[k])


def seen_from(scene: Scene, a: int, x: int, factors: tuple[float, float] = (1.0, 1.0)) -> Seen:
    """Where A is for a camera at the place of X, both ``factors`` times as far away as measured."""
    ax, ay, az = (float(value) * factors[0] for value in scene.centres[a])
    px, pz = float(scene.centres[x, 0]) * factors[1], float(scene.centres[x, 2]) * factors[1]
    return picture_place(scene, ax - px, ay, az - pz)


def to_answer(scene: Scene, fact: Fact, asked: str) -> str | None:
    """By the middles of A and X alone; None where A would not be in front of the camera, so that it has no side."""
    a, x = (scene.index(operand) for operand in fact.operands)
    then = seen_from(scene, a, x)
    if asked == "range":
        return "nearer" if then.distance < seen_after(scene, a, None).distance else "farther"
    if asked == "side":
        return ("right" if then.u > 0.5 else "left") if then.ahead else None
    return "in" if then.ahead and 0 <= then.u <= 1 and 0 <= then.v <= 1 else "out"


def to_steps(fact: Fact, asked: str) -> list[str]:
    """From the place of A beside that of X to where it is then."""
    name, place, evidence = fact.slots["a"], fact.slots["x"], fact.evidence
    across, along = evidence["offset"]
    side, ahead = ("right" if across > 0 else "left"), along > 0
    turn = round(abs(math.degrees(math.atan2(across, abs(along)))))
    line = f"{turn} degree{'s' * (turn != 1)} to the {side} of straight {'ahead' if ahead else 'back'}"
    way = "farther ahead" if ahead else "behind"
    first = f"From the place of the {place}, facing as the camera does, the {name} lies {way}, {line}."
    if asked == "range":
        times = f"{fact.value:.2f} times as far from the camera as now"
        return [first, f"At the place of the {place} it is {times}, so it is {fact.answer}."]
    if asked == "side":
        percent = f"{round(100 * evidence['then'][0])} percent of the picture's width from its left border"
        return [first, f"Then it is {percent}, so {PLACES[fact.answer]} of the middle."]
    if evidence["then"] is None:
        return [first, f"It is not in front of the camera then, so it is {PLACES['out']}."]
    return [first, f"Then it is {where(evidence['then'])}, so it is {PLACES[fact.answer]}."]


# ---------------------------------------------------------------- what is sure
def _apart(scene: Scene, a: int, x: int) -> bool:
    flat = scene.centres[[a, x]][:, ::2]
    edges = scene.objects[a].footprint + scene.objects[x].footprint
    return float(np.hypot(*(flat[0] - flat[1]))) > edges + CLEAR * scene.unit


def _error(scene: Scene, a: int, x: int, what: str) -> float:
    """One standard error of ``u``, ``v``, ``z`` (as a share of the distance) or of the ratio of distances."""
    sigmas = scene.objects[a].sigma, scene.objects[x].sigma
    parts = []
    for which in (0, 1):
        ends = []
        for sign in (-1, 1):
            factors = tuple(1 + sign * sigmas[k] * (k == which) for k in (0, 1))
            then = seen_from(scene, a, x, factors)  # type: ignore[arg-type]
            now = factors[0] * seen_after(scene, a, None).distance
            ends.append({"range": then.distance / now, "z": then.z / then.distance, "u": then.u, "v": then.v}[what])
        parts.append((ends[1] - ends[0]) / 2)
    return math.hypot(*parts)


def _is_ahead(scene: Scene, a: int, x: int, then: Seen, margins: Margins) -> bool | None:
    """Whether A is surely in front of the camera then, surely behind it, or neither (None)."""
    share, least = then.z / then.distance, margins.sigmas * _error(scene, a, x, "z") + 0.1
    return True if share > least else False if share < -least else None


def _side(scene: Scene, a: int, x: int, margins: Margins) -> _Told | None:
    then = seen_from(scene, a, x)
    if not _is_ahead(scene, a, x, then, margins):
        return None
    wide = half_size(scene, a, seen_after(scene, a, None).z / max(then.z, 1e-6))[0]
    room, edge = abs(then.u - 0.5), margins.picture_edge
    if not (edge < then.u < 1 - edge and edge < then.v < 1 - edge):
        return None
    if room <= max(edge + min(wide, 0.5) / 2, margins.sigmas * _error(scene, a, x, "u")):
        return None
    own = "right" if then.u > 0.5 else "left"
    beside = "right" if scene.objects[a].u[Q50] > scene.objects[x].u[Q50] else "left"
    return _Told(a, x, own, then.u, room, (side_now(scene, a), beside))


def _seen(scene: Scene, a: int, x: int, margins: Margins) -> _Told | None:
    """Only of what lies farther than the place: what lies before it is left behind, as anybody can tell."""
    then, now = seen_from(scene, a, x), seen_after(scene, a, None)
    if not _is_ahead(scene, a, x, then, margins):
        return None
    wide, high = half_size(scene, a, 1.2 * now.z / max(then.z, 1e-6))
    across = wide + max(margins.picture_edge / 2, margins.sigmas * _error(scene, a, x, "u"))
    along = high + max(margins.picture_edge / 2, margins.sigmas * _error(scene, a, x, "v"))
    rules = ("in" if abs(float(scene.objects[a].u[Q50]) - 0.5) < CENTRAL else "out",)
    sides = min(then.u, 1 - then.u), min(then.v, 1 - then.v)
    if sides[0] > across and sides[1] > along:
        return _Told(a, x, "in", min(sides), min(sides[0] - wide, sides[1] - high), rules)
    beyond = max(-across - sides[0], -along - sides[1])
    return _Told(a, x, "out", min(sides), beyond, rules) if beyond > 0 else None


def _range(scene: Scene, a: int, x: int, margins: Margins) -> _Told | None:
    now = seen_after(scene, a, None)
    ratio = seen_from(scene, a, x).distance / now.distance
    if abs(ratio - 1) <= max(LEAST_RATIO, margins.sigmas * _error(scene, a, x, "range")):
        return None
    own = "nearer" if ratio < 1 else "farther"
    behind = "nearer" if scene.objects[a].z[Q50] > scene.objects[x].z[Q50] else "farther"
    return _Told(a, x, own, ratio, abs(ratio - 1), (behind,))


def _fact(scene: Scene, asked: str, told: _Told) -> Fact:
    thing, place = scene.objects[told.a], scene.objects[told.x]
    now, then = seen_after(scene, told.a, None), seen_from(scene, told.a, told.x)
    flat = scene.centres[told.a] - scene.centres[told.x]
    view = {"side": side_now(scene, told.a), "seen": "in", "range": "nearer"}[asked]
    heading = math.atan2(*scene.rotation[[0, 2], 2]) if scene.rotation is not None else 0.0
    c, s = math.cos(heading), math.sin(heading)
    evidence: dict[str, Any] = {
        "objects": [about(thing, "asked"), about(place, "place")],
        "by": rounded(float(np.hypot(*scene.centres[told.x, ::2])), 3),
        "now": rounded([now.u, now.v], 3),
        "then": rounded([then.u, then.v], 3) if then.ahead else None,
        "offset": rounded([float(flat[0] * c - flat[2] * s), float(flat[0] * s + flat[2] * c)], 3),
        "sigma": rounded(_error(scene, told.a, told.x, "range" if asked == "range" else "u"), 4),
        "shortcut": {"rule": RULES[asked][-1], "right": told.rules[-1] == told.own},
        "camera_view": view,
    }
    return Fact(
        task="camera_move",
        form=f"camera_move.moved_to_{asked}",
        kind="bearing",
        frame=f"camera moved to:{place.object_id}",
        operands=(thing.object_id, place.object_id),
        style="value",
        answer=told.own,
        wrong=tuple(other for other in ANSWERS[asked] if other != told.own),
        value=told.value,
        unit="times as far" if asked == "range" else "share",
        margin=told.room,
        formula=FORMULAS[asked],
        slots={"a": thing.name, "x": place.name},
        evidence=evidence,
    )

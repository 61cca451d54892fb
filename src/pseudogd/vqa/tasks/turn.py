"""Standing at X and facing Y (or with the back to Y): to face Z, which way does one turn, and by about how much?

Frame: on the ground at X, see `hypothetical`; theta is the turn that brings Z straight ahead, right positive.
``way``: left and right end at 135 degrees; from there on one turns around. Nothing is asked of what lies almost
straight ahead, as nobody turns for that. ``angle``: theta to the nearest ten degrees, asked from 15 to 165 degrees on
either side where its predicted error is small; the other options are 40 degrees or more from it and from each other,
and may lie on either side. Asked only if theta keeps a margin from the edges that exceeds its propagated error, and
most of what is seen of Z is near. Left and right with the face to Y are right and left with the back to it: twins.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins, blend, in_turns
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.tasks import _stand
from pseudogd.vqa.tasks.hypothetical import far_enough
from pseudogd.vqa.words.hypothetical import AT
from pseudogd.vqa.words.turn import FORMS as FORMS
from pseudogd.vqa.words.turn import STEP

QUOTA = 1
NEEDS = "bearing"

AHEAD = math.radians(22.5)
AROUND = math.radians(135.0)
SIDEWAYS = math.radians(5.0)
APART = 40
CHOICES = 4
NEAR_IT = math.radians(25.0)
KEYS = tuple(sign * degrees for sign in (-1, 1) for degrees in range(2 * STEP, 180 - STEP, STEP))

Place = tuple[int, int, int]


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Ways and angles in turn; of the ways, as many left as right and half as many around."""
    if not (scene.supports("bearing") and scene.has_gravity) or len(scene) < 3:
        return
    found = _stand.turns(scene)
    clear = far_enough(scene, margins)
    streams = (2, _ways(scene, rng, margins, clear, True)), (1, _ways(scene, rng, margins, clear, False))
    yield from blend(rng, *streams, (3, _angles(scene, rng, margins, clear & (found.sigma <= margins.octant_error))))


def answer(scene: Scene, fact: Fact) -> str | None:
    """The way, or of the angles offered the nearest; None without gravity or where two of the three coincide."""
    x, y, z = (scene.index(operand) for operand in fact.operands)
    stance, asked = _parts(fact)
    angle = _stand.turn_to(scene, x, y, z, stance)
    if angle is None:
        return None
    if asked == "way":
        return way_of(angle)
    degrees = math.degrees(angle)
    return min((fact.answer, *fact.wrong), key=lambda key: abs((degrees - int(key) + 180) % 360 - 180))


def way_of(angle: float) -> str:
    """left, right or around, of an angle in radians in [-pi, pi)."""
    return "around" if abs(angle) > AROUND else "right" if angle > 0 else "left"


def steps(fact: Fact) -> list[str]:
    """From the place of Z to the turn."""
    name, (stance, asked) = fact.slots, _parts(fact)
    told = [
        _stand.stance_step(name["x"], name["y"], stance),
        f"From there the {name['z']} lies {_stand.side_of(fact.value)}.",
    ]
    if asked == "way":
        last = "it is almost behind, so turn around" if fact.answer == "around" else f"so turn {fact.answer}"
        return [*told, f"To face it, {last}."]
    return [*told, f"To the nearest ten degrees that is a turn of {abs(int(fact.answer))} degrees."]


def mirrored(fact: Fact) -> Fact:
    """The fact of the mirrored scene."""
    swap = {"left": "right", "right": "left", "around": "around"}
    own, *others = (swap.get(key) or str(-int(key)) for key in (fact.answer, *fact.wrong))
    return replace(fact, answer=own, wrong=tuple(others), value=-fact.value)


def others(degrees: int, rng: np.random.Generator) -> list[int]:
    """Wrong turns, so far from each other and the right one that no rounding makes two of them one."""
    chosen = [degrees]
    for place in rng.permutation(len(KEYS)):
        if all(abs((KEYS[place] - other + 180) % 360 - 180) >= APART for other in chosen):
            chosen.append(KEYS[place])
        if len(chosen) == CHOICES:
            break
    return chosen[1:]


# ---------------------------------------------------------------- which way
def _ways(
    scene: Scene, rng: np.random.Generator, margins: Margins, clear: NDArray[np.bool_], sideways: bool
) -> Iterator[Fact]:
    found = _stand.turns(scene)
    candidates: list[tuple[Place, str]] = []
    for stance in _stand.STANCES:
        theta = np.abs(_stand.wrapped(found.theta + (math.pi if stance == "away" else 0.0)))
        room = np.minimum(theta - AHEAD, AROUND - theta) if sideways else theta - AROUND
        with np.errstate(invalid="ignore"):
            good = clear & (room > np.maximum(margins.sector, margins.sigmas * found.sigma))
        candidates += [((int(x), int(y), int(z)), stance) for x, y, z in np.argwhere(good)]
    known, done = set(candidates), set()
    ways = [way_of(_theta(found, place, stance)) for place, stance in candidates]
    maps = [way_of(_theta(found, place, stance, on_map=True)) for place, stance in candidates]
    for k in in_turns([(way, way == flat) for way, flat in zip(ways, maps)], rng):
        place, stance = candidates[k]
        if (place, stance) in done or not _near(scene, place):
            continue
        twin = (place, "away" if stance == "facing" else "facing")
        both = [(place, stance), *([twin] if sideways and twin in known else [])]
        done.update(both)
        for where, how in both:
            yield _way(scene, where, how, len(both) == 2)


def _near(scene: Scene, place: Place) -> bool:
    angle = float(_stand.turns(scene).theta[place])
    return _stand.spread(scene, *place, angle, NEAR_IT) >= _stand.MOST


def _theta(found: _stand.Turns, place: Place, stance: str, on_map: bool = False) -> float:
    angle = float((found.on_map if on_map else found.theta)[place])
    return float(_stand.wrapped(angle + (math.pi if stance == "away" else 0.0)))


def _way(scene: Scene, place: Place, stance: str, twins: bool) -> Fact:
    found = _stand.turns(scene)
    angle = _theta(found, place, stance)
    own, flat = way_of(angle), way_of(_theta(found, place, stance, on_map=True))
    room = abs(abs(angle) - AROUND)
    if own != "around":
        room = min(room, abs(angle) - AHEAD)
    wrong = tuple(way for way in ("left", "right", "around") if way != own)
    view = way_of(float(found.by_camera[place[0], place[2]]))
    return _fact(scene, place, f"turn.way_{stance}", own, wrong, room, flat == own, view, twins)


# ---------------------------------------------------------------- by how much
def _angles(scene: Scene, rng: np.random.Generator, margins: Margins, clear: NDArray[np.bool_]) -> Iterator[Fact]:
    found = _stand.turns(scene)
    room = np.pi / 2 - SIDEWAYS - np.abs(np.abs(found.theta) - np.pi / 2)
    with np.errstate(invalid="ignore"):
        places = np.argwhere(clear & (room > np.maximum(SIDEWAYS * 2, margins.sigmas * found.sigma)))
    classes = [round(math.degrees(float(found.theta[tuple(place)])) / 30) for place in places]
    for k in in_turns(classes, rng):
        x, y, z = (int(i) for i in places[k])
        if not _near(scene, (x, y, z)):
            continue
        for stance in _stand.STANCES if rng.integers(2) else _stand.STANCES[::-1]:
            yield _angle(scene, (x, y, z), stance, rng)


def _angle(scene: Scene, place: Place, stance: str, rng: np.random.Generator) -> Fact:
    found = _stand.turns(scene)
    degrees = math.degrees(_theta(found, place, stance))
    own = nearest(degrees)
    room = math.radians(APART / 2 - abs(degrees - own))
    flat = nearest(math.degrees(_theta(found, place, stance, on_map=True)))
    wrong = tuple(str(other) for other in others(own, rng))
    view = nearest(math.degrees(float(found.by_camera[place[0], place[2]])))
    return _fact(scene, place, f"turn.angle_{stance}", str(own), wrong, room, flat == own, str(view), True)


def nearest(degrees: float) -> int:
    """Degrees to the nearest ten, from -160 to 160 without what is straight ahead."""
    return min(KEYS, key=lambda key: abs(degrees - key))


def _parts(fact: Fact) -> tuple[str, str]:
    asked, stance = fact.form.split(".")[1].split("_")
    return stance, asked


def _fact(
    scene: Scene,
    place: Place,
    form: str,
    own: str,
    wrong: tuple[str, ...],
    room: float,
    shortcut: bool,
    view: str,
    twins: bool,
) -> Fact:
    x, y, z = (scene.objects[i] for i in place)
    stance, found = form.split("_")[1], _stand.turns(scene)
    degrees = math.degrees(_theta(found, place, stance))
    label = f"{degrees:.0f} degrees"
    return Fact(
        task="turn",
        form=form,
        kind="bearing",
        frame=_stand.frame(x, y, stance),
        operands=(x.object_id, y.object_id, z.object_id),
        style="value",
        answer=own,
        wrong=wrong,
        value=degrees,
        unit="deg",
        margin=math.degrees(room),
        formula=_stand.formula(stance),
        slots={"x": x.name, "y": y.name, "z": z.name, "at": AT[x.standable]},
        evidence={
            **_stand.evidence(scene, place[0], place[1], [place[2]], stance, [label]),
            "sigma": rounded(math.degrees(float(found.sigma[place])), 2),
            "shortcut": {"rule": "the picture as a map", "right": shortcut},
            "camera_view": view,
        },
        twin=f"{form.split('_')[0]}:{x.object_id}>{y.object_id}>{z.object_id}" if twins else None,
    )

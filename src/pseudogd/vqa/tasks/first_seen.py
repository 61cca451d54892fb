"""Standing at X, facing Y (or with the back to it) and turning left or right on the spot: which thing is met first?

Frame: on the ground at X, see `hypothetical`. phi = theta mod 360 degrees for a turn to the right, -theta mod 360 for
one to the left: how far one turns until a thing is straight ahead. The answer has the smallest phi. Asked of two to
four things none of which is straight ahead at the beginning, whose phi differ by a margin that exceeds the errors of
both; most of what is seen of each is near its phi. The opposite turn, which meets the last of them first, is the
twin: so the thing that is closest to straight ahead is no better an answer than another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins
from pseudogd.vqa.scene import Array, Scene
from pseudogd.vqa.tasks import _stand
from pseudogd.vqa.tasks.hypothetical import far_enough
from pseudogd.vqa.words.first_seen import FORMS as FORMS
from pseudogd.vqa.words.hypothetical import AT

QUOTA = 1
NEEDS = "bearing"

MOST_THINGS = 4
WAYS = {"left": -1.0, "right": 1.0}


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Facts in pairs of twins; places, facings, and the things asked about are drawn."""
    if not (scene.supports("bearing") and scene.has_gravity) or len(scene) < 4:
        return
    found, clear = _stand.turns(scene), far_enough(scene, margins)
    places = np.argwhere(clear.sum(axis=-1) >= 2)
    for k in rng.permutation(len(places)):
        x, y = (int(i) for i in places[k])
        stance = _stand.STANCES[int(rng.integers(2))]
        theta = _stand.wrapped(found.theta[x, y] + (math.pi if stance == "away" else 0.0))
        things = _apart(scene, (x, y), theta, clear[x, y], margins, rng)
        if len(things) < 2:
            continue
        for way in ("left", "right") if rng.integers(2) else ("right", "left"):
            yield _fact(scene, (x, y), stance, way, things, theta)


def answer(scene: Scene, fact: Fact) -> str | None:
    """What is met first; None without gravity or where something is at X."""
    x, y, *asked = (scene.index(operand) for operand in fact.operands)
    stance, way = fact.form.split(".")[1].split("_")
    turns = [_stand.turn_to(scene, x, y, z, stance) for z in asked]
    if any(turn is None for turn in turns):
        return None
    first = min(range(len(asked)), key=lambda k: WAYS[way] * turns[k] % math.tau)  # type: ignore[operator]
    return scene.objects[asked[first]].name


def steps(fact: Fact) -> list[str]:
    """Where each thing is on the way round."""
    name, (stance, way) = fact.slots, fact.form.split(".")[1].split("_")
    met = sorted(fact.evidence["met"], key=lambda entry: entry[1])
    turns = ", ".join(f"the {thing} after {degrees:.0f} degrees" for thing, degrees in met)
    return [
        _stand.stance_step(name["x"], name["y"], stance),
        f"Turning {way} from there brings up {turns}.",
        f"The smallest turn is the one to the {fact.answer}.",
    ]


def mirrored(fact: Fact) -> Fact:
    """The fact of the mirrored scene: the same thing is met first by the opposite turn."""
    stance, way = fact.form.split(".")[1].split("_")
    return replace(fact, form=f"first_seen.{stance}_{'left' if way == 'right' else 'right'}")


def _apart(
    scene: Scene, place: tuple[int, int], theta: Array, clear: Array, margins: Margins, rng: np.random.Generator
) -> list[int]:
    """Two to four things in random order, well apart from each other and from straight ahead."""
    x, y = place
    sigma, phi = _stand.turns(scene).sigma[x, y], np.remainder(theta, math.tau)
    wanted = int(rng.integers(2, MOST_THINGS + 1))
    chosen: list[int] = []
    for z in rng.permutation(np.flatnonzero(clear)):
        if abs(theta[z]) <= _least(float(sigma[z]), 0.0, margins):
            continue
        gaps = [
            abs(float(phi[z] - phi[other])) - _least(float(sigma[z]), float(sigma[other]), margins) for other in chosen
        ]
        bearing = float(_stand.turns(scene).theta[x, y, z])
        if min(gaps, default=1.0) > 0 and _stand.spread(scene, x, y, int(z), bearing, margins.sector) >= _stand.MOST:
            chosen.append(int(z))
        if len(chosen) == wanted:
            break
    return chosen


def _least(a: float, b: float, margins: Margins) -> float:
    return max(margins.sector, margins.sigmas * math.hypot(a, b))


def _fact(scene: Scene, place: tuple[int, int], stance: str, way: str, things: list[int], theta: Array) -> Fact:
    x, y = (scene.objects[i] for i in place)
    found = _stand.turns(scene)
    phi = np.remainder(WAYS[way] * theta[things], math.tau)
    order = np.argsort(phi)
    first, second = (things[int(k)] for k in order[:2])
    gap = float(phi[order[1]] - phi[order[0]])
    names = [scene.objects[z].name for z in things]
    met = [[name, round(math.degrees(float(turn)))] for name, turn in zip(names, phi)]
    on_map = _stand.wrapped(found.on_map[place] + (math.pi if stance == "away" else 0.0))
    return Fact(
        task="first_seen",
        form=f"first_seen.{stance}_{way}",
        kind="bearing",
        frame=_stand.frame(x, y, stance),
        operands=(x.object_id, y.object_id, *(scene.objects[z].object_id for z in things)),
        style="among",
        answer=scene.objects[first].name,
        wrong=tuple(name for z, name in zip(things, names) if z != first),
        value=math.degrees(float(phi[order[0]])),
        unit="deg",
        margin=math.degrees(min(gap, float(phi[order[0]]))),
        formula=f"phi = {'' if way == 'right' else '-'}theta mod 360, {_stand.formula(stance)}",
        slots={"x": x.name, "y": y.name, "at": AT[x.standable]},
        evidence={
            **_stand.evidence(scene, place[0], place[1], things, stance),
            "met": met,
            "sigma": rounded(math.degrees(math.hypot(*(float(found.sigma[(*place, z)]) for z in (first, second)))), 2),
            "shortcut": {"rule": "the picture as a map", "right": _first(on_map, things, way) == first},
            "camera_view": scene.objects[_first(found.by_camera[place[0]], things, way)].name,
        },
        twin=f"{stance}:{'>'.join([x.object_id, y.object_id, *sorted(scene.objects[z].object_id for z in things)])}",
    )


def _first(theta: Array, things: list[int], way: str) -> int:
    return min(things, key=lambda z: WAYS[way] * float(theta[z]) % math.tau)

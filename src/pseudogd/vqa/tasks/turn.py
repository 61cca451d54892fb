"""Standing at X and facing Y (or with the back to Y): which way, and how far, does one turn to face Z?

Frame: on the ground at X, see `hypothetical`; theta is the shorter turn, right positive. *way*: around if |theta| is
over 135 degrees, else the side of theta; what is nearly straight ahead is not asked. *amount*: |theta| to the nearest
ten degrees with its side; wrong are the other side and an angle at least 50 degrees off on both sides, so that neither
half of an option tells it. Asked only if theta keeps the margin `Margins.sector` and four times its error from where
another option would be as good. Facts come with twins of the opposite facing, unless that would be straight ahead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.fairness import in_rounds, opposites
from pseudogd.vqa.guards import Margins, blend, in_turns
from pseudogd.vqa.scene import Array, Scene
from pseudogd.vqa.tasks import _stand
from pseudogd.vqa.tasks.hypothetical import far_enough
from pseudogd.vqa.words.hypothetical import AT
from pseudogd.vqa.words.turn import ANGLES, WAYS
from pseudogd.vqa.words.turn import FORMS as FORMS

QUOTA = 1
NEEDS = "bearing"

AROUND = math.radians(135.0)
STEP = 10
APART = 50
SURE = 2.0
"""Times `Margins.sigmas`: turns of half a circle are asked about, where errors of both lines matter most."""
FAIR_SURER = 1.5
"""Times the margin of ways where they are drawn fairly: those that the flat picture answers wrongly err more often."""
SIDES = ("left", "right")


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Ways and amounts in turn, with their twins."""
    if not (scene.supports("bearing") and scene.has_gravity) or len(scene) < 3:
        return
    found = _stand.turns(scene)
    needed = np.maximum(margins.sector, SURE * margins.sigmas * found.sigma)
    clear = far_enough(scene, margins)
    yield from blend(
        rng,
        (1, (_fair_ways if margins.fair else _ways)(scene, clear, needed, rng)),
        (1, _amounts(scene, clear, needed, rng)),
    )


def answer(scene: Scene, fact: Fact) -> str | None:
    """The way, or the nearest of the offered turns; None without gravity, or where two stand at one place."""
    x, y, z = (scene.index(operand) for operand in fact.operands)
    kind, stance = fact.form.split(".")[1].split("_")
    angle = _stand.turn_to(scene, x, y, z, stance)
    if angle is None:
        return None
    if kind == "way":
        return way_of(angle)
    return min((fact.answer, *fact.wrong), key=lambda key: abs(_stand.wrapped(angle - _radians(key))))


def way_of(angle: float) -> str:
    """Left, right, or around for the shorter turn in radians, right positive."""
    return "around" if abs(angle) > AROUND else SIDES[int(angle > 0)]


def way_margin(theta: Array) -> Array:
    """Radians from the nearest other way, or from straight ahead, where no turn is needed."""
    size = np.abs(theta)
    return np.where(size > AROUND, size - AROUND, np.minimum(size, AROUND - size))


def steps(fact: Fact) -> list[str]:
    """From the turn to its name."""
    name = fact.slots
    kind, stance = fact.form.split(".")[1].split("_")
    found = [
        _stand.stance_step(name["x"], name["y"], stance),
        f"From there the {name['z']} lies {_stand.side_of(fact.value)}.",
    ]
    if kind == "way":
        more = "more" if fact.answer == "around" else "less"
        found.append(f"That is {more} than 135 degrees, so you {WAYS[fact.answer]}.")
    return found


def _radians(key: str) -> float:
    side, angle = key.split("_")
    return math.radians(int(angle)) * (1 if side == "right" else -1)


def _ways(scene: Scene, clear: NDArray[np.bool_], needed: Array, rng: np.random.Generator) -> Iterator[Fact]:
    found = _stand.turns(scene)
    facing, away = found.theta, _stand.wrapped(found.theta + math.pi)
    good = [clear & (way_margin(theta) > needed) for theta in (facing, away)]
    triples = np.argwhere(good[0] | good[1])
    classes = []
    for x, y, z in triples:
        both = good[0][x, y, z] and good[1][x, y, z]
        shortcut = way_of(found.on_map[x, y, z]) == way_of(facing[x, y, z])
        classes.append((way_of(facing[x, y, z]), way_of(away[x, y, z]), bool(both), shortcut))
    for k in in_turns(classes, rng):
        x, y, z = (int(i) for i in triples[k])
        twins = []
        for stance, theta, fine in zip(_stand.STANCES, (facing, away), good):
            if fine[x, y, z]:
                angle = float(theta[x, y, z])
                wrong = tuple(way for way in WAYS if way != way_of(angle))
                margin = float(way_margin(theta[x, y, z]))
                mapped = float(found.on_map[x, y, z]) + (math.pi if stance == "away" else 0.0)
                shortcut = way_of(float(_stand.wrapped(mapped))) == way_of(angle)
                camera = way_of(float(found.by_camera[x, z]))
                twins.append(
                    _fact(scene, (x, y, z), f"way_{stance}", way_of(angle), wrong, angle, margin, shortcut, camera)
                )
        yield from twins if rng.integers(2) else twins[::-1]


def _fair_ways(scene: Scene, clear: NDArray[np.bool_], needed: Array, rng: np.random.Generator) -> Iterator[Fact]:
    """Each way as often as the other ways of the same photo that stand beside it, by a map of the picture or not."""
    found = _stand.turns(scene)

    def stance(name: str, theta: Array, mapped: Array) -> Iterator[Fact]:
        triples = np.argwhere(clear & (way_margin(theta) > FAIR_SURER * needed))
        ways = [way_of(angle) for angle in theta[tuple(triples.T)]]
        shortcuts = [way == way_of(angle) for way, angle in zip(ways, mapped[tuple(triples.T)])]
        queues: dict[str, list[int]] = {}
        for k in opposites([[1 if right else -1] for right in shortcuts], rng, ways):
            queues.setdefault(ways[k], []).append(k)
        if len(queues) < 2:
            return
        for k in in_rounds([[queues[way][::-1] for way in sorted(queues)]], rng):
            x, y, z = (int(i) for i in triples[k])
            angle, margin = float(theta[x, y, z]), float(way_margin(theta[x, y, z]))
            wrong, camera = tuple(way for way in WAYS if way in queues and way != ways[k]), found.by_camera[x, z]
            yield _fact(
                scene, (x, y, z), f"way_{name}", ways[k], wrong, angle, margin, shortcuts[k], way_of(float(camera))
            )

    back = (_stand.wrapped(found.theta + math.pi), _stand.wrapped(found.on_map + math.pi))
    yield from blend(rng, (1, stance("facing", found.theta, found.on_map)), (1, stance("away", *back)))


def _amounts(scene: Scene, clear: NDArray[np.bool_], needed: Array, rng: np.random.Generator) -> Iterator[Fact]:
    found = _stand.turns(scene)
    size = np.abs(found.theta)
    side_margin = np.minimum(size, math.pi - size)
    triples = np.argwhere(clear & (side_margin > needed))
    tens = np.rint(np.degrees(size[tuple(triples.T)]) / STEP).astype(int) * STEP
    off = np.abs(_stand.wrapped(found.on_map - found.theta))[tuple(triples.T)] < math.radians(APART / 2)
    for k in in_turns([(int(ten), bool(near)) for ten, near in zip(tens, off)], rng):
        x, y, z = (int(i) for i in triples[k])
        right = int(tens[k])
        far = [angle for angle in ANGLES if abs(angle - right) >= APART]
        if right not in ANGLES:
            continue
        other = far[int(rng.integers(len(far)))]
        between = math.radians((right + other) / 2)
        margin = float(min(side_margin[x, y, z], abs(size[x, y, z] - between)))
        if margin <= needed[x, y, z]:
            continue
        twins = []
        for stance, near, off in (("facing", right, other), ("away", 180 - right, 180 - other)):
            angle = float(found.theta[x, y, z])
            angle = angle if stance == "facing" else float(_stand.wrapped(angle + math.pi))
            own, opposite = SIDES[int(angle > 0)], SIDES[int(angle <= 0)]
            wrong = (f"{opposite}_{near}", f"{own}_{off}", f"{opposite}_{off}")
            options = (f"{own}_{near}", *wrong)
            mapped = float(found.on_map[x, y, z]) + (math.pi if stance == "away" else 0.0)
            shortcut = min(options, key=lambda key: abs(_stand.wrapped(mapped - _radians(key)))) == options[0]
            seen = float(found.by_camera[x, z])
            camera = min(options, key=lambda key: abs(_stand.wrapped(seen - _radians(key))))
            twins.append(
                _fact(scene, (x, y, z), f"amount_{stance}", options[0], wrong, angle, margin, shortcut, camera)
            )
        yield from twins if rng.integers(2) else twins[::-1]


def _fact(
    scene: Scene,
    triple: tuple[int, int, int],
    form: str,
    right: str,
    wrong: tuple[str, ...],
    angle: float,
    margin: float,
    shortcut: bool,
    camera: str,
) -> Fact:
    x, y, z = (scene.objects[i] for i in triple)
    kind, stance = form.split("_")
    degrees = math.degrees(angle)
    sigma = float(_stand.turns(scene).sigma[triple])
    return Fact(
        task="turn",
        form=f"turn.{form}",
        kind="bearing",
        frame=_stand.frame(x, y, stance),
        operands=(x.object_id, y.object_id, z.object_id),
        style="value",
        answer=right,
        wrong=wrong,
        value=degrees,
        unit="deg",
        margin=math.degrees(margin),
        formula=_stand.formula(stance),
        slots={"x": x.name, "y": y.name, "z": z.name, "at": AT[x.standable]},
        evidence={
            **_stand.evidence(scene, triple[0], triple[1], [triple[2]], stance, [f"{degrees:.0f} degrees"]),
            "sigma": rounded(math.degrees(sigma), 2),
            "shortcut": {"rule": "the picture as a map", "right": shortcut},
            "camera_view": camera,
        },
        twin=f"{kind} {x.object_id}>{y.object_id}>{z.object_id}",
    )

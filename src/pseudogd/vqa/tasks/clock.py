"""Standing at X and facing Y (or with the back to Y): at which hour of a clock face is Z, 12 being straight ahead?

Frame: on the ground at X, see `hypothetical`. hour = round(theta / 30 degrees) mod 12, 0 being 12: rounded, never cut
off, so that one degree to the right of straight ahead is 12 o'clock. Asked only if theta has a low predicted error and
keeps a margin from the edge of its hour that also exceeds it twice, and most of what is seen of Z is near.
Wrong hours are at least two hours from the right one and from each other, at gaps that do not depend on which one is
right. Every fact has a twin with the opposite facing, six hours away.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.tasks import _stand
from pseudogd.vqa.words.clock import FORMS as FORMS
from pseudogd.vqa.words.hypothetical import AT

QUOTA = 1
NEEDS = "bearing"

HOURS = 12
CHOICES = 4
LEAST_GAP = 2


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Facts in pairs of twins, all hours in turn as far as the scene has them (drawn fairly, beside one another)."""
    found = _stand.in_sectors(scene, rng, margins, HOURS, margins.hour, margins.hour_error)
    if margins.fair:
        for twins, wrong in _stand.beside_others(found, HOURS, LEAST_GAP, CHOICES, rng):
            both = [_fact(scene, one, [(hour + HOURS // 2 * k) % HOURS or HOURS for hour in wrong])
                    for k, one in enumerate(twins)]  # fmt: skip
            yield from both if rng.integers(2) else both[::-1]
        return
    for twins in found:
        for one in twins if rng.integers(2) else twins[::-1]:
            yield _fact(scene, one, others(one.sector, rng))


def answer(scene: Scene, fact: Fact) -> str | None:
    """The hour of Z; None without gravity, or where two of the three stand at one place."""
    x, y, z = (scene.index(operand) for operand in fact.operands)
    angle = _stand.turn_to(scene, x, y, z, fact.form.split(".")[1])
    return None if angle is None else hour_of(angle)


def hour_of(angle: float) -> str:
    """The hour nearest to an angle in radians, right of straight ahead positive."""
    return str(round(angle * HOURS / math.tau) % HOURS or HOURS)


def steps(fact: Fact) -> list[str]:
    """From the turn to the hour."""
    name = fact.slots
    turn = fact.value % 360
    return [
        _stand.stance_step(name["x"], name["y"], fact.form.split(".")[1]),
        f"From there the {name['z']} lies {_stand.side_of(fact.value)}.",
        f"That is {turn:.0f} degrees clockwise, and each hour is 30 degrees, so the nearest hour is {fact.answer}.",
    ]


def mirrored(fact: Fact) -> Fact:
    """The fact of the mirrored scene: hours run the other way."""
    own, *others = (str(-int(hour) % HOURS or HOURS) for hour in (fact.answer, *fact.wrong))
    return replace(fact, answer=own, wrong=tuple(others), value=-fact.value)


def others(hour: int, rng: np.random.Generator) -> list[int]:
    """Wrong hours: going round from the right one, gaps of two hours with the spare hours dealt out at random."""
    gaps = LEAST_GAP + rng.multinomial(HOURS - CHOICES * LEAST_GAP, [1 / CHOICES] * CHOICES)
    return [int((hour + gap) % HOURS or HOURS) for gap in np.cumsum(gaps)[:-1]]


def _fact(scene: Scene, found: _stand.Sectored, wrong: Sequence[int]) -> Fact:
    x, y, z = (scene.objects[i] for i in (found.x, found.y, found.z))
    hour = str(found.sector or HOURS)
    degrees = math.degrees(found.angle)
    return Fact(
        task="clock",
        form=f"clock.{found.stance}",
        kind="bearing",
        frame=_stand.frame(x, y, found.stance),
        operands=(x.object_id, y.object_id, z.object_id),
        style="value",
        answer=hour,
        wrong=tuple(str(other) for other in wrong),
        value=degrees,
        unit="deg",
        margin=math.degrees(found.margin),
        formula=f"hour = round(theta / 30) mod 12, {_stand.formula(found.stance)}",
        slots={"x": x.name, "y": y.name, "z": z.name, "at": AT[x.standable]},
        evidence={
            **_stand.evidence(scene, found.x, found.y, [found.z], found.stance, [f"{degrees:.0f} degrees"]),
            "sigma": rounded(math.degrees(found.sigma), 2),
            "shortcut": {"rule": "the picture as a map", "right": found.on_map == found.sector},
            "camera_view": str(found.by_camera or HOURS),
        },
        twin=f"{x.object_id}>{y.object_id}>{z.object_id}",
    )

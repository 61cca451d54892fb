"""Standing at X and facing Y (or with the back to Y): in which of eight directions is Z?

Frame: on the ground at X, see `hypothetical`; the eight sectors are centred at multiples of 45 degrees. Asked only
where the predicted error is low (`Margins.octant_error`), with a margin from the sector's edge that also exceeds twice
that error. Wrong options skip the adjacent sectors: the four options are a quarter turn apart, whichever is right.
Every fact has a twin with the opposite facing and direction.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.tasks import _stand
from pseudogd.vqa.words.hypothetical import AT
from pseudogd.vqa.words.octant import DIRECTIONS
from pseudogd.vqa.words.octant import FORMS as FORMS

QUOTA = 1
NEEDS = "bearing"

SECTORS = tuple(DIRECTIONS)
COUNT = len(SECTORS)


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Facts in pairs of twins, all eight answers in turn (drawn fairly, beside one another)."""
    found = _stand.in_sectors(scene, rng, margins, COUNT, margins.octant, margins.octant_error)
    if margins.fair:
        for twins, wrong in _stand.beside_others(found, COUNT, 2, COUNT // 2, rng):
            both = [_fact(scene, one, [other + COUNT // 2 * k for other in wrong]) for k, one in enumerate(twins)]
            yield from both if rng.integers(2) else both[::-1]
        return
    for twins in found:
        for one in twins if rng.integers(2) else twins[::-1]:
            yield _fact(scene, one, [one.sector + step for step in (2, 4, 6)])


def answer(scene: Scene, fact: Fact) -> str | None:
    """The direction of Z; None without gravity, or where two of the three stand at one place."""
    x, y, z = (scene.index(operand) for operand in fact.operands)
    angle = _stand.turn_to(scene, x, y, z, fact.form.split(".")[1])
    return None if angle is None else direction_of(angle)


def direction_of(angle: float) -> str:
    """The nearest of the eight directions to an angle in radians, right of straight ahead positive."""
    return SECTORS[round(angle * COUNT / math.tau) % COUNT]


def steps(fact: Fact) -> list[str]:
    """From the turn to the direction."""
    name = fact.slots
    said = DIRECTIONS[fact.answer]
    centre = 45 * SECTORS.index(fact.answer)
    return [
        _stand.stance_step(name["x"], name["y"], fact.form.split(".")[1]),
        f"From there the {name['z']} lies {_stand.side_of(fact.value)}.",
        f"The eight directions are 45 degrees apart; going clockwise, {said} is at {centre} degrees, the nearest one.",
    ]


def _fact(scene: Scene, found: _stand.Sectored, wrong: Sequence[int]) -> Fact:
    x, y, z = (scene.objects[i] for i in (found.x, found.y, found.z))
    degrees = math.degrees(found.angle)
    return Fact(
        task="octant",
        form=f"octant.{found.stance}",
        kind="bearing",
        frame=_stand.frame(x, y, found.stance),
        operands=(x.object_id, y.object_id, z.object_id),
        style="value",
        answer=SECTORS[found.sector],
        wrong=tuple(SECTORS[other % COUNT] for other in wrong),
        value=degrees,
        unit="deg",
        margin=math.degrees(found.margin),
        formula=f"sector = round(theta / 45) mod 8, {_stand.formula(found.stance)}",
        slots={"x": x.name, "y": y.name, "z": z.name, "at": AT[x.standable]},
        evidence={
            **_stand.evidence(scene, found.x, found.y, [found.z], found.stance, [f"{degrees:.0f} degrees"]),
            "sigma": rounded(math.degrees(found.sigma), 2),
            "shortcut": {"rule": "the picture as a map", "right": found.on_map == found.sector},
            "camera_view": SECTORS[found.by_camera],
        },
        twin=f"{x.object_id}>{y.object_id}>{z.object_id}",
    )

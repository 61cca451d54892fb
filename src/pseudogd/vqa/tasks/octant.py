"""Standing at X and facing Y (or with the back to Y): in which of eight directions is Z?

Frame: on the ground at X, see `hypothetical`. The eight sectors are centred on straight ahead and every 45 degrees from
there. Eight are asked only where the angle's predicted error is small (`Margins.octant_error`), it keeps twelve degrees
from the edges of its sector (`Margins.octant`), and most of what is seen of Z is in that sector. Options are every
second sector from the right one: its neighbours are never offered. Every fact has a twin with the opposite facing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.tasks import _stand
from pseudogd.vqa.words.hypothetical import AT
from pseudogd.vqa.words.octant import FORMS as FORMS
from pseudogd.vqa.words.octant import SIDES

QUOTA = 1
NEEDS = "bearing"

SECTORS = tuple(SIDES)


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Facts in pairs of twins, all eight answers in turn as far as the scene has them."""
    for twins in _stand.in_sectors(scene, rng, margins, len(SECTORS), margins.octant, margins.octant_error):
        for found in twins if rng.integers(2) else twins[::-1]:
            yield _fact(scene, found)


def answer(scene: Scene, fact: Fact) -> str | None:
    """The sector of Z; None without gravity, or where two of the three stand at one place."""
    x, y, z = (scene.index(operand) for operand in fact.operands)
    angle = _stand.turn_to(scene, x, y, z, fact.form.split(".")[1])
    return None if angle is None else sector_of(angle)


def sector_of(angle: float) -> str:
    """The sector of an angle in radians, right of straight ahead positive."""
    return SECTORS[round(angle * len(SECTORS) / math.tau) % len(SECTORS)]


def steps(fact: Fact) -> list[str]:
    """From the turn to the sector."""
    name = fact.slots
    return [
        _stand.stance_step(name["x"], name["y"], fact.form.split(".")[1]),
        f"From there the {name['z']} lies {_stand.side_of(fact.value)}.",
        f"The eight directions are 45 degrees apart, and the nearest one is {SIDES[fact.answer]}.",
    ]


def _fact(scene: Scene, found: _stand.Sectored) -> Fact:
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
        wrong=tuple(SECTORS[(found.sector + step) % 8] for step in (2, 4, 6)),
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

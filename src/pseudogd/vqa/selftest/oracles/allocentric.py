"""The line to the other block divided by the direction of the front, as complex numbers on the ground."""

from __future__ import annotations

import cmath
import math

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import EYE, Block, Room
from pseudogd.vqa.selftest.oracles._common import away, bearing, expect


def _facing(degrees: float, name: str, x: float, z: float, width: float, height: float) -> Block:
    return Block(name, x, z, width, height, front=math.radians(degrees))


_CHAIRS = (
    _facing(180, "red chair", -1.1, 3.0, 0.6, 0.9),
    _facing(95, "blue chair", 1.0, 3.4, 0.5, 0.5),
    Block("green card", 0.1, 5.0, 0.9, 1.6),
    _facing(-80, "yellow cabinet", 2.2, 6.0, 0.7, 1.1),
    Block("white card", -0.3, 2.0, 0.4, 0.3),
    _facing(10, "black monitor", -2.6, 6.5, 0.6, 0.7),
)
ROOMS = tuple(Room(_CHAIRS, view) for view in ({"eye": EYE}, {"eye": EYE, "pitch_deg": 12.0, "roll_deg": 4.0}))

SIDES = {"front": 0.0, "right": 90.0, "behind": 180.0, "left": -90.0}


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    a, b = (room.block(operand) for operand in fact.operands)
    if a.front is None:
        return f"the {a.name} has no front"
    angle = bearing(complex(b.x - a.x, b.z - a.z) / cmath.exp(1j * (math.pi / 2 - a.front)))
    if abs(away(fact.value, angle)) > 3:
        return f"says {fact.value:.1f} degrees, the truth is {angle:.1f}"
    if fact.form == "allocentric.side":
        return expect(fact.answer, "right" if angle > 0 else "left")
    return expect(fact.answer, min(SIDES, key=lambda side: abs(away(angle, SIDES[side]))))

"""The turn from the stated front of the block to the other block, as an angle of complex numbers on the ground."""

from __future__ import annotations

import cmath
import math
from dataclasses import replace

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import CARDS, Room
from pseudogd.vqa.selftest.golden import ROOMS as PLAIN
from pseudogd.vqa.selftest.oracles._common import away, bearing, expect

_NAMES = ("red chair", "blue card", "green dog", "yellow person", "white card", "black card")
_FRONTS = (100.0, None, -160.0, 25.0, None, None)
_FACING = [
    replace(card, name=name, front=None if front is None else math.radians(front))
    for card, name, front in zip(CARDS, _NAMES, _FRONTS)
]
ROOMS = tuple(Room(_FACING, room.view) for room in PLAIN)
SIDES = {"front": 0.0, "right": 90.0, "behind": 180.0, "left": -90.0}


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    a, b = (room.block(operand) for operand in fact.operands)
    if a.front is None:
        return "is asked of a thing without a front"
    ahead = cmath.rect(1.0, math.pi / 2 - a.front) * (-1 if fact.form.endswith("_turned") else 1)
    angle = bearing(complex(b.x - a.x, b.z - a.z) / ahead)
    if abs(away(fact.value, angle)) > 3:
        return f"says {fact.value:.1f} degrees, the truth is {angle:.1f}"
    return expect(fact.answer, min(SIDES, key=lambda side: abs(away(angle, SIDES[side]))))

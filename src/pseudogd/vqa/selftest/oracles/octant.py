"""Eight hands from straight ahead on, clockwise: the one that makes the smallest angle with the line to the thing."""

from __future__ import annotations

import cmath
import math

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Room
from pseudogd.vqa.selftest.oracles._common import away, bearing, expect

NAMES = ("front", "front_right", "right", "back_right", "back", "back_left", "left", "front_left")
HANDS = {name: cmath.exp(-1j * math.radians(45 * k)) for k, name in enumerate(NAMES)}


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    x, y, z = (complex(room.block(o).x, room.block(o).z) for o in fact.operands)
    line = (z - x) / (y - x if fact.form == "octant.facing" else x - y)
    if abs(away(fact.value, bearing(line))) > 3:
        return f"says {fact.value:.1f} degrees, the truth is {bearing(line):.1f}"
    if any((NAMES.index(fact.answer) - NAMES.index(other)) % 8 in (0, 1, 7) for other in fact.wrong):
        return f"offers {fact.wrong} beside {fact.answer}"
    return expect(fact.answer, max(HANDS, key=lambda name: (line * HANDS[name].conjugate()).real))

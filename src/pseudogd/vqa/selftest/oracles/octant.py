"""The direction whose unit vector goes farthest along the line to the asked thing."""

from __future__ import annotations

import cmath
import math

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Room
from pseudogd.vqa.selftest.oracles._common import away, bearing, expect

ANGLES = {
    "front": 0,
    "front_right": 45,
    "right": 90,
    "behind_right": 135,
    "behind": 180,
    "behind_left": -135,
    "left": -90,
    "front_left": -45,
}
WAYS = {name: cmath.exp(-1j * math.radians(angle)) for name, angle in ANGLES.items()}


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    x, y, z = (complex(room.block(o).x, room.block(o).z) for o in fact.operands)
    line = (z - x) / (y - x if fact.form == "octant.facing" else x - y)
    if abs(away(fact.value, bearing(line))) > 3:
        return f"says {fact.value:.1f} degrees, the truth is {bearing(line):.1f}"
    if any(abs(away(ANGLES[fact.answer], ANGLES[other])) < 60 for other in fact.wrong):
        return f"offers {fact.wrong} beside {fact.answer}"
    return expect(fact.answer, max(WAYS, key=lambda way: (line * WAYS[way].conjugate()).real))

"""The turn from the facing to the asked thing, as an angle of complex numbers on the ground."""

from __future__ import annotations

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Room
from pseudogd.vqa.selftest.oracles._common import away, bearing, expect

SIDES = {"front": 0.0, "right": 90.0, "behind": 180.0, "left": -90.0}


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    x, y, z = (complex(room.block(o).x, room.block(o).z) for o in fact.operands)
    angle = bearing((z - x) / (y - x if fact.form == "hypothetical.facing" else x - y))
    if abs(away(fact.value, angle)) > 3:
        return f"says {fact.value:.1f} degrees, the truth is {angle:.1f}"
    return expect(fact.answer, min(SIDES, key=lambda side: abs(away(angle, SIDES[side]))))

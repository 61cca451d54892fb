"""The lines to both things as complex numbers: the sign of the angle from one to the other."""

from __future__ import annotations

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Room
from pseudogd.vqa.selftest.oracles._common import away, bearing, expect


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    x, y, a, b = (complex(room.block(o).x, room.block(o).z) for o in fact.operands)
    ahead = y - x if fact.form == "viewpoint.facing" else x - y
    if any(abs(bearing((thing - x) / ahead)) > 65 for thing in (a, b)):
        return "asks about what is not in front"
    angle = bearing((a - x) / (b - x))
    if abs(away(fact.value, angle)) > 4:
        return f"says {fact.value:.1f} degrees, the truth is {angle:.1f}"
    return expect(fact.answer, "right" if angle > 0 else "left")

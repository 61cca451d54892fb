"""The hand of a clock: the hour whose hand makes the smallest angle with the line to the asked thing."""

from __future__ import annotations

import cmath
import math

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Room
from pseudogd.vqa.selftest.oracles._common import away, bearing, expect

HANDS = {str(hour): cmath.exp(-1j * math.radians(30 * hour)) for hour in range(1, 13)}


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    x, y, z = (complex(room.block(o).x, room.block(o).z) for o in fact.operands)
    line = (z - x) / (y - x if fact.form == "clock.facing" else x - y)
    if abs(away(fact.value, bearing(line))) > 3:
        return f"says {fact.value:.1f} degrees, the truth is {bearing(line):.1f}"
    if any(abs(away(30 * int(fact.answer), 30 * int(other))) < 60 for other in fact.wrong):
        return f"offers {fact.wrong} beside {fact.answer}"
    return expect(fact.answer, max(HANDS, key=lambda hour: (line * HANDS[hour].conjugate()).real))

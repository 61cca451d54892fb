"""The turn as an angle of complex numbers on the ground."""

from __future__ import annotations

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Room
from pseudogd.vqa.selftest.oracles._common import away, bearing, expect


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    x, y, z = (complex(room.block(o).x, room.block(o).z) for o in fact.operands)
    form, stance = fact.form.split(".")[1].split("_")
    angle = bearing((z - x) / (y - x if stance == "facing" else x - y))
    if abs(away(fact.value, angle)) > 3:
        return f"says {fact.value:.1f} degrees, the truth is {angle:.1f}"
    if form == "way":
        return expect(fact.answer, "around" if abs(angle) > 135 else "right" if angle > 0 else "left")
    options = [int(key) for key in (fact.answer, *fact.wrong)]
    if any(abs(away(a, b)) < 40 for k, a in enumerate(options) for b in options[:k]):
        return f"offers {options}"
    if abs(away(angle, options[0])) > 8:  # rounded to tens, after an error of up to three degrees
        return f"says {options[0]} degrees, the truth is {angle:.1f}"
    return expect(options[0], min(options, key=lambda key: abs(away(angle, key))))

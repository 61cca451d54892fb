"""The turn as an angle of complex numbers; of amounts the nearest that is offered."""

from __future__ import annotations

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Room
from pseudogd.vqa.selftest.oracles._common import away, bearing, expect


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    x, y, z = (complex(room.block(o).x, room.block(o).z) for o in fact.operands)
    kind, stance = fact.form.split(".")[1].split("_")
    angle = bearing((z - x) / (y - x if stance == "facing" else x - y))
    if abs(away(fact.value, angle)) > 3:
        return f"says {fact.value:.1f} degrees, the truth is {angle:.1f}"
    if kind == "way":
        return expect(fact.answer, "around" if abs(angle) > 135 else "right" if angle > 0 else "left")
    off = {key: abs(away(angle, _degrees(key))) for key in (fact.answer, *fact.wrong)}
    best = min(off, key=lambda key: off[key])
    return expect(fact.answer, best) or (None if off[best] < 9 else f"is {off[best]:.1f} degrees off")


def _degrees(key: str) -> int:
    side, angle = key.split("_")
    return int(angle) if side == "right" else -int(angle)

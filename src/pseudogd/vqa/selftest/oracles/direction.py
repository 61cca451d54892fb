"""Side by x / z, height by the middle over the floor."""

from __future__ import annotations

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Room
from pseudogd.vqa.selftest.oracles._common import expect, near


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    a, b = (room.block(o) for o in fact.operands)
    if fact.form == "direction.height":
        true = a.base + a.height / 2 - b.base - b.height / 2
        return expect(fact.answer, "higher" if true > 0 else "lower") or near(fact.value, true, absolute=0.05)
    side = "left" if a.x / a.z < b.x / b.z else "right"
    want = side if fact.form == "direction.side" else f"{side}_{'near' if a.z < b.z else 'far'}"
    return expect(fact.answer, want)

"""Blocks sorted by depth or by height."""

from __future__ import annotations

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Room
from pseudogd.vqa.selftest.oracles._common import expect


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    form = fact.form.split(".")[1]
    by_depth = "near" in form
    blocks = sorted(map(room.block, fact.operands), key=lambda b: b.z if by_depth else b.height)
    if form in ("far_near", "tall_short"):
        blocks.reverse()
    true = ", ".join(f"the {block.name}" for block in blocks)
    named = {f"the {block.name}" for block in blocks}
    if any(set(order.split(", ")) != named for order in fact.wrong):
        return "offers an order of other things"
    return expect(fact.answer, true)

"""Which block's middle lies at the smaller depth."""

from __future__ import annotations

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Room
from pseudogd.vqa.selftest.oracles._common import expect


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    want = min if fact.form in ("nearer.pair_near", "nearer.nearest") else max
    return expect(fact.answer, want((room.block(o) for o in fact.operands), key=lambda b: b.z).name)

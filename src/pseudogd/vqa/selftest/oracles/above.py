"""Boxes whose plans overlap, one over the other."""

from __future__ import annotations

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import ROOMS as PLAIN
from pseudogd.vqa.selftest.golden import Block, Room
from pseudogd.vqa.selftest.oracles._common import expect

BLOCKS = (
    Block("brown table", -0.8, 3.0, 1.2, 0.6, depth=1.2),
    Block("red box", -1.0, 2.8, 0.3, 0.3, depth=0.3, base=0.6),
    Block("blue lamp", -0.6, 3.1, 0.5, 0.3, depth=0.5, base=1.35),
    Block("green box", 1.0, 2.6, 0.4, 0.4, depth=0.4),
    Block("white picture", 1.3, 4.8, 0.7, 0.5, base=1.1),
    Block("gray bin", 0.3, 4.0, 0.4, 0.5, depth=0.4),
)
"""The picture hangs above the green box in the photo, and two metres behind it in space."""
ROOMS = tuple(Room(BLOCKS, {**room.view, "eye": 1.3}) for room in PLAIN)


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    a, b = (room.block(operand) for operand in fact.operands)
    over = min(_overlap(a.x, a.width, b.x, b.width), _overlap(a.z, a.depth, b.z, b.depth)) > 0
    true = "neither"
    if over and a.base >= b.base + b.height - 1e-9:
        true = "above"
    elif over and b.base >= a.base + a.height - 1e-9:
        true = "below"
    return expect(fact.answer, true)


def _overlap(a: float, a_size: float, b: float, b_size: float) -> float:
    return min(a + a_size / 2, b + b_size / 2) - max(a - a_size / 2, b - b_size / 2)

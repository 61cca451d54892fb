"""Widths of cards against the free way between two of them, and bases of boxes against tops."""

from __future__ import annotations

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import CARDS, EYE, Block, Room
from pseudogd.vqa.selftest.oracles._common import expect

TOPS = (
    Block("crate", -1.4, 3.6, 1.2, 0.6, 1.0),
    Block("case", 1.5, 3.4, 0.5, 0.3, 0.4),
    Block("chest", 0.1, 5.2, 1.0, 0.5, 0.8),
    Block("tin", 0.1, 2.7, 0.3, 0.2, 0.25),
)
DOOR = (
    Block("post", -0.4, 3.0, 0.3, 1.0),
    Block("pillar", 0.35, 3.1, 0.3, 1.2),
    Block("board", 2.0, 4.5, 1.0, 0.7),
    Block("stick", -1.4, 3.4, 0.12, 0.8),
)
ROOMS = (Room(DOOR, {"eye": EYE}), Room(CARDS, {"eye": EYE}), Room(TOPS, {"eye": 2.2, "pitch_deg": 28.0}))


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    things = [room.block(operand) for operand in fact.operands]
    if fact.form == "fits.through":
        mover, one, other = things
        across = abs(one.x - other.x) - (one.width + other.width) / 2
        behind = max(0.0, abs(one.z - other.z) - (one.depth + other.depth) / 2)
        return expect(fact.answer, "yes" if mover.width < (across**2 + behind**2) ** 0.5 else "no")
    small, large = (sorted((block.width, block.depth)) for block in things)
    return expect(fact.answer, "yes" if small[0] < large[0] and small[1] < large[1] else "no")

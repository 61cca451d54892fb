"""Sizes are those of the blocks."""

from __future__ import annotations

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Block, Room
from pseudogd.vqa.selftest.oracles._common import expect

LARGEST = {"taller": "shorter", "wider": "narrower", "larger": "smaller", "tallest": ""}


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    name = fact.form.split(".")[1]
    kind = next(large for large, small in LARGEST.items() if name in (large, small))
    things = [room.block(operand) for operand in fact.operands]
    return expect(fact.answer, (max if name == kind else min)(things, key=lambda b: _size(b, kind)).name)


def _size(block: Block, kind: str) -> float:
    if kind == "larger":  # taller and wider at once: any growing function of both
        return block.height * block.width
    return block.width if kind == "wider" else block.height

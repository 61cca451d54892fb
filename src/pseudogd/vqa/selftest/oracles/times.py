"""Quotients of the blocks' own numbers."""

from __future__ import annotations

import numpy as np

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Block, Room, middle
from pseudogd.vqa.selftest.oracles._common import LARGE, across_sight, near

ROOMS = tuple(Room(LARGE, {"side": 320, "pitch_deg": pitch}) for pitch in (0.0, 8.0))


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    a, b = (_measure(room, room.block(operand), fact.form.split(".")[1]) for operand in fact.operands)
    said, *others = (float(text.split()[0]) for text in (fact.answer, *fact.wrong))
    wrong = near(fact.value, a / b, relative=0.04) or near(said, a / b, relative=0.08)
    if wrong is None and any(1 / 1.3 < other / (a / b) < 1.3 for other in others):
        return f"offers {others} beside {a / b:.2f}"
    return wrong


def _measure(room: Room, block: Block, form: str) -> float:
    if form == "far":
        return float(np.linalg.norm(middle(block, room.eye)))
    return block.height if form == "tall" else across_sight(block)

"""Middles of cards: exactly one candidate may be near the line between the two ends."""

from __future__ import annotations

import numpy as np

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import ROOMS as PLAIN
from pseudogd.vqa.selftest.golden import Block, Room, middle
from pseudogd.vqa.selftest.oracles._common import expect

CARDS = (
    Block("red card", -1.3, 2.8, 0.4, 0.5),
    Block("blue card", 0.1, 3.5, 0.4, 0.6),
    Block("green card", 1.6, 4.3, 0.5, 0.8),
    Block("yellow card", -0.6, 5.6, 0.6, 0.9),
    Block("white card", 0.9, 2.6, 0.4, 0.4),
    Block("black card", -2.6, 4.2, 0.4, 0.9),
)
ROOMS = tuple(Room(CARDS, room.view) for room in PLAIN)


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    a, b, *rest = (room.block(operand) for operand in fact.operands)
    start, end = middle(a, room.eye), middle(b, room.eye)
    length = float(np.linalg.norm(end - start))
    between = []
    for block in rest:
        # A thing is between two ends where the way over it is hardly longer than the straight one.
        place = middle(block, room.eye)
        way = float(np.linalg.norm(place - start) + np.linalg.norm(end - place))
        if way < 1.12 * length:
            between.append(block.name)
    return expect([fact.answer], between)

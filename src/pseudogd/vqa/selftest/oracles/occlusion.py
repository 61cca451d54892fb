"""Rectangles in the plane of x / z and y / z: the nearer of two that overlap hides a part of the other."""

from __future__ import annotations

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import ROOMS as PLAIN
from pseudogd.vqa.selftest.golden import Block, Room
from pseudogd.vqa.selftest.oracles._common import expect

CARDS = (
    Block("red card", -0.9, 2.6, 0.5, 0.7),
    Block("blue card", -1.2, 4.2, 0.9, 1.5),
    Block("green card", 1.0, 3.0, 0.4, 1.1),
    Block("yellow card", 1.5, 5.0, 1.2, 0.9),
    Block("white card", 0.2, 3.0, 0.5, 0.9),
    Block("black card", 0.2, 5.0, 0.4, 0.5, base=1.1),
)
"""The last is just above the white card in the picture, and is not hidden by it."""
ROOMS = tuple(Room(CARDS, room.view) for room in PLAIN)


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    a, b = (room.block(operand) for operand in fact.operands)
    if not all(_overlap(*(_ends(card, axis, room.eye) for card in (a, b))) for axis in (0, 1)):
        return "asks of things of which neither hides the other"
    near, far = (a, b) if a.z < b.z else (b, a)
    return expect(fact.answer, near.name if fact.form == "occlusion.hides" else far.name)


def _ends(card: Block, axis: int, eye: float) -> tuple[float, float]:
    if axis == 0:
        return (card.x - card.width / 2) / card.z, (card.x + card.width / 2) / card.z
    return (eye - card.base - card.height) / card.z, (eye - card.base) / card.z


def _overlap(first: tuple[float, float], second: tuple[float, float]) -> bool:
    return min(first[1], second[1]) - max(first[0], second[0]) > 0

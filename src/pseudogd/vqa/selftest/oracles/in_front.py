"""The nearer of two cards in one direction."""

from __future__ import annotations

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import ROOMS as PLAIN
from pseudogd.vqa.selftest.golden import Block, Room
from pseudogd.vqa.selftest.oracles._common import expect

CARDS = (
    Block("red card", -0.9, 2.6, 0.5, 0.5),
    Block("blue card", -1.2, 4.2, 0.9, 1.5),
    Block("green card", 1.0, 3.0, 0.4, 0.6),
    Block("yellow card", 1.5, 5.0, 0.9, 1.4, base=0.4),
    Block("white card", 0.2, 5.5, 0.8, 0.9),
)
ROOMS = tuple(Room(CARDS, room.view) for room in PLAIN)


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    a, b = (room.block(operand) for operand in fact.operands)
    if min(_columns(a)[1], _columns(b)[1]) < max(_columns(a)[0], _columns(b)[0]) - 0.15:
        return "asks of things that lie in different directions"
    if fact.form == "in_front.side":
        return expect(fact.answer, "front" if a.z < b.z else "behind")
    return expect(fact.answer, (min if fact.form == "in_front.which_front" else max)((a, b), key=lambda c: c.z).name)


def _columns(card: Block) -> tuple[float, float]:
    return (card.x - card.width / 2) / card.z, (card.x + card.width / 2) / card.z

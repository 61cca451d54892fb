"""The eye's own height, where a chair stands on the floor."""

from __future__ import annotations

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Block, Room
from pseudogd.vqa.selftest.oracles._common import near

BLOCKS = (Block("red chair", -0.6, 3.0, 0.5, 0.9, depth=0.4), Block("blue box", 0.8, 3.4, 0.5, 0.4, depth=0.3))
ROOMS = tuple(
    Room(BLOCKS, {"eye": eye, "pitch_deg": pitch, "roll_deg": roll})
    for eye, pitch, roll in ((1.2, 5.0, 0.0), (1.6, 14.0, 0.0), (0.7, 0.0, 3.0), (2.4, 20.0, 2.0))
)


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    said, *others = (float(text.split()[0]) for text in (fact.answer, *fact.wrong))
    wrong = near(fact.value, room.eye, relative=0.02) or near(said, room.eye, absolute=0.08)
    if wrong is None and any(1 / 1.4 < other / room.eye < 1.4 for other in others):
        return f"offers {others} beside {room.eye:.2f}"
    return wrong

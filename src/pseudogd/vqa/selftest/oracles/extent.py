"""Height of a card, and its width across the line of sight."""

from __future__ import annotations

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Room
from pseudogd.vqa.selftest.oracles._common import LARGE, across_sight, near

ROOMS = tuple(Room(LARGE, {"side": 320, "pitch_deg": pitch}) for pitch in (0.0, 8.0))


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    card = room.block(fact.operands[0])
    true = card.height if fact.form == "extent.height" else across_sight(card)
    said, *others = (float(text.split()[0]) for text in (fact.answer, *fact.wrong))
    wrong = near(fact.value, true, relative=0.04) or near(said, true, absolute=0.09)
    if wrong is None and any(1 / 1.3 < other / true < 1.3 for other in others):
        return f"offers {others} beside {true:.2f}"
    return wrong

"""Level distances of the middles of cards, as absolute values of complex numbers."""

from __future__ import annotations

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Room, middle
from pseudogd.vqa.selftest.oracles._common import near


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    places = [complex(*middle(room.block(operand), room.eye)[::2]) for operand in fact.operands]
    true = abs(places[0] - (places[1] if len(places) == 2 else 0))
    said, *others = (float(text.split()[0]) for text in (fact.answer, *fact.wrong))
    wrong = near(fact.value, true, relative=0.02, absolute=0.03) or near(said, true, 0.02, absolute=0.1)
    if wrong is None and any(1 / 1.4 < other / true < 1.4 for other in others):
        return f"offers {others} beside {true:.2f}"
    return wrong

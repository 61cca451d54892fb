"""The region of the card that meets the condition: its projected outline, or where a ray hits."""

from __future__ import annotations

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import CARDS, EYE, Block, Room
from pseudogd.vqa.selftest.oracles._common import expect
from pseudogd.vqa.selftest.oracles._conditions import chosen, full_of, hits, numbers_of, outline

QUARTERS = (
    Block("pink card", -1.3, 3.0, 0.5, 0.9, base=1.4),
    Block("orange card", 1.5, 4.0, 0.5, 0.5, base=1.8),
    Block("red card", -1.2, 2.4, 0.4, 0.4),
    Block("blue card", 0.9, 2.8, 0.5, 0.6),
    Block("green card", 2.8, 5.5, 0.7, 0.8),
)
ROOMS = (Room(CARDS, {"eye": EYE}), Room(QUARTERS, {"eye": EYE, "pitch_deg": 3.0, "roll_deg": 2.0}))
SLACK = 0.03


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    right = chosen(room, fact)[0]
    edges = outline(room, scene, right)
    if fact.form.startswith("region.quarter"):
        down, across = (edges[1] + edges[3]) / 2, (edges[0] + edges[2]) / 2
        return expect(fact.answer, f"{'upper' if down < 0.5 else 'lower'}_{'left' if across < 0.5 else 'right'}")
    for place, text in enumerate((fact.answer, *fact.wrong)):
        numbers = [number / full_of(text, fact.slots.get("units", "")) for number in numbers_of(text)]
        if fact.form.startswith("region.coordinate"):
            there = hits(room, scene, *numbers) is right
        else:
            there = all(abs(a - b) < SLACK for a, b in zip(numbers, edges))
        if there != (place == 0):
            return f"says {text} for answer {place}, the {right.name} is at {[round(edge, 2) for edge in edges]}"
    return None

"""Counts of cards by their own places."""

from __future__ import annotations

import numpy as np

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Block, Room, middle
from pseudogd.vqa.selftest.oracles._common import expect


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    reference, *cards = (room.block(operand) for operand in fact.operands)
    form = fact.form.split(".")[1]
    wrong = expect(fact.slots["a"], reference.name)
    if wrong is None and any(f"the {card.name}" not in fact.slots["list"] for card in cards):
        wrong = f"lists {fact.slots['list']!r}"
    if wrong is None and int(fact.answer) in map(int, fact.wrong):
        wrong = "offers the right number as a wrong one"
    limit = float(fact.slots["d"].split()[0]) if form == "within" else 0.0
    return wrong or expect(fact.answer, str(sum(_fulfils(room, form, card, reference, limit) for card in cards)))


def _fulfils(room: Room, form: str, card: Block, reference: Block, limit: float) -> bool:
    if form == "within":
        step = middle(card, room.eye) - middle(reference, room.eye)
        return float(np.linalg.norm(step)) < limit
    return {
        "nearer": card.z < reference.z,
        "farther": card.z > reference.z,
        "left": card.x / card.z < reference.x / reference.z,
        "right": card.x / card.z > reference.x / reference.z,
        "higher": card.base + card.height / 2 > reference.base + reference.height / 2,
    }[form]

"""Lengths between middles, and between rectangles."""

from __future__ import annotations

import numpy as np

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Room, middle
from pseudogd.vqa.selftest.oracles._common import card_gap, expect, near


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    things = [room.block(operand) for operand in fact.operands]
    middles = [middle(thing, room.eye) for thing in things]
    if fact.form == "distance.camera":
        true = float(np.linalg.norm(middles[0]))
    elif fact.form == "distance.centre":
        true = float(np.linalg.norm(middles[0] - middles[1]))
    else:
        true = card_gap(*things)
    return near(fact.value, true, relative=0.05) or expect(fact.answer, f"{round(fact.value, 1):.1f} m")

"""Angles of complex numbers, counted in the sense of the turn: the first whose line is met."""

from __future__ import annotations

import cmath
import math

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Room
from pseudogd.vqa.selftest.oracles._common import expect, near


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    x, y, *things = (complex(room.block(o).x, room.block(o).z) for o in fact.operands)
    stance, side = fact.form.split(".")[1].split("_")
    ahead = y - x if stance == "facing" else x - y
    sense = -1 if side == "right" else 1  # right is clockwise, seen from above
    best, turned = 0, 360.0
    for k, thing in enumerate(things):
        # Degrees until the line to the thing is the line straight ahead, whole turns taken off.
        angle = math.degrees(sense * cmath.phase((thing - x) / ahead)) % 360
        if angle < turned:
            best, turned = k, angle
    name = room.block(fact.operands[2 + best]).name
    return expect(fact.answer, name) or near(fact.value, turned, absolute=3.0)

"""Angles between faces of blocks, floor and wall."""

from __future__ import annotations

import math

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Block, Room
from pseudogd.vqa.selftest.oracles._common import expect, near, percent_of
from pseudogd.vqa.selftest.oracles._faces import face_at

YARD = (
    Block("crate", -1.3, 3.2, 1.0, 0.7, 1.0),
    Block("case", 1.1, 3.2, 1.5, 1.0, 1.2, yaw=math.radians(40)),
    Block("chest", 0.0, 5.6, 1.2, 1.0, 0.8, yaw=math.radians(-20)),
)
ROOMS = (
    Room(YARD, {"eye": 1.6, "pitch_deg": 15.0}),
    Room(YARD, {"eye": 1.8, "pitch_deg": 18.0, "roll_deg": 5.0}),
)


def kind(angle: float) -> str:
    """Of an angle between planes in degrees."""
    return "parallel" if angle < 15 else "perpendicular" if angle > 75 else "neither"


def angle(room: Room, scene: Scene, a: str, b: str) -> float:
    """Between the planes at two points, in degrees."""
    first, second = (face_at(room, scene, percent_of(text))[0] for text in (a, b))
    return math.degrees(math.acos(min(1.0, abs(float(first @ second)))))


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    if fact.form == "planes.pair":
        true = angle(room, scene, fact.slots["p"], fact.slots["q"])
        return expect(fact.answer, kind(true)) or near(fact.value, true, absolute=4)
    asked = fact.form.split("_")[1]
    right = [kind(angle(room, scene, text, fact.slots["p"])) == asked for text in (fact.answer, *fact.wrong)]
    return None if right == [True] + [False] * (len(right) - 1) else f"of its points these fulfil it: {right}"

"""Middles of blocks as complex numbers on the ground: offsets from the lines between them."""

from __future__ import annotations

from itertools import combinations

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import EYE, Block, Room
from pseudogd.vqa.selftest.oracles._common import expect, near

ROW = (
    Block("red card", -1.2, 2.8, 0.4, 0.6),
    Block("blue card", 0.0, 3.7, 0.4, 0.7),
    Block("green card", 1.25, 4.6, 0.5, 0.9),
    Block("white card", -1.3, 5.2, 0.6, 0.8),
    Block("black card", 1.2, 3.0, 0.4, 0.3),
)
ROOMS = (Room(ROW, {"eye": EYE}), Room(ROW, {"eye": EYE, "pitch_deg": 8.0, "roll_deg": 4.0}))


def offset(places: list[complex]) -> float:
    """Share of the longest side that the third place is beside it."""
    a, b = max(combinations(places, 2), key=lambda ends: abs(ends[1] - ends[0]))
    c = next(place for place in places if place not in (a, b))
    return abs(((c - a) / (b - a)).imag)


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    places = [complex(room.block(o).x, room.block(o).z) for o in fact.operands]
    if fact.form == "collinear.three":
        true = offset(places)
        return expect(fact.answer, "straight" if true < 0.15 else "bent") or near(fact.value, true, absolute=0.04)
    if fact.form == "collinear.side":
        middle, eye = ((place - places[0]) / (places[2] - places[0]) for place in (places[1], 0j))
        return expect(fact.answer, "near" if middle.imag * eye.imag > 0 else "far")
    out = min(range(4), key=lambda k: offset([place for n, place in enumerate(places) if n != k]))
    return expect(fact.answer, room.block(fact.operands[out]).name)

"""Sizes of blocks and where their edges are in the picture; rays to the floor behind them."""

from __future__ import annotations

import math

import numpy as np

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import EYE, Block, Room, crossing, middle
from pseudogd.vqa.selftest.oracles._common import expect, near
from pseudogd.vqa.selftest.oracles._conditions import outline

MIXED = (
    Block("green pole", -1.0, 1.6, 0.2, 2.6, base=0.5),
    Block("red card", 0.2, 3.4, 0.6, 1.1),
    Block("blue card", 1.3, 4.6, 0.7, 2.2),
    Block("oak board", 2.1, 3.2, 1.6, 0.8),
    Block("flat tile", -0.2, 2.4, 0.3, 0.05),
    Block("grey board", -2.1, 5.6, 2.0, 0.9),
    Block("brown door", -0.85, 6.5, 0.9, 2.8),
)
FRONTS = (
    Block("red chair", -1.2, 3.2, 0.6, 0.8, front=math.radians(175)),
    Block("blue chair", 0.9, 3.6, 0.6, 0.8, front=math.radians(80)),
    Block("green sofa", 0.0, 5.2, 0.9, 0.9, front=math.radians(-3)),
    Block("white bench", 2.4, 5.0, 0.7, 0.6, front=math.radians(-70)),
    Block("black vase", -0.2, 2.6, 0.3, 0.4),
    Block("gray ball", 1.9, 4.2, 0.4, 0.3),
    Block("pink lamp", -2.4, 5.4, 0.3, 1.2),
    Block("orange tile", -0.6, 2.2, 0.3, 0.04),
)
ROOMS = (
    Room(FRONTS, {"eye": 1.5, "pitch_deg": 10.0}),
    Room(MIXED, {"eye": EYE}),
    Room(MIXED, {"eye": 1.5, "pitch_deg": 4.0}),
)
CANNOT = "It cannot be told from this picture"


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    form = fact.form.split(".")[1]
    things = [room.block(operand) for operand in fact.operands]
    if form == "facing":
        return expect(fact.answer, "cannot" if things[0].front is None else _facing(things[0]))
    if form == "behind":
        return expect(fact.answer, _behind(room, things[0]))
    if form == "meters":
        true = math.dist(*(middle(thing, room.eye) for thing in things))
        return near(float(fact.answer.split()[0]), true, absolute=0.1)
    size = "height" if form == "taller" else "width"
    small, large = sorted(things, key=lambda block: float(getattr(block, size)))
    sizes = {block.name: _seen(room, scene, block, size) for block in things}
    for block, other in ((small, large), (large, small)):
        seen, whole = sizes[block.name]
        if not whole and seen < sizes[other.name][0]:
            return expect(fact.answer, CANNOT)
    return expect(fact.answer, large.name)


def _seen(room: Room, scene: Scene, block: Block, size: str) -> tuple[float, bool]:
    """How much of a size is inside the picture, and whether that is all: cards in parallel planes keep proportions."""
    x0, y0, x1, y1 = outline(room, scene, block)
    low, high = (x0, x1) if size == "width" else (y0, y1)
    inside = (min(high, 1.0) - max(low, 0.0)) / (high - low)
    return float(getattr(block, size)) * inside, inside > 0.999


def _behind(room: Room, block: Block) -> str:
    """Whether the eye sees the ground half a metre behind a card over its top."""
    back = np.array([block.x, 0.0, block.z]) * (1 + 0.35 / math.hypot(block.x, block.z))
    way = np.array([back[0], room.eye, back[2]])
    enter, leave = crossing(block, way, room.eye)
    return "cannot" if enter <= leave and enter < 1 else "free"


def _facing(block: Block) -> str:
    turned = math.degrees(block.front or 0.0) - math.degrees(math.atan2(-block.x, -block.z))
    return ("toward", "left", "away", "right")[round(turned / 90) % 4]

"""Marked points on the ground by their rays, against the footprints of the blocks."""

from __future__ import annotations

import numpy as np

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import CARDS, EYE, Array, Block, Room
from pseudogd.vqa.selftest.golden import ROOMS as _ROOMS
from pseudogd.vqa.selftest.oracles._common import on_floor, percent_of
from pseudogd.vqa.selftest.oracles._conditions import hits

LOW = (
    Block("crate", -0.9, 3.0, 0.6, 0.3, 0.4),
    Block("case", 0.9, 3.4, 0.7, 0.25, 0.3),
    Block("chest", 0.1, 5.2, 0.9, 0.4, 0.5),
)
ROOMS = (Room(LOW, {"eye": 1.6, "pitch_deg": 20.0}), _ROOMS[1], Room(CARDS, {"eye": EYE, "roll_deg": 3.0}))
RADIUS = 0.12


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    relation = fact.form.split(".")[1]
    things = [room.block(operand) for operand in fact.operands]
    right = []
    for text in (fact.answer, *fact.wrong):
        x, y = percent_of(text)
        bare = hits(room, scene, (x + 0.25) / 100, (y + 0.25) / 100) is None
        place = on_floor(room, scene, [x, y])
        clear = min(_off(block, place) for block in room.blocks if block.base < 2.0) > RADIUS
        right.append(bool(bare and place[2] > 0 and clear and _meets(relation, things, place)))
    return None if right == [True] + [False] * (len(right) - 1) else f"of its points these fulfil it: {right}"


def _off(block: Block, place: Array) -> float:
    """Distance on the ground to the footprint of a block."""
    across = max(0.0, abs(place[0] - block.x) - block.width / 2)
    return float(np.hypot(across, max(0.0, abs(place[2] - block.z) - block.depth / 2)))


def _meets(relation: str, things: list[Block], place: Array) -> bool:
    first = complex(things[0].x, things[0].z)
    here = complex(place[0], place[2])
    if relation == "next":
        return _off(things[0], place) < 0.5
    if relation == "between":
        share = (here - first) / (complex(things[1].x, things[1].z) - first)
        return 0.2 < share.real < 0.8 and abs(share.imag) < 0.25
    turned = here / first * abs(first)  # real along the line of sight, imaginary across it
    inside = abs(turned.imag) < things[0].width / 2 + 0.1
    return inside and (turned.real > abs(first) if relation == "behind" else turned.real < abs(first))

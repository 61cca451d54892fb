"""The blocks moved the other way round, and their corners seen by the camera that stays."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import CARDS, EYE, Array, Block, Room, middle
from pseudogd.vqa.selftest.oracles._common import expect, near

_MORE = (
    Block("gray card", -0.9, 1.7, 0.25, 0.3, base=1.0),
    Block("pink card", 0.8, 2.2, 0.3, 0.3, base=1.2),
    Block("orange card", 0.9, 6.3, 0.3, 0.6, base=1.5),
    Block("brown card", 1.5, 2.9, 0.3, 0.4, base=1.0),
)
ROOMS = tuple(
    Room((*CARDS, *_MORE), view)
    for view in ({"eye": EYE}, {"eye": EYE, "pitch_deg": 8.0}, {"eye": EYE, "pitch_deg": 5.0, "roll_deg": 3.0})
)
# Things beside and behind one on the same side, seen on one side of it and standing on either.
_BESIDE = tuple(
    Block(f"{color} card", x, z, 0.2, 0.3, base=EYE - 0.15)
    for color, x, z in (
        ("red", 1.0, 2.2),
        ("blue", 1.9, 6.0),
        ("green", 0.3, 5.0),
        ("white", -1.1, 2.5),
        ("black", -1.6, 5.5),
    )
)
ROOMS = (*ROOMS, Room(_BESIDE, {"eye": EYE}))
SIGN = {"left": -1, "right": 1}


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    block, by = room.block(fact.operands[0]), float(fact.evidence["by"])
    kind, way, asked = fact.form.split(".")[1].split("_")
    assert scene.rotation is not None
    ahead = complex(scene.rotation[0, 2], scene.rotation[2, 2])
    ahead /= abs(ahead)
    if way == "to":
        place = middle(room.block(fact.operands[1]), room.eye)
        moved = replace(block, x=block.x - place[0], z=block.z - place[2])
    elif kind == "turned":
        moved = block.turned(-math.radians(SIGN[way] * by))
    else:
        step = by * ahead * (1 if way == "forward" else -1j * SIGN[way])
        moved = replace(block, x=block.x - step.real, z=block.z - step.imag)
    if way == "to":
        if fact.slots["x"] != room.block(fact.operands[1]).name:
            return f"says {fact.slots['x']}, it is {room.block(fact.operands[1]).name}"
        now, then = (float(np.linalg.norm(middle(one, room.eye))) for one in (block, moved))
        if asked == "range":
            return near(fact.value, then / now, absolute=0.04) or expect(
                fact.answer, "nearer" if then < now else "farther"
            )
    elif f"{by:.1f} m" != fact.slots["d"] and f"{by:.0f} degrees" != fact.slots["d"]:
        return f"says {fact.slots['d']}, it is {by}"
    if asked == "range":
        change = float(np.linalg.norm(middle(moved, room.eye)) - np.linalg.norm(middle(block, room.eye)))
        return near(fact.value, change, absolute=0.06) or expect(fact.answer, "nearer" if change < 0 else "farther")
    places = np.array([_share(scene, middle(moved, room.eye) + corner) for corner in _corners(block, kind, by, way)])
    if asked == "side":
        column = float(_share(scene, middle(moved, room.eye))[0])
        return near(fact.value, column, absolute=0.02) or expect(fact.answer, "left" if column < 0.5 else "right")
    inside = ((places > 0) & (places < 1)).all(axis=-1)
    return expect(fact.answer, "in" if inside.all() else "out" if not inside.any() else "partly in")


def _corners(block: Block, kind: str, by: float, way: str) -> list[Array]:
    """From the middle of the near face to its corners; a card turns with the world when the camera turns."""
    angle = -math.radians(SIGN[way] * by) if kind == "turned" else 0.0
    side = np.array([math.cos(angle), 0.0, -math.sin(angle)]) * block.width / 2
    up = np.array([0.0, block.height / 2, 0.0])
    return [a * side + b * up for a in (-1, 1) for b in (-1, 1)]


def _share(scene: Scene, place: Array) -> Array:
    """Shares of width and height; what is behind the camera is far outside."""
    camera = scene.geometry.camera
    assert camera is not None and scene.rotation is not None
    x, y, z = scene.rotation.T @ place
    if z <= 0:
        return np.array([9.0, 9.0])
    u, v = camera.project(np.array([x, y, z]))
    return np.array([(u + 0.5) / camera.width, (v + 0.5) / camera.height])

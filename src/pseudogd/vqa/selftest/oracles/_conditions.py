"""Which candidate meets a condition, and where blocks are in the picture, in closed form."""

from __future__ import annotations

import re

import numpy as np

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Array, Block, Room, crossing
from pseudogd.vqa.selftest.oracles._common import card_gap


def chosen(room: Room, fact: Fact) -> list[Block]:
    """The candidates, the one that meets the condition first."""
    condition = fact.form.split("_", 1)[1] if fact.task == "region" else fact.form.split(".")[1]
    things = [room.block(operand) for operand in fact.operands]
    if condition in ("nearest", "farthest"):
        start, *things = things
        things.sort(key=lambda block: card_gap(start, block), reverse=condition == "farthest")
    elif condition == "tallest":
        things.sort(key=lambda block: -block.height)
    else:
        things.sort(key=lambda block: block.z, reverse=condition == "far_camera")
    return things


def numbers_of(text: str) -> list[float]:
    """The numbers of a point or a box as text."""
    return [float(number) for number in re.findall(r"[\d.]+", text)]


def full_of(text: str, slots: str) -> float:
    """What the largest number would be: 1, 100 or 1000."""
    return 1.0 if "." in text else 1000.0 if "1000" in slots else 100.0


def outline(room: Room, scene: Scene, card: Block) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 of a card in the picture, as shares: its corners, projected."""
    camera = scene.geometry.camera
    assert camera is not None and scene.rotation is not None
    x, z = np.array([-0.5, 0.5]) * card.width + card.x, np.array([-0.5, 0.5]) * card.depth + card.z
    y = room.eye - card.base - np.array([0.0, card.height])
    corners = np.stack(np.meshgrid(x, y, z), axis=-1).reshape(-1, 3) @ scene.rotation
    pixels = (camera.project(corners) + 0.5) / [camera.width, camera.height]
    (x0, y0), (x1, y1) = pixels.min(axis=0), pixels.max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def ray(scene: Scene, x: float, y: float) -> Array:
    """The viewing ray through a place of the picture in shares, in the gravity frame."""
    camera = scene.geometry.camera
    assert camera is not None and scene.rotation is not None
    column, row = x * camera.width - 0.5, y * camera.height - 0.5
    found: Array = np.array([(column - camera.cx) / camera.fx, (row - camera.cy) / camera.fy, 1.0]) @ scene.rotation.T
    return found


def hits(room: Room, scene: Scene, x: float, y: float) -> Block | None:
    """The block that a ray through a place of the picture meets first."""
    way, met = ray(scene, x, y), {}
    for place, block in enumerate(room.blocks):
        enter, leave = crossing(block, way, room.eye)
        if 0 < enter <= leave:
            met[place] = float(enter)
    return room.blocks[min(met, key=met.__getitem__)] if met else None

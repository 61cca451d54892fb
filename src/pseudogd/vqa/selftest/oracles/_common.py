"""Closed forms that several oracles share."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Array, Block, Room

LARGE = (
    Block("red card", -1.0, 2.4, 0.8, 0.9),
    Block("blue card", 0.3, 2.6, 0.5, 0.4),
    Block("green card", 0.2, 4.2, 1.4, 1.7),
    Block("yellow card", 1.35, 3.6, 0.95, 0.8),
)
"""Cards that are seen large enough to be measured to a few percent."""


def expect(said: object, true: object) -> str | None:
    """None when both are the same."""
    return None if said == true else f"says {said!r}, the truth is {true!r}"


def near(said: float, true: float, relative: float = 0.0, absolute: float = 0.0) -> str | None:
    """None when a number is as near to the truth as it has to be."""
    if abs(said - true) <= max(absolute, relative * abs(true)):
        return None
    return f"says {said:.3f}, the truth is {true:.3f}"


def card_gap(a: Block, b: Block) -> float:
    """Distance of two rectangles in planes z = const."""
    across = max(0.0, abs(a.x - b.x) - (a.width + b.width) / 2)
    low, high = (a, b) if a.base < b.base else (b, a)
    over = max(0.0, high.base - (low.base + low.height))
    return math.sqrt(across**2 + over**2 + (a.z - b.z) ** 2)


def across_sight(card: Block) -> float:
    """Level extent of a card in a plane z = const across the line of sight to its middle."""
    return card.width * card.z / math.hypot(card.x, card.z)


def on_floor(room: Room, scene: Scene, percent: Sequence[float]) -> Array:
    """Where the ray through a picture place in percent meets the floor, in the gravity frame."""
    camera = scene.geometry.camera
    assert camera is not None and scene.rotation is not None
    pixel = np.floor(np.array(percent) / 100 * [camera.width, camera.height])
    ray = np.array([(pixel[0] - camera.cx) / camera.fx, (pixel[1] - camera.cy) / camera.fy, 1.0]) @ scene.rotation.T
    place: Array = ray * (room.eye / ray[1])
    return place


def bearing(angle: complex) -> float:
    """Degrees, right positive, of a complex quotient of two lines seen from above (x right, z up)."""
    return -math.degrees(float(np.angle(angle)))


def away(a: float, b: float) -> float:
    """Degrees between two angles, in [-180, 180)."""
    return (a - b + 180) % 360 - 180


def percent_of(text: str) -> list[int]:
    """The numbers of a point as text."""
    return [int(number) for number in text.strip("()").split(",")]

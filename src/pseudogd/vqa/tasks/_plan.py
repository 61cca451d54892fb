"""Two things on the ground plan, and where the lower end of one meets the other in the picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from pseudogd.vqa.measure import FOOT_ELSEWHERE, RESTS_WITHIN
from pseudogd.vqa.outlines import foot_share
from pseudogd.vqa.scene import Q50, Scene, SceneObject

ACROSS = 0.5
"""Of the narrower one's width: least overlap across the line of sight."""
BEHIND = 0.5
"""Of the lower one's width: how far it may reach behind what is seen of it."""
MEETS = 3
"""Pixels between the lower end of one mask and the other mask."""
ONE_DEPTH = 0.05
TOUCHES = 0.6
"""Share of the columns of a thing whose lower end must be on another one."""
BESIDE = 3
FLAT = 0.025
MOST_POINTS = 200
NAMELESS = -1


@dataclass(frozen=True)
class Plan:
    """How an upper thing lies over a lower one, lengths in the unit of the depth map.

    ``across``: overlap across the line of sight, negative where they are apart; ``narrow``: width of the narrower one
    there; ``along``: how far the middle of the upper one is inside the lower one's visible part, negative outside;
    ``reach``: how far the lower one may go on behind that; ``behind``: whether the upper one is behind its middle.
    """

    across: float
    narrow: float
    along: float
    reach: float
    behind: bool

    @property
    def room(self) -> float:
        """How far inside the lower one, what may be behind it included; negative: how far outside."""
        return self.along + (self.reach if self.behind else 0.0)

    @property
    def stacked(self) -> bool:
        return self.across >= ACROSS * self.narrow and self.room > 0


def plan_of(scene: Scene, upper: SceneObject, lower: SceneObject) -> Plan:
    """The two on the ground, across and along the horizontal line of sight to the lower one."""
    assert lower.centre is not None
    sight = lower.centre[::2] / (math.hypot(lower.centre[0], lower.centre[2]) or 1.0)
    axes = np.array([[sight[1], -sight[0]], sight])  # across, along
    (low_a, _, high_a), (low_r, middle_r, high_r) = _ends(mask_points(scene, lower)[:, ::2] @ axes.T)
    (low_b, _, high_b), (_, place, _) = _ends(mask_points(scene, upper)[:, ::2] @ axes.T)
    narrow = min(high_a - low_a, high_b - low_b)
    across = min(high_a, high_b) - max(low_a, low_b)
    along = min(place - low_r, high_r - place)
    return Plan(across, narrow, along, BEHIND * (high_a - low_a), bool(place > middle_r))


def meeting_shares(scene: Scene, upper: SceneObject, lower: SceneObject) -> tuple[float, float]:
    """Share of the upper one's columns whose lower end meets the lower one in the picture; the same at one depth.

    Depth is compared a few pixels inside of both, where teachers do not blur one into the other.
    """
    top, left, bottom, right = upper.window
    other = lower.window
    if other[0] > bottom + MEETS or other[2] < top or other[3] < left or other[1] > right:
        return 0.0, 0.0
    index = scene.index(lower.object_id)
    return _meeting(scene, upper, lambda *pixels: scene.labels[pixels] == index)


def _on_unnamed(scene: Scene, thing: SceneObject) -> float:
    """Share of a thing's columns whose lower end meets something nameless at its own depth that is not the floor."""
    return _meeting(scene, thing, lambda *pixels: (scene.labels[pixels] == NAMELESS) & ~scene.floor[pixels])[1]


def _meeting(scene: Scene, upper: SceneObject, is_other: Callable[..., NDArray[np.bool_]]) -> tuple[float, float]:
    """Share of the columns whose lower end meets the pixels (rows, columns) that are the other; those at one depth."""
    top, left, bottom, right = upper.window
    mask = upper.mask[top : bottom + 1, left : right + 1]
    columns = np.flatnonzero(mask.any(axis=0))
    lowest = top + mask.shape[0] - 1 - mask[::-1, columns].argmax(axis=0)
    columns = columns + left
    inside, height = max(2, round(0.01 * scene.depth.shape[0])), scene.depth.shape[0]
    below = np.arange(1, MEETS + 1)[:, None] + np.arange(3) * inside
    rows = np.minimum(lowest + below[..., None], height - 1)  # (MEETS, 3, columns)
    on = is_other(rows, columns)
    with np.errstate(invalid="ignore", divide="ignore"):
        closeness = 1.0 / scene.depth[rows, columns]  # along a column of the picture, that of a plane is linear
        own = 1.0 / scene.depth[np.maximum(lowest - inside, top), columns]
        there = np.where(on[:, 1], closeness[:, 1], closeness[:, 0])
        # The surface of the lower one, carried on to where the two meet.
        there = np.where(on[:, 1] & on[:, 2], 2 * closeness[:, 1] - closeness[:, 2], there)
        level = on[:, 0] & (np.abs(np.log(there / own)) < ONE_DEPTH)
    return float(on[:, 0].any(axis=0).mean()), float(level.any(axis=0).mean())


def well_placed(scene: Scene, thing: SceneObject) -> bool:
    """Whether the place of a thing agrees with its surroundings: it rests on the floor, on another thing or on a desk
    that nobody named, or is flat on what is behind it and above all else.

    What seems to float in the air has mostly been given too small a depth. True where no floor is known.
    """
    key = ("well placed", thing.object_id)
    if key not in scene.memo:
        scene.memo[key] = _agrees(scene, thing)
    return bool(scene.memo[key])


def _agrees(scene: Scene, thing: SceneObject) -> bool:
    if thing.ground_gap is None or abs(thing.ground_gap) < RESTS_WITHIN * scene.unit:
        return True
    if any(meeting_shares(scene, thing, other)[1] > TOUCHES for other in scene.objects if other is not thing):
        return True
    if _on_unnamed(scene, thing) > TOUCHES:
        return True
    if foot_share(thing.mask, scene.labels, scene.index(thing.object_id)) > FOOT_ELSEWHERE:
        return False  # on another thing or behind it, and neither at its depth nor on the floor
    top, left, bottom, right = thing.window
    beside = [column for column in (left - BESIDE, right + BESIDE) if 0 <= column < scene.depth.shape[1]]
    around, labels = scene.depth[top : bottom + 1, beside], scene.labels[top : bottom + 1, beside]
    free = around[(labels < 0) & np.isfinite(around)]
    return len(free) > 0 and float(np.median(np.abs(np.log(free / thing.z[Q50])))) < FLAT


_PLACED: WeakKeyDictionary[Scene, NDArray[np.bool_]] = WeakKeyDictionary()


def placed(scene: Scene) -> NDArray[np.bool_]:
    """(N,) bool: `well_placed` of each thing; of all where the depth of what is off the floor is believed as any."""
    known = _PLACED.get(scene)
    if known is None:
        believed = scene.settings.lifted_doubt <= 1.0
        known = np.array([believed or well_placed(scene, thing) for thing in scene.objects], bool)
        _PLACED[scene] = known
    return known


def mask_points(scene: Scene, thing: SceneObject) -> np.ndarray:
    """(n, 3) points of the whole mask: the sample of a table may be its front alone, which is most of what is seen."""
    assert scene.points is not None
    top, left, bottom, right = thing.window
    window = slice(top, bottom + 1), slice(left, right + 1)
    points = scene.points[window][thing.mask[window]]
    points = points[np.isfinite(points).all(axis=1)]
    return points[np.linspace(0, len(points) - 1, min(len(points), MOST_POINTS)).astype(int)].astype(np.float64)


def _ends(values: np.ndarray) -> list[tuple[float, float, float]]:
    ordered = np.sort(values, axis=0)
    last = len(ordered) - 1
    return [
        (float(column[round(0.05 * last)]), float(column[last // 2]), float(column[round(0.95 * last)]))
        for column in ordered.T
    ]

"""When a difference is large enough to be asked about, and in which order facts are offered."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any, TypeVar

import numpy as np

from pseudogd.vqa.scene import Scene, SceneObject

MOSTLY_KNOWN = 0.8
T = TypeVar("T")


@dataclass(frozen=True)
class Margins:
    """Least margins of all tasks. Lengths in metres are scaled by `Scene.unit` where the scale is not metric.

    ``sigmas``: how many propagated standard errors a difference must have; ``rule_odds``: how many times as often the
    flat picture's rule of thumb is right as wrong, so that what it speaks against must be clearer (see `prior`; 1: no
    clearer). ``depth_ratio``: nearer/farther;
    ``picture_edge``: distance from the middle or a border of the picture, as share of its size;
    ``rank_gap``: the same where only depth order is known; ``side_gap``: free columns between two things, as share of
    the picture's width; ``height_gap``: metres; ``size_ratio``; ``distance_sigmas``: a number must be as many times
    its error; ``middle``: error of where the middle of a thing is, as share of its width; ``min_distance``: metres;
    ``closest_ratio`` and ``closest_gap``: nearest of several; ``stand_off``: least metres
    between the places of a hypothetical question; ``sector``: radians from a sector's edge;
    ``plan_gap``: metres on the ground plan between things of which none is above the other.
    ``region_share``: least share of the picture that a thing covers whose place there is asked. ``free_radius``: metres
    around a place on the floor in which nothing stands that is called free; ``free_height``: metres over the floor.
    ``surface``: radians from an edge between kinds of angles of surfaces; ``normal_sigma``: error of a normal, radians.
    ``slack``: factor by which a gap must exceed what fits, and what does not fit the gap; ``bend``: offset from a line,
    as share of its length, above which three things are clearly not in line.
    ``hour``, ``octant``: the same for hours of a clock and eight directions, and ``hour_error``, ``octant_error``:
    the largest standard error at which these are asked; ``front``: least confidence in the front of a thing, and
    ``front_error``: its standard error in radians.
    ``fair``: no margin; set by `SynthSettings.fair`.
    """

    sigmas: float = 2.0
    rule_odds: float = 8.0
    depth_ratio: float = 1.12
    rank_gap: float = 0.05
    side_gap: float = 0.01
    height_gap: float = 0.05
    size_ratio: float = 1.25
    distance_sigmas: float = 10.0
    middle: float = 0.03
    min_distance: float = 0.3
    closest_ratio: float = 1.2
    closest_gap: float = 0.15
    stand_off: float = 0.6
    sector: float = float(np.radians(15.0))
    picture_edge: float = 0.06
    visible: float = 0.5
    region_share: float = 0.005
    free_radius: float = 0.2
    free_height: float = 0.03
    surface: float = float(np.radians(15.0))
    normal_sigma: float = float(np.radians(4.0))
    slack: float = 1.15
    bend: float = 0.25
    plan_gap: float = 0.15
    hour: float = float(np.radians(6.0))
    hour_error: float = float(np.radians(3.0))
    octant: float = float(np.radians(15.0))
    octant_error: float = float(np.radians(4.0))
    front: float = 0.7
    front_error: float = float(np.radians(6.0))
    fair: bool = False


def in_turns(classes: Sequence[Hashable], rng: np.random.Generator) -> Iterator[int]:
    """Indices in random order, but one of each class in turn as long as they last: rare answers are not drowned."""
    queues: dict[Hashable, list[int]] = {}
    for index in rng.permutation(len(classes)):
        queues.setdefault(classes[index], []).append(int(index))
    lines = [queues[key] for key in sorted(queues, key=repr)]
    lines = [lines[k] for k in rng.permutation(len(lines))]
    while lines:
        for line in lines:
            yield line.pop()
        lines = [line for line in lines if line]


def blend(rng: np.random.Generator, *streams: tuple[int, Iterator[T]]) -> Iterator[T]:
    """Facts (or what they are made of) of several streams in turn, so many of each a round, until all have ended.

    The first round begins anywhere in it: however few facts are taken of a photo, over many photos each stream has its
    share.
    """
    slots = [k for k, (count, _) in enumerate(streams) for _ in range(count)]
    begin = int(rng.integers(len(slots)))
    alive = {k: stream for k, (_, stream) in enumerate(streams)}
    for k in cycle(slots[begin:] + slots[:begin]):
        if k in alive:
            fact = next(alive[k], None)
            if fact is None:
                del alive[k]
            else:
                yield fact
        if not alive:
            return


def pairs(count: int) -> list[tuple[int, int]]:
    """All i < j."""
    return [(i, j) for i in range(count) for j in range(i + 1, count)]


def seen_well(obj: SceneObject, scene: Scene) -> bool:
    """A whole, unhidden outline with depth nearly everywhere: what sizes and gaps are measured on."""
    whole = not (obj.boxes_only or obj.truncated or obj.cut)
    return whole and obj.occluded < scene.settings.occluded and obj.known >= MOSTLY_KNOWN


def nested(a: SceneObject, b: SceneObject) -> bool:
    """Whether one box lies (nearly) inside the other: a cushion on a sofa is neither left nor right of it."""
    ax, ay, aw, ah = a.bbox
    bx, by, bw, bh = b.bbox
    overlap_x = min(ax + aw, bx + bw) - max(ax, bx)
    overlap_y = min(ay + ah, by + bh) - max(ay, by)
    if overlap_x <= 0 or overlap_y <= 0:
        return False
    return overlap_x * overlap_y > 0.8 * min(aw * ah, bw * bh)


def about(obj: SceneObject, role: str) -> dict[str, Any]:
    """An operand as evidence: who it is, what part it plays, where its centre is."""
    return {"id": obj.object_id, "name": obj.name, "role": role, **obj.placed}

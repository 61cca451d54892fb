"""Boxes as (n, 4) arrays of left, top, right, bottom in pixels: overlap, suppression, what lies inside what."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]


def area(boxes: Array) -> Array:
    """(n,) square pixels; 0 for a box without inside."""
    return np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)


def shared(boxes: Array, others: Array) -> Array:
    """(n, m) square pixels that each box shares with each other one."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.prod(np.clip(high - low, 0, None), axis=2)


def overlap(boxes: Array, others: Array) -> Array:
    """(n, m) intersection over union."""
    common = shared(boxes, others)
    union = area(boxes)[:, None] + area(others)[None] - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def suppressed(boxes: Array, scores: Array, classes: NDArray[np.int64], same: float, any_class: float) -> list[int]:
    """Indices that non-maximum suppression keeps, best score first; of equal scores the earlier box.

    A box goes if a better one of its class overlaps it by more than ``same``, or one of any class by more than
    ``any_class``: a thing that is seen as "couch" and as "sofa" is one thing.
    """
    order = np.argsort(-scores, kind="stable")
    ious = overlap(boxes, boxes)
    limits = np.where(classes[:, None] == classes[None], min(same, any_class), any_class)
    kept: list[int] = []
    for index in order:
        if not (ious[index, kept] > limits[index, kept]).any():
            kept.append(int(index))
    return kept


def contained(boxes: Array, classes: NDArray[np.int64], share: float, larger: Bools | None = None) -> Bools:
    """(n,) bool: at least ``share`` of the box lies in a larger box of its class. Of two equal boxes the later one.

    ``larger`` (n,): the boxes that count as larger ones; all by default.
    """
    sizes, common = area(boxes), shared(boxes, boxes)
    inside = common >= share * np.maximum(sizes, 1e-9)[:, None]
    places = np.arange(len(boxes))
    more = (sizes[None] > sizes[:, None]) | ((sizes[None] == sizes[:, None]) & (places[None] < places[:, None]))
    if larger is not None:
        more &= larger[None]
    return (inside & more & (classes[:, None] == classes[None])).any(axis=1)


def holds_others(
    boxes: Array, classes: NDArray[np.int64], share: float, count: int, smaller: Bools | None = None
) -> Bools:
    """(n,) bool: ``count`` or more clearly smaller boxes of its class lie in it: a heap or row of things, seen as one.

    ``smaller`` (n,): the boxes that count as those; all by default.
    """
    sizes, common = area(boxes), shared(boxes, boxes)
    inside = common >= share * np.maximum(sizes, 1e-9)[:, None]  # inside[i, j]: i lies in j
    less = sizes[:, None] < 0.8 * sizes[None]
    if smaller is not None:
        less &= smaller[:, None]
    return (inside & less & (classes[:, None] == classes[None])).sum(axis=0) >= count

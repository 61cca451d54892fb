"""Outlines of masks on a depth map: where depth jumps, what lies inside, what something nearer hides."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

NEARER = 0.92
END_PIXELS = 1
FOOT_PIXELS = 3


def depth_edges(depth: NDArray[np.float32], edge: float) -> Mask:
    """(H, W) bool: both pixels of every jump between neighbours of more than ``edge``, relative."""
    jumps = np.zeros(depth.shape, bool)
    with np.errstate(invalid="ignore", divide="ignore"):
        log = np.log(depth)
        down, across = np.abs(np.diff(log, axis=0)) > edge, np.abs(np.diff(log, axis=1)) > edge
    jumps[1:] |= down
    jumps[:-1] |= down
    jumps[:, 1:] |= across
    jumps[:, :-1] |= across
    return jumps


def eroded(mask: Mask) -> Mask:
    """Without the pixels that touch another one outside; the picture's border counts as inside."""
    out = mask.copy()
    out[1:] &= mask[:-1]
    out[:-1] &= mask[1:]
    out[:, 1:] &= mask[:, :-1]
    out[:, :-1] &= mask[:, 1:]
    return out


def foot_share(mask: Mask, labels: NDArray[Any], own: int) -> float:
    """Share of a mask's columns whose lower end has another thing (label >= 0) within three pixels below it."""
    columns = np.flatnonzero(mask.any(axis=0))
    lowest = mask.shape[0] - 1 - mask[::-1, columns].argmax(axis=0)
    below = np.minimum(lowest + np.arange(1, FOOT_PIXELS + 1)[:, None], mask.shape[0] - 1)
    there = labels[below, columns]
    return float(((there >= 0) & (there != own)).any(axis=0).mean())


def slimness(mask: Mask) -> float:
    """Width of a mask across its longer side, at the median row or column, as share of that side."""
    rows, columns = np.count_nonzero(mask, axis=1), np.count_nonzero(mask, axis=0)
    rows, columns = rows[rows > 0], columns[columns > 0]
    return float(np.median(rows) / len(rows) if len(rows) >= len(columns) else np.median(columns) / len(columns))


def around(mask: Mask) -> tuple[slice, slice]:
    """Rows and columns of a mask that is not empty, and one more on every side that the picture has."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(max(int(rows[0]) - 1, 0), int(rows[-1]) + 2), slice(max(int(columns[0]) - 1, 0), int(columns[-1]) + 2)


class Hiding:
    """What hides what: for each of the four directions, the pixels whose neighbour there is nearer by a step.

    The floor in front of a thing is nearer than its foot, but hides nothing: ``floor`` pixels do not count.
    """

    def __init__(self, depth: NDArray[np.float32], floor: Mask):
        self.floor = floor
        with np.errstate(invalid="ignore"):
            limit = NEARER * depth
            near = np.where(floor, np.float32(np.nan), depth)
            # Per axis: is the earlier neighbour of a pair nearer, is the later one?
            self._earlier = (near[:-1] < limit[1:], near[:, :-1] < limit[:, 1:])
            self._later = (near[1:] < limit[:-1], near[:, 1:] < limit[:, :-1])

    def of(self, mask: Mask) -> tuple[float, bool]:
        """Share of a mask's outline at which something nearer lies right outside, and whether that cuts off an end.

        An end (top, bottom, left, right) is cut off if something nearer lies beyond half of the outline there: a pole
        whose foot is behind a chair has hardly any of its outline hidden, and yet not its own height.
        """
        ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        rows, columns = (slice(max(int(i[0]) - 1, 0), int(i[-1]) + 2) for i in (ys, xs))
        inside = mask[rows, columns]
        total = hidden = 0
        cut = False
        for axis, ends in ((0, ys - rows.start), (1, xs - columns.start)):
            first, second = _pairs(inside, axis)
            window = (
                (slice(rows.start, rows.stop - 1), columns)
                if axis == 0
                else (rows, slice(columns.start, columns.stop - 1))
            )
            for edge, nearer, end in (
                (
                    second & ~first,
                    self._earlier[axis][window],
                    slice(max(int(ends[0]) - 1, 0), int(ends[0]) + END_PIXELS),
                ),
                (first & ~second, self._later[axis][window], slice(int(ends[-1]) - END_PIXELS, int(ends[-1]) + 1)),
            ):
                covered = edge & nearer[: edge.shape[0], : edge.shape[1]]
                total, hidden = total + int(edge.sum()), hidden + int(covered.sum())
                there = (end,) if axis == 0 else (slice(None), end)
                cut = cut or bool(covered[there].sum() > 0.5 * edge[there].sum())
        return (hidden / total if total else 0.0), cut


def _pairs(array: NDArray[Any], axis: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """All but the last and all but the first row (or column)."""
    return (array[:-1], array[1:]) if axis == 0 else (array[:, :-1], array[:, 1:])

"""Which pixels of a mask show the thing itself, and enough of them to measure to its nearest part.

What stands for a thing as a whole keeps off its outline. But the nearest part of a table is most often its edge: to
that every pixel counts whose depth is the thing's own.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from pseudogd.vqa.outlines import eroded
from pseudogd.vqa.scene import Array, median

Mask = NDArray[np.bool_]

OUTLINE, INNER = 384, 192
"""Most points of the outline and of what lies inside: nearest parts are at outlines or on surfaces that are smooth."""
GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


def own_pixels(mask: Mask, depth: NDArray[np.float32], clear: Mask, edge: float, loose: int, span: float) -> Mask:
    """Pixels of pieces off depth edges that are as deep as the thing, and such beside them as are as deep as these.

    A piece is what no depth edge divides: a bed that reaches far back is one, the wall seen through a chair another.
    ``clear``: pixels with known depth and off edges; ``edge``: what jump is one, relative; ``loose``: pixels by which
    the mask may be drawn too wide, of which what is seen there alone does not count; ``span``: how much nearer or
    farther than the middle a piece may be, relative: a lamp's foot is so by no more than the lamp is wide.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        log = np.log(depth)
        down, across = log[1:] - log[:-1], log[:, 1:] - log[:, :-1]
    whole = mask & clear
    if not whole.any():
        return whole
    values = log[whole]
    middle = median(values)
    slack = max(4.0 * 1.4826 * median(np.abs(values - middle)) + 0.04, math.log1p(span))  # 4: as in the sample
    pieces, count = label(whole)
    own = whole
    if count > 1:
        inner = mask
        for _ in range(loose):
            inner = eroded(inner)
        which = pieces[whole]
        depths = np.bincount(which, weights=values)[1:] / np.bincount(which)[1:]
        kept, within = np.append(False, np.abs(depths - middle) <= slack), np.zeros(count + 1, bool)
        within[pieces[inner]] = True
        own = whole & (kept & within if (kept & within)[1:].any() else kept)[pieces]
    with np.errstate(invalid="ignore"):
        front = _front(down, across, edge) & (np.abs(log - middle) <= slack)
        return mask & (own | _beside(own, np.abs(down) <= edge, np.abs(across) <= edge) | front)


def _beside(own: Mask, down: Mask, across: Mask) -> Mask:
    """Pixels next to one of their own piece, of the four around, with no edge between."""
    like = np.zeros(own.shape, bool)
    like[1:] |= own[:-1] & down
    like[:-1] |= own[1:] & down
    like[:, 1:] |= own[:, :-1] & across
    like[:, :-1] |= own[:, 1:] & across
    return like


def _front(down: NDArray[np.float32], across: NDArray[np.float32], edge: float) -> Mask:
    """Pixels that are not on the far side of an edge: a thin pole has nothing but edges."""
    front = np.ones((across.shape[0], down.shape[1]), bool)
    front[1:] &= ~(down > edge)
    front[:-1] &= ~(down < -edge)
    front[:, 1:] &= ~(across > edge)
    front[:, :-1] &= ~(across < -edge)
    return front


def outline_first(own: Mask, outline: int = OUTLINE, inner: int = INNER) -> NDArray[np.intp]:
    """(n, 2) rows and columns of pixels that are enough to measure to: of the outline, and of what lies inside."""
    inside = eroded(own)
    edge, rest = np.argwhere(own & ~inside), np.argwhere(inside)
    return np.concatenate([edge[scattered(len(edge), outline)], rest[scattered(len(rest), inner)]])


def scattered(count: int, most: int) -> NDArray[np.intp]:
    """``most`` of ``count`` indices in order, one of each equal part, at no fixed distance.

    Every n-th pixel of a mask falls into step with its rows: a box 32 pixels wide, of which every fourth is taken, ends
    three pixels early. Where in its part an index lies follows the golden ratio.
    """
    if count <= most:
        return np.arange(count)
    parts = np.arange(most)
    return ((parts + parts * GOLDEN % 1.0) * (count / most)).astype(np.intp)


def nearest(points: Array, others: Array) -> Array:
    """(M,) distances of (M, k) points to the nearest of (N, k) others."""
    square = (points**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * points @ others.T
    found: Array = np.sqrt(np.maximum(square.min(axis=1), 0.0))
    return found

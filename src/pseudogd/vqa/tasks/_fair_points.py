"""Marked points of which the right one is not told by where it lies in the picture; see `fairness` for the principle.

Coordinates are text: whoever reads them knows which point is lowest, and which is nearest to a thing on the screen.
So all lie in one row, or about as far from the thing on the screen. Many such choices are drawn at random, and of those
that are sound each rank in the picture is equally likely, or nothing is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pseudogd.vqa.fairness import first_evenly, ranks_of
from pseudogd.vqa.scene import Array

DRAWS = 1200
ROW = 0.05  # of the picture's height
BAND = 0.10
RING = 0.03  # of its diagonal

Picks = NDArray[np.int64]


@dataclass(frozen=True)
class Flat:
    """What the flat picture tells of M points. ``percent`` (M, 2): x, y; ``away`` (M,): share of the picture's diagonal
    from what was asked about, None where nothing was."""

    percent: Picks
    away: Array | None = None


def lowest_first(
    score: Array, least: Array, flat: Flat, apart: float, count: int, rng: np.random.Generator
) -> tuple[Picks, float] | None:
    """(indices, lead) of points of which the first has the lowest score by more than ``least`` of any; or None.

    ``apart``: least distance of two points in percent. The points lie in one row if nothing was asked about, else they
    are about as far from it as one another in the picture.
    """
    level = flat.percent[:, 1] / 100 if flat.away is None else flat.away
    width = ROW if flat.away is None else RING
    picks = _near_one(rng.integers(len(level), size=DRAWS), np.arange(len(level)), level, width, count - 1, rng)
    lead = _lead(score[picks.T])
    rows = np.flatnonzero(lead > least.min())  # few are left of all draws: only these are looked at and sorted
    rows = rows[lead[rows] > least[picks[rows]].max(axis=1)]
    rows = rows[far_apart(flat.percent[picks[rows]], apart)]
    picks, lead = picks[rows], lead[rows]
    picks = picks[np.arange(len(rows))[:, None], score[picks].argsort(axis=1)]
    rules: list[NDArray[Any]] = [flat.percent[:, 0]] if flat.away is None else [flat.percent[:, 1], flat.percent[:, 0]]
    chosen = _fair(picks, rules, rng)
    return None if chosen is None else (picks[chosen], float(lead[chosen]))


def _lead(scores: Array) -> Array:
    """(N,) of (K, N): by how much the second lowest of a column exceeds the lowest."""
    low = np.minimum(scores[0], scores[1])
    second = np.maximum(scores[0], scores[1])
    for more in scores[2:]:
        second = np.minimum(second, np.maximum(low, more))
        low = np.minimum(low, more)
    lead: Array = second - low
    return lead


def right_and_wrong(
    right: Picks, beside: Picks, elsewhere: Picks, flat: Flat, apart: float, count: int, rng: np.random.Generator
) -> Picks | None:
    """One right point and then wrong ones about as far from what was asked about in the picture; None if there is no
    fair choice. One of the wrong ones is of ``beside``."""
    assert flat.away is not None
    if not len(right) or not len(beside):
        return None
    is_beside, is_wrong = (np.zeros(len(flat.percent), bool) for _ in range(2))
    is_beside[beside] = is_wrong[beside] = is_wrong[elsewhere] = True
    rest = np.flatnonzero(is_wrong)
    picks = _near_one(rng.choice(right, size=DRAWS), rest, flat.percent[:, 1] / 100, BAND, count - 1, rng)
    picks = picks[is_beside[picks.T[1:]].any(axis=0)]
    picks = picks[far_apart(flat.percent[picks], apart)]
    chosen = _fair(picks, [flat.away, flat.percent[:, 1]], rng)
    return None if chosen is None else picks[chosen]


def _near_one(first: Picks, pool: Picks, level: Array, width: float, count: int, rng: np.random.Generator) -> Picks:
    """(N, 1 + count): each of ``first`` (N,) with ``count`` of the pool whose level is within ``width`` of its own.

    Each column lies in one piece, as what is done with all draws goes along columns.
    """
    order = pool[np.argsort(level[pool], kind="stable")]
    ordered = level[order]
    # Of all levels, which are fewer than the draws.
    begin = np.searchsorted(ordered, level - width - 1e-9)[first]
    count_of = np.searchsorted(ordered, level + width + 1e-9)[first] - begin
    if not count_of.all():
        kept = count_of > 0
        first, begin, count_of = first[kept], begin[kept], count_of[kept]
    draws = begin + np.ascontiguousarray(rng.random((len(first), count)).T) * count_of
    return np.concatenate([first[None], order[draws.astype(np.int64)]]).T


def far_apart(places: Picks, least: float) -> NDArray[np.bool_]:
    """(N,) of (N, K, 2): whether all of the K places are at least so far from one another."""
    first, second = _every_two(places.shape[1])
    # (2, K, N): sums over what is short go along it. Squares of whole percents are exact in half the bytes.
    columns = np.ascontiguousarray(places.T, dtype=np.float32)
    step = columns[:, first] - columns[:, second]
    step *= step
    return np.asarray((step[0] + step[1] >= least * least).all(axis=0))


@cache
def _every_two(count: int) -> tuple[Picks, Picks]:
    first, second = np.triu_indices(count, 1)
    return first, second


def _fair(picks: Picks, rules: Sequence[NDArray[Any]], rng: np.random.Generator) -> int | None:
    """Number of a row whose first point is as likely to have each rank by the rules (one or two); None if one lacks."""
    if not len(picks):
        return None
    return first_evenly(ranks_of(*(rule[picks] for rule in rules)), picks.shape[1], rng)

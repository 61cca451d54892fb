"""Marked points of which the right one is not told by where it lies in the picture; see `fairness` for the principle.

Coordinates are text: whoever reads them knows which point is lowest, and which is nearest to a thing on the screen.
Many choices of points are drawn at random; of those that are sound, one is taken whose mirror images are there too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pseudogd.vqa.fairness import leans, mirrored
from pseudogd.vqa.scene import Array

DRAWS = 600

Picks = NDArray[np.int64]


def lowest_first(
    score: Array, least: Array, rules: Sequence[Array], percent: Picks, apart: float, count: int, rng: np.random.Generator
) -> tuple[Picks, float] | None:
    """(indices, lead) of points of which the first has the lowest score by more than ``least`` of any; or None.

    ``rules``: (M,) numbers of the flat picture, one array each; ``apart``: least distance of two points in percent.
    """
    picks = rng.integers(len(score), size=(DRAWS, count))
    picks = np.take_along_axis(picks, np.argsort(score[picks], axis=1), axis=1)
    scores = score[picks]
    lead = scores[:, 1] - scores[:, 0]
    rows = np.flatnonzero((lead > least[picks].max(axis=1)) & far_apart(percent[picks], apart))
    chosen = _fair(picks[rows], rules, rng)
    return None if chosen is None else (picks[rows[chosen]], float(lead[rows[chosen]]))


def right_and_wrong(
    right: Picks,
    beside: Picks,
    elsewhere: Picks,
    rules: Sequence[Array],
    percent: Picks,
    apart: float,
    count: int,
    rng: np.random.Generator,
) -> Picks | None:
    """One right point and then wrong ones, the first of which is of ``beside``; None where that cannot be fair."""
    if not len(right) or not len(beside):
        return None
    rest = np.union1d(beside, elsewhere)
    parts = [rng.choice(source, size=(DRAWS, k)) for source, k in ((right, 1), (beside, 1), (rest, count - 2))]
    picks = np.concatenate(parts, axis=1)
    picks = picks[far_apart(percent[picks], apart)]
    chosen = _fair(picks, rules, rng)
    return None if chosen is None else picks[chosen]


def far_apart(places: Picks, least: float) -> NDArray[np.bool_]:
    """(N,) of (N, K, 2): whether all of the K places are at least so far from one another."""
    count = places.shape[1]
    distance = np.linalg.norm(places[:, :, None] - places[:, None], axis=-1) + 1e3 * np.eye(count)
    return np.asarray(distance.min(axis=(1, 2)) >= least)


def _fair(picks: Picks, rules: Sequence[Array], rng: np.random.Generator) -> int | None:
    if not len(picks):
        return None
    found = leans(*(rule[picks] for rule in rules))
    return next(mirrored(list(map(tuple, found.tolist())), rng), None)

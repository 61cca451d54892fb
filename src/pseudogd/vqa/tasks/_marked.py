"""What tasks about marked points share: the points of a fact as evidence and the choice of four of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import in_turns
from pseudogd.vqa.marks import Marks, look_at
from pseudogd.vqa.phrasing import point
from pseudogd.vqa.scene import Scene

CHOICES = 4
APART = 12.0
"""Least distance of two marked points of one question, percent of the picture."""
DRAWS = 48


def texts_of(marks: Marks, picks: Sequence[int]) -> list[str]:
    """Points as text."""
    return [point(*marks.percent[k]) for k in picks]


def points_of(scene: Scene, marks: Marks, picks: Sequence[int]) -> list[dict[str, Any]]:
    """Points as evidence: place in percent, in space, and on what."""
    return [
        {
            "percent": marks.percent[k].tolist(),
            "space": None if marks.points is None else rounded(marks.points[k], 3),
            "on": scene.objects[marks.label[k]].object_id if marks.label[k] >= 0 else None,
            "floor": bool(marks.floor[k]),
        }
        for k in picks
    ]


def draw_points(marks: Marks, picks: Sequence[int]) -> list[dict[str, Any]]:
    """Points as the viewer draws them, the right one first."""
    return [
        {"kind": "point", "in": "picture", "at": marks.percent[k].tolist(), "label": "answer" if n == 0 else ""}
        for n, k in enumerate(picks)
    ]


def seen_again(scene: Scene, fact: Fact) -> Marks | None:
    """The surfaces at a fact's points in this scene; None where depth or camera fail one of them."""
    seen = look_at(scene, [entry["percent"] for entry in fact.evidence["points"]])
    return seen if seen.points is not None and bool(np.isfinite(seen.points).all()) else None


def apart(percent: NDArray[np.int64], chosen: Sequence[int], index: int) -> bool:
    """Whether a point keeps clear of the chosen ones in the picture."""
    x, y = percent[index].tolist()
    places = (percent[k].tolist() for k in chosen)  # few: plain numbers are faster than arrays
    return all((one - x) ** 2 + (other - y) ** 2 >= APART**2 for one, other in places)


def spread_out(percent: NDArray[np.int64], order: Sequence[int], chosen: list[int], count: int) -> list[int]:
    """``chosen`` with points of ``order`` added, each clear of the ones before, up to ``count`` of them."""
    for index in order:
        if len(chosen) >= count:
            break
        if apart(percent, chosen, int(index)):
            chosen = [*chosen, int(index)]
    return chosen


def leading_four(
    score: NDArray[np.float64],
    least: float,
    flat: NDArray[np.float64],
    marks: Marks,
    usable: NDArray[np.int64],
    rng: np.random.Generator,
    fits: Callable[[NDArray[np.int64]], NDArray[np.bool_]],
) -> tuple[NDArray[np.int64], float, bool] | None:
    """Four of the ``usable`` points, the first with the lowest score by ``least``: (indices, lead, shortcut right).

    Of several random draws one is taken in which the lowest of ``flat`` is right or wrong as a coin says, if there is
    one. ``fits``: which of (n, 4) such picks may be asked about. None without such four.
    """
    if len(usable) < CHOICES:
        return None
    picks = usable[rng.integers(len(usable), size=(DRAWS, CHOICES))]
    picks = np.take_along_axis(picks, np.argsort(score[picks], axis=1), axis=1)
    lead = score[picks[:, 1]] - score[picks[:, 0]]
    places = marks.percent[picks]
    away = ((places[:, :, None] - places[:, None]) ** 2).sum(axis=-1) + (1e6 * np.eye(CHOICES)).astype(int)
    rows = np.flatnonzero((lead > least) & (away.min(axis=(1, 2)) >= APART**2) & fits(picks))
    if not len(rows):
        return None
    right = flat[picks[rows]].argmin(axis=1) == 0
    first = next(in_turns(right.tolist(), rng))
    return picks[rows[first]], float(lead[rows[first]]), bool(right[first])

"""Two marked points, one of them right, that do not differ in where right ones are to be looked for.

Coordinates are text, and floors lie low in pictures: who has seen many rooms knows which of some points is on the
floor. So both lie in nearly the same row and about as far from the middle of the picture (or from what is asked about),
and of every such pair there is an opposite one in the same photo: where the right point is a little higher in the one,
it is a little lower in the other, and the same of how far away it is. Which of two opposites is asked is left to
chance. Where a photo has no opposites, nothing is asked of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pseudogd.vqa.fairness import opposites
from pseudogd.vqa.scene import Array
from pseudogd.vqa.tasks._marked import APART

ROW = 5
"""Percent of the picture's height by which the two may differ."""
OFF = 10.0
"""Percent by which they may differ in how far away they are."""
MOST = 4000
"""Pairs that are looked at, of one question."""
Picks = NDArray[np.int64]


@dataclass(frozen=True)
class Opposed:
    """P pairs. ``picks`` (P, 2): indices of points, the right one first; ``signs`` (P, 2): 1 where it is the lower one
    (the one farther away), -1 where it is the higher (nearer) one, 0 where it is neither; ``of`` (P,): of what."""

    picks: Picks
    signs: Picks
    of: Picks

    def drawn(self, rng: np.random.Generator) -> Iterator[tuple[Picks, int]]:
        """(right point, wrong point) and of what, opposites in turn."""
        for k in opposites(self.signs, rng):
            yield self.picks[k], int(self.of[k])

    @classmethod
    def joined(cls, groups: list[Opposed]) -> Opposed:
        """The pairs of several questions of one form: opposites may be of two of them. ``of``: which."""
        size = [len(group.picks) for group in groups]
        none = np.zeros((0, 2), np.int64)
        picks = np.concatenate([none, *(group.picks for group in groups)])
        return cls(
            picks, np.concatenate([none, *(group.signs for group in groups)]), np.repeat(np.arange(len(size)), size)
        )


def opposed(
    percent: Picks,
    right: ArrayLike,
    wrong: ArrayLike,
    rng: np.random.Generator,
    away: Array | None = None,
    most_off: float = OFF,
    fits: Callable[[Picks, Picks], NDArray[np.bool_]] | None = None,
) -> Opposed:
    """Pairs of a right and a wrong point of ``percent`` (M, 2); see above.

    ``right``, ``wrong``: bools (M,); ``away`` (M,): percent from what is asked about, by default from the middle line
    of the picture; ``fits``: of two (P,) arrays of indices, which pairs may be asked about.
    """
    away = from_middle(percent) if away is None else away
    good, bad = np.flatnonzero(right), np.flatnonzero(wrong)
    gap, farther = percent[good][:, None] - percent[bad], np.round(away[good][:, None] - away[bad], 6)
    near = (np.abs(gap[..., 1]) <= ROW) & (np.abs(farther) <= most_off) & ((gap**2).sum(axis=-1) >= APART**2)
    i, j = np.nonzero(near)
    if fits is not None:
        kept = fits(good[i], bad[j])
        i, j = i[kept], j[kept]
    if len(i) > MOST:
        kept = np.sort(rng.choice(len(i), size=MOST, replace=False))
        i, j = i[kept], j[kept]
    signs = np.sign(np.stack([gap[i, j, 1], farther[i, j]], axis=1)).astype(np.int64)
    return Opposed(np.stack([good[i], bad[j]], axis=1), signs, np.zeros(len(i), np.int64))


def from_middle(percent: Picks) -> Array:
    """(M,) percent of the picture's width from its upright middle line."""
    found: Array = np.abs(percent[:, 0] - 50.0)
    return found

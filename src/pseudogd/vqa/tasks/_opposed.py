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


@dataclass(frozen=True)
class Alike:
    """Q ordered pairs of points that nothing flat tells apart. ``first``, ``second`` (Q,): indices; ``signs`` (Q, 2) as
    in `Opposed`, of the first. Of one photo they are the same for whatever is asked of the points: sought once."""

    first: Picks
    second: Picks
    signs: Picks

    @classmethod
    def of(
        cls,
        percent: Picks,
        right: ArrayLike | None = None,
        wrong: ArrayLike | None = None,
        away: Array | None = None,
        most_off: float = OFF,
    ) -> Alike:
        """Pairs of ``percent`` (M, 2), by default all, else of a point that is ``right`` and one that is ``wrong``.

        ``away`` (M,): percent from what is asked about, by default from the middle line of the picture.
        """
        away = from_middle(percent) if away is None else away
        everything = np.arange(len(percent))
        good = everything if right is None else np.flatnonzero(right)
        bad = everything if wrong is None else np.flatnonzero(wrong)
        x, y = np.ascontiguousarray(percent.T)
        i, j = np.nonzero(np.abs(y[good][:, None] - y[bad]) <= ROW)  # few are left of all pairs
        first, second = good[i], bad[j]
        aside, lower, farther = x[first] - x[second], y[first] - y[second], np.round(away[first] - away[second], 6)
        near = np.flatnonzero((np.abs(farther) <= most_off) & (aside**2 + lower**2 >= APART**2))
        signs = np.sign(np.stack([lower[near], farther[near]], axis=1)).astype(np.int64)
        return cls(first[near], second[near], signs)

    def different(self, kinds: Picks) -> Alike:
        """The pairs of points of two ``kinds`` (M,), both of which are known (at least 0)."""
        first, second = kinds[self.first], kinds[self.second]
        return self._only(np.flatnonzero((first != second) & (first >= 0) & (second >= 0)))

    def opposed(
        self,
        right: NDArray[np.bool_],
        wrong: NDArray[np.bool_],
        rng: np.random.Generator,
        fits: Callable[[Picks, Picks], NDArray[np.bool_]] | None = None,
    ) -> Opposed:
        """Those of a right and a wrong point. ``right``, ``wrong``: bools (M,); ``fits``: of two (P,) arrays of
        indices, which pairs may be asked about."""
        found = self._only(np.flatnonzero(right[self.first] & wrong[self.second]))
        if fits is not None:
            found = found._only(np.flatnonzero(fits(found.first, found.second)))
        if len(found.first) > MOST:
            found = found._only(np.sort(rng.choice(len(found.first), size=MOST, replace=False)))
        return Opposed(np.stack([found.first, found.second], axis=1), found.signs, np.zeros(len(found.first), np.int64))

    def _only(self, places: NDArray[np.intp]) -> Alike:
        return Alike(self.first[places], self.second[places], self.signs[places])


def opposed(
    percent: Picks,
    right: NDArray[np.bool_],
    wrong: NDArray[np.bool_],
    rng: np.random.Generator,
    away: Array | None = None,
    most_off: float = OFF,
    fits: Callable[[Picks, Picks], NDArray[np.bool_]] | None = None,
) -> Opposed:
    """`Alike.opposed` of points of which nothing else is asked."""
    return Alike.of(percent, right, wrong, away, most_off).opposed(right, wrong, rng, fits)


def from_middle(percent: Picks) -> Array:
    """(M,) percent of the picture's width from its upright middle line."""
    found: Array = np.abs(percent[:, 0] - 50.0)
    return found

"""Names in a row, and numbers that are written no finer than they are known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.guards import MOSTLY_KNOWN, Margins
from pseudogd.vqa.scene import SceneObject

CHOICES = 4
WIDEST = 2.0
TIMES = "times"
ENDS_OFF = math.sqrt(2) * 0.5
"""Pixels, both ends together."""
SHAPE = 0.03
BEHIND = 0.15


# ---------------------------------------------------------------- names
def in_a_row(names: Sequence[str]) -> str:
    """An order as an answer: ``the a, the b, the c``."""
    return ", ".join(f"the {name}" for name in names)


def together(names: Sequence[str]) -> str:
    """``the a, the b and the c``."""
    *head, last = [f"the {name}" for name in names]
    return f"{', '.join(head)} and {last}" if head else last


def names_of(fact: Fact) -> dict[str, str]:
    """Names by object id as the fact itself says them, whatever a scene calls the things."""
    return {str(entry["id"]): str(entry["name"]) for entry in fact.evidence["objects"]}


def capital(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


# ---------------------------------------------------------------- things
def has_middle(thing: SceneObject) -> bool:
    """Whether the middle of what is seen is the middle of the thing: not cut off, not half hidden, not a bare box."""
    return not (thing.boxes_only or thing.truncated or thing.cut) and thing.known >= MOSTLY_KNOWN


def size_error(thing: SceneObject, quantity: str) -> float:
    """Relative standard error of a real extent (``tall``, ``wide``): that of the depth, and of where the outline lies.

    Either end of a mask is off by about half a pixel, and a thing of ten pixels is measured no better than that. Beyond
    that, the outline of a thing that is seen from above ends on other sides than its height does: `SHAPE`.
    """
    first, last = (0, 2) if quantity == "tall" else (1, 3)
    pixels = thing.window[last] - thing.window[first] + 1
    return math.hypot(thing.sigma, ENDS_OFF / pixels, SHAPE)


def unseen(thing: SceneObject) -> float:
    """One standard error of where the middle of a thing is, along the line of sight, for its back is not seen.

    A share of its width across the line of sight (in the unit of the depth map); 0 where that is not known.
    """
    return BEHIND * (thing.wide or 0.0)


def few(rng: np.random.Generator, count: int, most: int) -> list[int]:
    """All indices, or a random choice of ``most`` of them: combinations of many things must not take for ever."""
    return list(range(count)) if count <= most else sorted(int(k) for k in rng.choice(count, most, replace=False))


# ---------------------------------------------------------------- numbers
def step_of(sigma: float) -> float:
    """The step in which a length with such a standard error (metres) may be written: 0.1, 0.5 or 1 m."""
    return 0.1 if sigma <= 0.15 else 0.5 if sigma <= 0.6 else 1.0


def length_grid(sigma: float) -> Callable[[float], float]:
    """The step at a length in metres: that of the error, and whole metres from 10 m on (as `phrasing.metres`)."""
    step = step_of(sigma)
    return lambda value: step if value < 10 else max(step, 1.0)


def ratio_grid(value: float) -> float:
    """The step in which a ratio is written: about a tenth of it."""
    return 0.05 if value < 1 else 0.1 if value < 5 else 0.5 if value < 10 else 1.0


def snapped(value: float, grid: Callable[[float], float], to_whole: Callable[[float], float] = round) -> float:
    """The value on its grid."""
    step = grid(value)
    return round(to_whole(round(value / step, 6)) * step, 6)


def spaced(
    written: float, rng: np.random.Generator, grid: Callable[[float], float], ratio: float, largest: float = math.inf
) -> list[float]:
    """Three wrong numbers on the same grid, each at least ``ratio`` from every other and from the right one.

    The rank of the right one among all four is drawn evenly, of the ranks that leave room above zero and below
    ``largest`` (fewer than three where there is none): neither "the smallest" nor "the middle" is a good guess.
    """
    below = _away(written, rng, grid, 1 / ratio, 0.0)
    above = _away(written, rng, grid, ratio, largest)
    count = min(CHOICES - 1, len(below) + len(above))
    least = max(0, count - len(above))
    lower = int(rng.integers(least, min(count, len(below)) + 1))
    return below[:lower] + above[: count - lower]


def _away(
    written: float, rng: np.random.Generator, grid: Callable[[float], float], factor: float, limit: float
) -> list[float]:
    found: list[float] = []
    while len(found) < CHOICES - 1:
        last = found[-1] if found else written
        # A little more than the ratio, so that options of several questions are not all alike.
        step = snapped(last * factor ** rng.uniform(1.0, 1.3), grid, math.floor if factor < 1 else math.ceil)
        if not (limit < step if factor < 1 else step <= limit):
            break
        found.append(step)
    return found


def spacing(sigma: float, margins: Margins, least: float) -> float | None:
    """Least ratio of two numbers offered beside one another, or None where even a factor of `WIDEST` is not enough.

    ``sigma``: relative standard error of the right one. Half way to the next number (in logarithms) lie 1.5 times
    ``margins.sigmas`` of it.
    """
    needed = math.exp(3.0 * margins.sigmas * sigma)
    return max(least, needed) if needed <= WIDEST else None


def times(value: float) -> str:
    """A ratio as text: ``0.45 times``, ``1.8 times``, ``12 times``."""
    return f"{value:.2f}".rstrip("0").rstrip(".") + f" {TIMES}"

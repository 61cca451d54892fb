"""Lengths as text, in the unit that is wanted and no finer than their error allows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pseudogd.vqa.phrasing import metres


@dataclass(frozen=True)
class Unit:
    """``sign`` stands behind numbers, ``name`` (plural) in sentences; ``metres`` is the length of one."""

    sign: str
    name: str
    metres: float


UNITS = {
    "m": Unit("m", "meters", 1.0),
    "cm": Unit("cm", "centimeters", 0.01),
    "ft": Unit("ft", "feet", 0.3048),
    "in": Unit("in", "inches", 0.0254),
}
NUMBERS = ("fixed", "honest", "error")
"""fixed: two digits whatever the error; honest: fewer where the error is large; error: honest, with the error said."""

_METERS = re.compile(r"\bmeters\b")
_LEAST_RATIO = 1.35  # between two options after rounding: those of one question are drawn at least 1.6 apart


def written(value: float, unit: str = "m", step: float | None = None) -> str:
    """A length given in metres as text. Without ``step`` (metres) one decimal below 10, none above (``2.4 m``).

    With a step the number is rounded to the next coarser power of ten of the unit, and never to nothing.
    """
    if step is None:
        if unit == "m":
            return metres(value)
        number = value / UNITS[unit].metres
        return f"{number:.1f} {UNITS[unit].sign}" if round(number, 1) < 10 else f"{round(number)} {UNITS[unit].sign}"
    number, least = value / UNITS[unit].metres, step / UNITS[unit].metres
    decimals = 1 if least < 0.3 else 0 if least < 3 else -1 if least < 30 else -2
    if round(number, decimals) <= 0:
        return written(value, unit)
    text = f"{number:.1f}" if decimals == 1 and round(number, 1) < 10 else f"{round(number, min(decimals, 0)):.0f}"
    return f"{text} {UNITS[unit].sign}"


def options(values: Sequence[float], unit: str, sigma: float | None) -> list[str]:
    """Lengths of one question as text, all with the same precision: the one rounded otherwise would stand out.

    As coarse as the error ``sigma`` (metres) of the first asks for, if the options stay apart; else as fine as usual.
    """
    fine = [written(value, unit) for value in values]
    if sigma is None:
        return fine
    coarse = [written(value, unit, sigma) for value in values]
    numbers = sorted(float(text.split()[0]) for text in coarse)
    apart = all(b >= _LEAST_RATIO * a > 0 for a, b in pairwise(numbers))
    return coarse if apart else fine


def with_error(text: str, sigma: float, unit: str) -> str:
    """``2.4 m`` with its standard error: ``2.4 m (give or take 0.3 m)``."""
    return f"{text} (give or take {written(max(sigma, 0.05 * UNITS[unit].metres), unit)})"


def in_words(question: str, unit: str) -> str:
    """A question that asks for meters, asking for another unit."""
    return _METERS.sub(UNITS[unit].name, question)

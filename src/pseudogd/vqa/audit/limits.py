"""When a finding passes: thresholds with their defaults, and verdicts that small samples cannot force."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from pseudogd.errors import InputError

VERDICTS = ("pass", "few", "warn", "fail")
"""From harmless to grave. *few*: too few questions to tell; *warn*: beyond the threshold, but chance may explain it
(the interval reaches within, or it is the worst of many)."""


@dataclass(frozen=True)
class Limits:
    """What is still good; every number is a share (0.1 = 10 points) unless it says otherwise.

    ``prior``: by how much an answer may be right more often than chance, within one form and format.
    ``letter``: the same for a position among the options. ``yes``: how far "yes" may be from one half.
    ``length``: by how much the longest (shortest) option may be right more often than chance.
    ``rank``: the same for the largest, smallest or middle of several numbers.
    ``text``: accuracy above chance of a classifier that reads question and options alone, per form.
    ``flat``: accuracy above chance of one that knows the boxes in the picture alone, per form.
    ``rule``: how often the stored rule of thumb may be right, per form.
    ``wordings``: least effective number (exp of the entropy) of wordings of a task.
    ``repeated``: share of questions that stand there twice. ``lookalikes``: share of photos that nearly equal another.
    ``view``: least share of hypothetical questions whose answer is not the one seen from the camera.
    ``few``: with fewer questions nothing is concluded (a count).
    """

    prior: float = 0.10
    letter: float = 0.05
    yes: float = 0.05
    length: float = 0.10
    rank: float = 0.10
    text: float = 0.20
    flat: float = 0.30
    rule: float = 0.60
    wordings: float = 3.0
    repeated: float = 0.001
    lookalikes: float = 0.01
    view: float = 0.5
    few: int = 30

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Limits:
        """Limits from plain values. Raises InputError for an unknown name or a number that cannot be."""
        known = [field.name for field in fields(cls)]
        for name, value in values.items():
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
                raise InputError(f"audit: unknown limit {name!r}; nearest is {near!r}, all are: {', '.join(known)}")
            number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
            if not number or value < 0:
                raise InputError(f"audit: {name}={value!r} must be a number of at least 0")
        return cls(**values)


@dataclass(frozen=True)
class Part:
    """One measured number. ``n`` questions (or photos) stand behind it; no ``interval`` where all were counted.

    ``p``: how likely a number as far beyond the threshold is by chance, corrected for the parts of the check.
    """

    name: str
    value: float
    interval: tuple[float, float] | None
    n: int
    verdict: str
    text: str = ""
    p: float | None = None


@dataclass(frozen=True)
class Check:
    """One property of the data: its parts, the threshold that they are held to, the worst verdict and what to do."""

    name: str
    title: str
    what: str
    threshold: float
    at_most: bool
    parts: tuple[Part, ...]
    mend: str
    verdict: str
    examples: tuple[str, ...] = ()

    @property
    def worst(self) -> Part | None:
        """The part that decides the verdict: the farthest beyond the threshold, or the nearest to it. Where there are
        too few questions everywhere, the part that has most."""
        grave = [part for part in self.parts if part.verdict == self.verdict]
        if self.verdict == "few":
            return max(grave, key=lambda part: part.n)
        return max(grave, key=lambda p: p.value if self.at_most else -p.value, default=None)


def judge(value: float, interval: tuple[float, float] | None, n: int, limit: float, few: int, at_most: bool) -> str:
    """Verdict of one number by itself. Fails only where the whole interval lies beyond the limit (see `family`)."""
    if interval is None:
        return "pass" if (value <= limit if at_most else value >= limit) else "fail"
    if n < few:
        return "few"
    low, high = interval
    if not at_most:
        value, low, high, limit = -value, -high, -low, -limit
    if low > limit:
        return "fail"
    if high <= limit:
        return "pass"
    return "warn" if value > limit else "few"


def overall(parts: Sequence[Part]) -> str:
    """The verdict of several: a failure or warning of one is that of all; "few" only where no part could be judged."""
    found = {part.verdict for part in parts}
    for verdict in ("fail", "warn", "pass", "few"):
        if verdict in found:
            return verdict
    return "pass"

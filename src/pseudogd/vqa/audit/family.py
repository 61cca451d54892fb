"""Whether a number beyond its threshold is more than the luck of one among many.

A check looks at many parts (tasks, forms, numbers of options), and is as bad as the worst. By luck alone the worst of
fifty fair parts lies beyond a 95 % interval more often than not, so what fails is decided by p-values that are
corrected for their number: the family-wise error rate of a check, the chance that it fails data none of whose parts is
beyond the threshold, is at most `FAMILY`. Data without any lean at all is far from most thresholds, and fails in much
less than one audit of a hundred; where thresholds are narrow, evenness itself is tested, at the level `EVEN`.

Sources: S. Holm, Scandinavian Journal of Statistics 6, 1979 (the step-down correction, valid however the parts depend
on one another); W. Hoeffding, Annals of Mathematical Statistics 27, 1956 (a binomial has the widest tail of all sums
of independent shares with its mean); J. N. K. Rao and A. J. Scott, JASA 76, 1981 (counts divided by the design effect).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pseudogd.vqa.audit.intervals import design_effect
from pseudogd.vqa.audit.limits import Part

FAMILY = 0.05
"""Share of the checks of data that is just as good as the threshold that may fail by chance."""
EVEN = 0.01
"""The same of data whose letters (or "yes") were drawn by even chances."""


def p_beyond(gain: ArrayLike, chance: ArrayLike, limit: float, photos: Sequence[str], looks: int = 1) -> float:
    """One-sided p-value of "right no more often than by chance and ``limit``", exact binomial.

    ``gain``: (n,) of each question right (1, or a share of a tie) less its chance, ``chance``: (n,) or one number.
    ``looks``: among how many things (letters, answers, sides) the one with the greatest gain was chosen (Bonferroni).
    """
    from scipy.special import betainc

    values = np.asarray(gain, np.float64)
    if not len(values):
        return 1.0
    level = float(np.asarray(chance, np.float64).mean())
    count = max(1.0, len(values) / design_effect(values, photos))
    right, null = (float(values.mean()) + level) * count, level + limit
    if right <= 0 or null >= 1:
        return 1.0
    # P(X >= k) of a binomial is a regularised incomplete beta function, also between whole numbers.
    return min(1.0, looks * float(betainc(right, max(count - right, 0.0) + 1.0, max(null, 0.0))))


def holm(p: Sequence[float]) -> NDArray[np.float64]:
    """Corrected p-values, in the order given: what lies below a level, is significant at it for the whole family."""
    values = np.asarray(p, np.float64)
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    found = np.empty(len(values))
    found[order] = np.minimum(steps, 1.0)
    return found


def as_family(parts: Sequence[Part], few: int, level: float = FAMILY) -> list[Part]:
    """The parts of one check with corrected p-values; one whose number many looks explain is warned of, not failed.

    Parts of fewer than ``few`` questions cannot fail, and do not count.
    """
    looked = [k for k, part in enumerate(parts) if part.p is not None and part.n >= few]
    found = list(parts)
    for k, p in zip(looked, holm([parts[k].p or 0.0 for k in looked])):
        part = replace(parts[k], p=float(p))
        found[k] = replace(part, verdict="warn") if part.verdict == "fail" and p > level else part
    return found

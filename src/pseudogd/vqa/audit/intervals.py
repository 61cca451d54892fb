"""Intervals of shares. Questions of one photo are one cluster: they are not independent.

Sources: E. B. Wilson, JASA 1927 (score interval, by scipy); L. Kish, Survey Sampling, 1965 (design effect); Efron and
Tibshirani, 1993 (percentile bootstrap).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
DRAWS = 1000
_CHUNK = 2_000_000


def share_interval(right: NDArray[np.float64], photos: Sequence[str]) -> tuple[float, float]:
    """Wilson interval of the mean of (n,) values in [0, 1], n divided by the design effect; (0, 1) for none."""
    from scipy.stats import binomtest

    n = len(right)
    if n == 0:
        return 0.0, 1.0
    effective = max(1, round(n / design_effect(right, photos)))
    found = binomtest(round(float(right.mean()) * effective), effective).proportion_ci(LEVEL, method="wilson")
    return float(found.low), float(found.high)


def design_effect(values: NDArray[np.float64], photos: Sequence[str]) -> float:
    """Variance of the mean of (n,) values over what it would be if no two shared a photo; at least 1."""
    _, index = np.unique(np.asarray(photos), return_inverse=True)
    n, count, spread = len(values), int(index.max()) + 1, float(values.var())
    if count < 2 or spread <= 0:
        return 1.0
    residual = np.bincount(index, weights=values - values.mean(), minlength=count)
    return max(1.0, float((residual**2).sum() / n**2 * count / (count - 1) / (spread / n)))


def mean_interval(values: NDArray[np.float64], photos: Sequence[str], draws: int = DRAWS) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of (n,) values, whole photos drawn with replacement.

    Photos count in the order of their ids, so that the order of the questions changes nothing.
    """
    if len(values) == 0:
        return -1.0, 1.0
    _, index = np.unique(np.asarray(photos), return_inverse=True)
    sums, sizes = np.bincount(index, weights=values), np.bincount(index).astype(np.float64)
    rng, count = np.random.default_rng(0), len(sums)
    means, step = [], max(1, _CHUNK // count)
    for start in range(0, draws, step):
        drawn = rng.integers(0, count, size=(min(step, draws - start), count))
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    low, high = np.quantile(np.concatenate(means), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)

"""Intervals and paired tests for accuracies. Items that share a picture are one cluster: they are not independent.

Sources: E. B. Wilson, JASA 1927 (score interval); Q. McNemar, Psychometrika 1947, in its exact binomial form;
L. Kish, Survey Sampling, 1965 (design effect); Efron and Tibshirani, 1993 (percentile bootstrap).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

DRAWS = 10_000
_CHUNK = 500


@dataclass(frozen=True)
class Delta:
    """``delta`` = mean(b) - mean(a), its interval, and a two-sided p value of "no difference"."""

    delta: float
    low: float
    high: float
    p: float


def wilson(right: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of ``right`` of ``n``; (0, 1) for n = 0. ``n`` may be an effective sample size."""
    if n <= 0:
        return 0.0, 1.0
    if not 0 <= right <= n:
        raise ValueError(f"right={right} is not between 0 and n={n}")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = right / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if right == 0 else max(0.0, centre - half)
    high = 1.0 if right == n else min(1.0, centre + half)
    return low, high


def design_effect(values: Sequence[float] | np.ndarray, clusters: Sequence[Any] | None) -> float:
    """Variance of the mean with clusters over that of independent items, at least 1 (Kish; ratio estimator)."""
    x = np.asarray(values, dtype=np.float64)
    index, count = _cluster_index(clusters, len(x))
    spread = x.var()
    if count < 2 or spread == 0:
        return 1.0
    residual = np.bincount(index, weights=x - x.mean(), minlength=count)
    clustered = (residual**2).sum() / len(x) ** 2 * count / (count - 1)
    return max(1.0, float(clustered / (spread / len(x))))


def accuracy_interval(
    correct: Sequence[bool] | np.ndarray, clusters: Sequence[Any] | None = None, level: float = 0.95
) -> tuple[float, float]:
    """Wilson interval with n divided by the design effect: honest for shared pictures, never of zero width."""
    x = np.asarray(correct, dtype=np.float64)
    if len(x) == 0:
        return 0.0, 1.0
    effective = len(x) / design_effect(x, clusters)
    return wilson(float(x.mean()) * effective, effective, level)


def bootstrap_mean(
    values: Sequence[float] | np.ndarray,
    clusters: Sequence[Any] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean, whole clusters drawn with replacement."""
    means = _bootstrap_means(np.asarray(values, dtype=np.float64), clusters, draws, seed)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_bootstrap(
    a: Sequence[float] | np.ndarray,
    b: Sequence[float] | np.ndarray,
    clusters: Sequence[Any] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = 0.95,
) -> Delta:
    """mean(b) - mean(a) over the same items, in the same order; whole clusters drawn with replacement.

    p = twice the smaller tail of the bootstrap differences at 0, with (count + 1) / (draws + 1), so never 0.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1 or len(a) == 0:
        raise ValueError(f"paired samples need one equal, positive length; got {a.shape} and {b.shape}")
    difference = b - a
    means = _bootstrap_means(difference, clusters, draws, seed)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    # Sums of differences of 0 and 1 that cancel may miss zero by rounding.
    below, above = (means <= 1e-12).sum(), (means >= -1e-12).sum()
    p = min(1.0, 2 * (min(below, above) + 1) / (draws + 1))
    return Delta(float(difference.mean()), float(low), float(high), float(p))


def mcnemar_exact(a: Sequence[bool] | np.ndarray, b: Sequence[bool] | np.ndarray) -> dict[str, float]:
    """Exact two-sided McNemar test: {only_a, only_b, p}. Items count as independent: read it beside the bootstrap."""
    a, b = np.asarray(a, dtype=bool), np.asarray(b, dtype=bool)
    if a.shape != b.shape:
        raise ValueError(f"paired samples need equal lengths; got {a.shape} and {b.shape}")
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    n, k = only_a + only_b, min(only_a, only_b)
    # Integers are exact where floats would underflow (2**-2000); each binomial comes from the one before.
    term = tail = 1
    for i in range(k):
        term = term * (n - i) // (i + 1)
        tail += term
    return {"only_a": only_a, "only_b": only_b, "p": min(1.0, 2 * tail / 2**n) if n else 1.0}


def _cluster_index(clusters: Sequence[Any] | None, n: int) -> tuple[np.ndarray, int]:
    if clusters is None:
        return np.arange(n), n
    if len(clusters) != n:
        raise ValueError(f"{len(clusters)} cluster names for {n} values")
    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    return index, int(index.max()) + 1 if n else 0


def _bootstrap_means(x: np.ndarray, clusters: Sequence[Any] | None, draws: int, seed: int) -> np.ndarray:
    """``draws`` means, each over as many clusters as there are, drawn with replacement."""
    if len(x) == 0:
        raise ValueError("no values to resample")
    index, count = _cluster_index(clusters, len(x))
    sums = np.bincount(index, weights=x, minlength=count)
    sizes = np.bincount(index, minlength=count).astype(np.float64)
    rng = np.random.default_rng(seed)
    means = []
    for start in range(0, draws, _CHUNK):
        drawn = rng.integers(0, count, size=(min(_CHUNK, draws - start), count))
        means.append(sums[drawn].sum(1) / sizes[drawn].sum(1))
    return np.concatenate(means)

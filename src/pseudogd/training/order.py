"""The order in which rows come: decided by the seed and the place in the stream, whatever the arm or the workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice
from math import ceil, lcm

import numpy as np
import torch
from numpy.typing import NDArray

from pseudogd.training.sections import KINDS


class StepSampler(torch.utils.data.Sampler[int]):
    """`total` row numbers: one shuffle of all rows after another, each decided by the seed and its number alone.

    One long stream instead of epochs, so that every batch is full, and the k-th batch is the same whatever the arm.

    Args:
        rows: how many there are.
        total: how many are drawn.
        seed: of the shuffles.
        lengths: (rows,) tokens of every row. With it, rows of like length come in one batch: within every `WINDOW`
            batches rows are sorted into batches by length, and the batches are shuffled. Without it shorter rows are
            filled up to the longest of a random batch, which makes a seventh of all work useless.
        batch: rows of a batch.
    """

    WINDOW = 8

    def __init__(self, rows: int, total: int, seed: int, lengths: NDArray[np.int64] | None = None, batch: int = 1):
        self.rows, self.total, self.seed, self.lengths, self.batch = rows, total, seed, lengths, batch

    def __len__(self) -> int:
        return self.total

    def __iter__(self) -> Iterator[int]:
        stream = self._stream()
        if self.lengths is None:
            yield from stream
            return
        number = 0
        while window := list(islice(stream, self.WINDOW * self.batch)):
            yield from self._grouped(window, number)
            number += 1

    def _stream(self) -> Iterator[int]:
        for start in range(0, self.total, self.rows):
            order = np.random.default_rng([self.seed, start // self.rows]).permutation(self.rows)
            yield from order[: self.total - start].tolist()

    def _grouped(self, window: list[int], number: int) -> Iterator[int]:
        """The rows of a window, those of like length in one batch."""
        assert self.lengths is not None
        window.sort(key=self.lengths.__getitem__)
        yield from self._shuffled(self._batches(window), number)

    def _batches(self, window: list[int]) -> list[list[int]]:
        return [window[i : i + self.batch] for i in range(0, len(window), self.batch)]

    def _shuffled(self, batches: list[list[int]], number: int) -> Iterator[int]:
        for index in np.random.default_rng([self.seed, number, 1]).permutation(len(batches)):
            yield from batches[index]


class MixedSampler(StepSampler):
    """Rows of several kinds in fixed shares: shuffled passes over each kind for itself, dealt out by `kind_order`.

    A kind with few rows is passed over more often. Batches keep the shares too: rows of like length are put together
    within their kind alone.

    Args:
        kinds: (rows,) kind of every row, an index into `shares`.
        shares: of the kinds, in any unit.
        total, seed, lengths, batch: as for `StepSampler`.
    """

    def __init__(
        self,
        kinds: NDArray[np.int8],
        shares: Sequence[float],
        total: int,
        seed: int,
        lengths: NDArray[np.int64] | None = None,
        batch: int = 1,
    ):
        super().__init__(len(kinds), total, seed, lengths, batch)
        self.kinds, self.shares = kinds, shares

    def _stream(self) -> Iterator[int]:
        passes = [self._passes(kind) for kind in range(len(self.shares))]
        for kind in islice(kind_order(self.shares), self.total):
            yield next(passes[kind])

    def _passes(self, kind: int) -> Iterator[int]:
        """Row numbers of one kind, one shuffle of them all after another, without an end."""
        rows = np.flatnonzero(self.kinds == kind)
        number = 0
        while len(rows):
            yield from rows[np.random.default_rng([self.seed, number, kind, 2]).permutation(len(rows))].tolist()
            number += 1

    def _grouped(self, window: list[int], number: int) -> Iterator[int]:
        assert self.lengths is not None
        by_kind: dict[int, list[int]] = {}
        for row in sorted(window, key=self.lengths.__getitem__):
            by_kind.setdefault(int(self.kinds[row]), []).append(row)
        shortest = {kind: iter(rows) for kind, rows in by_kind.items()}
        batches = [[next(shortest[int(self.kinds[row])]) for row in batch] for batch in self._batches(window)]
        yield from self._shuffled(batches, number)


def kind_order(shares: Sequence[float]) -> Iterator[int]:
    """The kind of every row of the stream, without an end: next comes the kind that is furthest behind its share.

    Every stretch of n rows has n * share of a kind, give or take less than 2; the first n rows, less than 1 (four kinds
    at most). In whole numbers, so that no rounding decides.
    """
    exact = [Fraction(str(share)) for share in shares]
    unit = lcm(*(share.denominator for share in exact))
    weights = [int(share * unit) for share in exact]
    total, behind = sum(weights), [0] * len(weights)
    while True:
        behind = [b + w for b, w in zip(behind, weights)]
        kind = max(range(len(weights)), key=behind.__getitem__)
        behind[kind] -= total
        yield kind


def epoch_rows(shares: Sequence[float], rows: Sequence[int]) -> int:
    """Rows that are drawn until every row with questions was; without such, every photo's; else every conversation.

    Args:
        shares, rows: of each of `recipe.KINDS`.
    """
    total = sum(Fraction(str(share)) for share in shares)
    for group in (("both", "vqa"), ("geometry",), ("general",)):
        asked = [i for i, kind in enumerate(KINDS) if kind in group and shares[i]]
        if asked:
            return max(ceil(rows[i] * total / Fraction(str(shares[i]))) for i in asked)
    raise ValueError("every share is 0")

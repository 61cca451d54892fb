"""Facts drawn so that no rule of thumb about the picture is right more often than its opposite.

A rule is a number of the flat picture ("how low", "how near to the thing on the screen") by which the right answer is
compared with the wrong ones. Its *lean* is where the right one ranks among them, counted from the middle: of four -3
(lowest), -1, 1 or 3. A fact may be asked only if the same photo has facts of all mirrored leans too; which of them is
asked first is a fair coin, so that over photos the right answer is as often the lowest as the highest, whatever rooms
look like. Balancing each rule against its opposite goes back to the balanced pairs of VQA v2 (Goyal et al. 2017).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Lean = tuple[int, ...]


def mirrored(
    leans: Sequence[Lean], rng: np.random.Generator, kinds: Sequence[Hashable] | None = None
) -> Iterator[int]:
    """Indices of which every lean and all of its mirror images (any of its numbers negated) come equally often.

    ``kinds``: of each fact, such as its form; mirror images are of the same kind.

    They come in rounds: one of each lean of one such group, in random order, so that wherever the caller stops each was
    equally likely. A group ends with its rarest lean; groups that lack one are never begun. Groups take turns.
    """
    queues: dict[tuple[Hashable, Lean], list[int]] = {}
    for index in rng.permutation(len(leans)):
        kind = None if kinds is None else kinds[index]
        queues.setdefault((kind, tuple(map(int, leans[index]))), []).append(int(index))
    groups = sorted({(kind, tuple(map(abs, lean))) for kind, lean in queues}, key=repr)
    yield from in_rounds([[queues.get((kind, lean), []) for lean in _images(group)] for kind, group in groups], rng)


def in_rounds(groups: Sequence[Sequence[list[int]]], rng: np.random.Generator) -> Iterator[int]:
    """One index from each queue of a group in random order, then the next group; as long as no queue is empty."""
    alive = [group for group in groups if all(group)]
    while alive:
        for k in rng.permutation(len(alive)):
            for queue in rng.permutation(len(alive[k])):
                yield alive[k][queue].pop()
        alive = [group for group in alive if all(group)]


def _images(group: Lean) -> list[Lean]:
    return sorted(set(product(*((-size, size) for size in group))))


def leans(*rules: ArrayLike) -> NDArray[np.int64]:
    """(N, rules) leans; each rule is (N, K): what it says of the right answer (first) and of the wrong ones.

    Half a rank is lost to each wrong answer that ties with the right one.
    """
    columns = []
    for rule in rules:
        values = np.asarray(rule, np.float64)
        columns.append(np.sign(values[:, :1] - values[:, 1:]).sum(axis=1))
    return np.stack(columns, axis=1).astype(np.int64)


def lean(*rules: Sequence[float]) -> Lean:
    """The lean of one fact; see `leans`."""
    return tuple(int(number) for number in leans(*([rule] for rule in rules))[0])


def alternatives(
    values: Mapping[Any, float], ratio: float, most: int, rng: np.random.Generator, tries: int = 40
) -> Iterator[tuple[Any, list[Any]]]:
    """What to ask the length of, and whose lengths stand beside it: (key, other keys); none is asked or offered again.

    The options of one question are lengths of the same photo, at least ``ratio`` apart, and each of them is equally
    likely to be the right one: neither how long things usually are nor a length's rank tells which. Sets of two options
    are asked last.
    """
    keys = list(values)
    asked: set[Any] = set()
    sets = [_spaced(keys, values, ratio, most, rng) for _ in range(min(tries, 4 * len(keys)))]
    for chosen in sorted(sets, key=lambda chosen: len(chosen) < 3):
        # To leave out those keys alone that have been asked would favour the others of the set.
        if len(chosen) > 1 and not asked.intersection(chosen):
            key = chosen[int(rng.integers(len(chosen)))]
            asked.add(key)
            yield key, [other for other in chosen if other != key]


def _spaced(
    keys: list[Any], values: Mapping[Any, float], ratio: float, most: int, rng: np.random.Generator
) -> list[Any]:
    chosen: list[Any] = []
    for k in rng.permutation(len(keys)):
        value = values[keys[k]]
        if all(max(value, values[o]) >= ratio * min(value, values[o]) for o in chosen):
            chosen.append(keys[k])
        if len(chosen) == most:
            break
    return chosen


"""Facts drawn so that no rule of thumb about the picture is right more often than chance.

A rule is a number of the flat picture ("how low", "how near to the thing on the screen") by which the right answer is
compared with the wrong ones. Facts are asked in rounds in which the right answer takes every rank by such a rule once,
lowest to highest, in random order: wherever the caller stops, each rank was equally likely, whatever rooms look like. A
photo that has no fact for some rank is not asked. That each rule is balanced against its opposite goes back to the
balanced pairs of VQA v2 (Goyal et al. 2017).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import cache
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ranks = tuple[int, ...]


def evenly(
    ranks: Sequence[Ranks],
    counts: Sequence[int],
    rng: np.random.Generator,
    kinds: Sequence[Hashable] | None = None,
    opposite: bool = False,
) -> Iterator[int]:
    """Indices in rounds in which the right answer takes each rank once by every rule.

    ``ranks``: of each fact by one or two rules; ``counts``: among how many answers; ``kinds``: of each fact, such as
    its form: a round is of one kind and count. ``opposite``: by one rule, a round may also be of two opposite ranks
    alone, such as lowest and highest.
    """
    queues: dict[tuple[int, Hashable], dict[Ranks, list[int]]] = {}
    for index in rng.permutation(len(ranks)):
        mine = queues.setdefault((counts[index], None if kinds is None else kinds[index]), {})
        mine.setdefault(tuple(map(int, ranks[index])), []).append(int(index))
    alive = sorted(queues, key=repr)
    while alive:
        ended = set()
        for k in rng.permutation(len(alive)):
            places = _round(queues[alive[k]], alive[k][0], rng, opposite)
            yield from (queues[alive[k]][place].pop() for place in places)
            if not places:
                ended.add(alive[k])
        alive = [key for key in alive if key not in ended]


def _round(
    queues: Mapping[Ranks, list[int]], count: int, rng: np.random.Generator, opposite: bool = False
) -> list[Ranks]:
    """Places of one round in random order: a random one of the fillings that the queues allow, or none."""
    rules = len(next(iter(queues)))
    if rules == 1:
        pairs = [[(rank,), (count - 1 - rank,)] for rank in range(count // 2)]
        fillings = [[(rank,) for rank in range(count)], *(pairs[k] for k in rng.permutation(len(pairs)) if opposite)]
    else:
        orders = list(permutations(range(count)))
        fillings = [list(enumerate(orders[k])) for k in rng.permutation(len(orders))]
    for places in fillings:
        if all(queues.get(place) for place in places):
            return [places[k] for k in rng.permutation(len(places))]
    return []


def first_evenly(ranks: NDArray[np.int64], count: int, rng: np.random.Generator) -> int | None:
    """The first index of `evenly` by the same draws: of (N, rules) ranks of facts of one kind and ``count``.

    Of many drafts of one question only that one is wanted, and to queue them all takes long.
    """
    order, rules = rng.permutation(len(ranks)), ranks.shape[1]
    codes = ranks[:, 0] if rules == 1 else ranks[:, 0] * count + ranks[:, 1]
    found = np.zeros(count**rules, bool)
    found[codes] = True
    rng.permutation(1)  # of the kinds
    if rules == 1:
        rng.permutation(count // 2)  # of the pairs of opposite ranks
        places = np.arange(count)
        if not found.all():
            return None
    else:
        fillings = _fillings(count)[rng.permutation(math.factorial(count))]
        whole = found[fillings].all(axis=1)
        if not whole.any():
            return None
        places = fillings[whole.argmax()]
    place = places[rng.permutation(count)[0]]
    return int(order[np.flatnonzero(codes[order] == place)[-1]])


@cache
def _fillings(count: int) -> NDArray[np.int64]:
    """(count!, count): of each order of a round by two rules, the codes ``rank * count + other rank``."""
    return np.arange(count) * count + np.array(list(permutations(range(count))))


def in_rounds(groups: Sequence[Sequence[list[int]]], rng: np.random.Generator) -> Iterator[int]:
    """One index from each queue of a group in random order, then the next group; as long as no queue is empty."""
    alive = [group for group in groups if all(group)]
    while alive:
        for k in rng.permutation(len(alive)):
            for queue in rng.permutation(len(alive[k])):
                yield alive[k][queue].pop()
        alive = [group for group in alive if all(group)]


def opposites(signs: ArrayLike, rng: np.random.Generator, kinds: Sequence[Hashable] | None = None) -> Iterator[int]:
    """Indices in pairs of facts of which one is the opposite of the other: each of the signs (N, rules) is.

    By rules of two answers, such as "lower" and "nearer", the right answer is then as often the one as the other; signs
    of 0, where a rule says nothing, are their own opposites. ``kinds``: of each fact; opposites are of one kind. Pairs
    of all kinds and signs come in turn; what has no opposite is never asked.
    """
    queues: dict[tuple[Hashable, tuple[int, ...]], list[int]] = {}
    rows = np.asarray(signs, np.int64).tolist()
    for index in rng.permutation(len(rows)):
        queues.setdefault((None if kinds is None else kinds[index], tuple(rows[index])), []).append(int(index))
    alive = sorted((key for key in queues if key[1] >= _opposite(key)[1] and _opposite(key) in queues), key=repr)
    while alive:
        for k in rng.permutation(len(alive)):
            both = [alive[k], _opposite(alive[k])]
            for key in both[:1] if both[0] == both[1] else [both[j] for j in rng.permutation(2)]:
                yield queues[key].pop()
        alive = [key for key in alive if queues[key] and queues[_opposite(key)]]


def _opposite(key: tuple[Hashable, tuple[int, ...]]) -> tuple[Hashable, tuple[int, ...]]:
    return key[0], tuple(-sign for sign in key[1])


def ranks_of(*rules: ArrayLike) -> NDArray[np.int64]:
    """(N, rules) ranks of the right answers; each rule is (N, K): its number of the right one (first) and of the wrong.

    Among equals the right one is the lowest.
    """
    columns = []
    for rule in rules:
        values = np.asarray(rule).T
        columns.append((values[1:] < values[0]).sum(axis=0))
    return np.stack(columns, axis=1)


def rank_of(*rules: Sequence[float]) -> Ranks:
    """The ranks of one fact; see `ranks_of`."""
    return tuple(int(number) for number in ranks_of(*([rule] for rule in rules))[0])


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

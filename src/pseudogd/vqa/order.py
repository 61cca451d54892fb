"""The order of one photo's questions: shuffled, and no neighbour gives a neighbour's answer away."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np


def apart(operands: Sequence[Hashable], twins: Sequence[str | None], rng: np.random.Generator) -> list[int]:
    """A random order of the questions in which equal operands are not neighbours as far as possible.

    ``operands``: what each question is about (equal = may give the other away); ``twins``: equal for questions whose
    answers follow from each other; of such a pair one goes to each half of the order.
    """
    keys = rng.random(len(operands))
    groups: dict[str, list[int]] = {}
    for index, twin in enumerate(twins):
        if twin is not None:
            groups.setdefault(twin, []).append(index)
    for members in groups.values():
        if len(members) == 2:
            first, second = (members[k] for k in rng.permutation(2))
            keys[first], keys[second] = keys[first] / 2, 0.5 + keys[second] / 2
    waiting = [int(i) for i in np.argsort(keys, kind="stable")]
    order: list[int] = []
    while waiting:
        place = next((p for p, i in enumerate(waiting) if not order or operands[i] != operands[order[-1]]), 0)
        order.append(waiting.pop(place))
    # What was left over at the end may still meet its like: it goes where both neighbours are others.
    for place in range(len(order) - 1, 0, -1):
        if operands[order[place]] == operands[order[place - 1]]:
            index = order.pop(place)
            free = [
                p
                for p in range(len(order) + 1)
                if all(operands[i] != operands[index] for i in order[max(p - 1, 0) : p + 1])
            ]
            order.insert(free[int(rng.integers(len(free)))] if free else place, index)
    return order

"""Guesses that need neither words nor picture: one and the same answer, the largest number, the longest option."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pseudogd.vqa.audit.items import Item, number_of


@dataclass(frozen=True)
class Guess:
    """``check``: the limit it is held to; ``group``: among which questions; ``right``: 1, or the share of a tie;
    ``chance``: how often a blind pick of a candidate would be what is guessed."""

    check: str
    group: str
    name: str
    right: float
    chance: float


def guesses(item: Item) -> Iterator[Guess]:
    """What one could guess of a question with candidates, as the audit's checks of priors, ranks and lengths count it.

    Of a yes/no question and of an open one with an open answer: nothing.
    """
    count = len(item.candidates)
    if count < 2:
        return
    if item.format != "yesno":
        group = f"{item.form}, {item.format}"
        for candidate in sorted(set(item.candidates)):
            yield Guess("prior", group, candidate, float(candidate == item.said), 1 / count)
    if (values := numbers_offered(item)) is not None:
        yield Guess("rank", item.form, "largest", shared(values, max, item.right), 1 / count)
        yield Guess("rank", item.form, "smallest", shared(values, min, item.right), 1 / count)
        if count > 2:
            inner = inside(values, item.right)
            yield Guess("rank", f"{item.form}, of three or more", "neither", inner, (count - 2) / count)
    if item.options is not None:
        sizes = [len(option) for option in item.options]
        yield Guess("length", item.task, "longest", shared(sizes, max, item.right), 1 / count)
        yield Guess("length", item.task, "shortest", shared(sizes, min, item.right), 1 / count)


def numbers_offered(item: Item) -> list[float] | None:
    """The options as numbers; None where there are none, or one of them is no number."""
    if item.options is None or len(item.candidates) < 2:
        return None
    values = [number_of(option) for option in item.options]
    return None if None in values else [float(v) for v in values if v is not None]


def shared(values: Sequence[float], pick: Callable[[Sequence[float]], float], right: int) -> float:
    """1 where the picked value is the right one's, less where several have it."""
    best = [k for k, value in enumerate(values) if value == pick(values)]
    return (right in best) / len(best)


def inside(values: Sequence[float], right: int) -> float:
    """1 where the right value is neither the largest nor the smallest."""
    return float(min(values) < values[right] < max(values))

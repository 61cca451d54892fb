"""What is right too often: an answer, a letter, yes, the longest option, the largest number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from pseudogd.vqa.audit.family import EVEN, as_family, p_beyond
from pseudogd.vqa.audit.guesses import inside, numbers_offered, shared
from pseudogd.vqa.audit.intervals import mean_interval, share_interval
from pseudogd.vqa.audit.items import Item, effective_number
from pseudogd.vqa.audit.limits import Check, Limits, Part, judge, overall

RARE = 0.05
"""An answer that could be given to fewer of a form's questions than this is no prior worth knowing."""


def grouped(items: Iterable[Item], key: Callable[[Item], str]) -> dict[str, list[Item]]:
    """Items by a key, keys sorted."""
    found: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        found[key(item)].append(item)
    return dict(sorted(found.items()))


def excess(items: Sequence[Item], chosen: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """How much more often than by chance a guess is right, and its interval.

    ``chosen``: of each item, right (1, or a share of a tie) less the chance of one of its candidates.
    """
    values = np.asarray(chosen, np.float64)
    return float(values.mean()), mean_interval(values, [item.image_id for item in items])


def prior_check(items: Sequence[Item], limits: Limits) -> Check:
    """The most frequent answer of each form and format against how often it could have been right by chance."""
    parts = []
    for name, group in grouped(items, lambda i: f"{i.form}, {i.format}").items():
        closed = [item for item in group if len(item.candidates) > 1]
        if closed and group[0].format != "yesno":
            parts.append(_prior(name, closed, limits))
    parts = as_family(parts, limits.few)
    return Check(
        "prior",
        "Answer priors",
        "how much more often than chance the most frequent answer of a form is right",
        limits.prior,
        True,
        tuple(parts),
        "give the answers of this form turns of equal length, or ask fewer of it in each photo",
        overall(parts),
    )


def _prior(name: str, items: Sequence[Item], limits: Limits) -> Part:
    won: dict[str, float] = defaultdict(float)
    shown: dict[str, int] = defaultdict(int)
    for item in items:
        for candidate in item.candidates:
            won[candidate] += (candidate == item.said) - 1 / len(item.candidates)
            shown[candidate] += 1
    common = [text for text in sorted(won) if shown[text] >= RARE * len(items)] or sorted(won)
    best = max(common, key=lambda text: won[text] / len(items))
    chance = [(best in i.candidates) / len(i.candidates) for i in items]
    gain = [(best == i.said) - c for i, c in zip(items, chance)]
    value, interval = excess(items, gain)
    p = p_beyond(gain, chance, limits.prior, [i.image_id for i in items], looks=len(common))
    said = sum(item.said == best for item in items)
    text = f"“{best}” is the answer of {said:,}; {effective_number(i.said for i in items):.1f} answers in effect"
    verdict = judge(value, interval, len(items), limits.prior, limits.few, True)
    return Part(name, value, interval, len(items), verdict, text, p)


def letter_check(items: Sequence[Item], limits: Limits) -> Check:
    """Whether one position among the options is right more often than the others, overall and per task.

    Fails where that is beyond the threshold and letters drawn by even chances do not explain it (see `family`).
    """
    from scipy.stats import chisquare

    parts = []
    offered = [i for i in items if i.options is not None and len(i.candidates) > 1 and i.answer_index is not None]
    groups = {"all tasks": offered, **grouped(offered, lambda i: i.task)} if offered else {}
    for task, members in groups.items():
        for count, group in grouped(members, lambda i: str(len(i.options or ()))).items():
            places = np.array([item.answer_index for item in group])
            counts = np.bincount(places, minlength=int(count))
            best = int(counts.argmax())
            gain = (places == best) - 1 / int(count)
            value, interval = excess(group, gain)
            told = ", ".join(f"{chr(65 + k)} {n:,}" for k, n in enumerate(counts))
            told += f"; chi-square p = {chisquare(counts).pvalue:.2g}"
            verdict = judge(value, interval, len(group), limits.letter, limits.few, True)
            p = p_beyond(gain, 1 / int(count), 0.0, [i.image_id for i in group], looks=int(count))
            parts.append(Part(f"{task}, {count} options", value, interval, len(group), verdict, told, p))
    parts = as_family(parts, limits.few, EVEN)
    return Check(
        "letters",
        "Position of the right option",
        "how much more often than chance one letter is right",
        limits.letter,
        True,
        tuple(parts),
        "shuffle the options of each question with a generator of its own",
        overall(parts),
    )


def yes_check(items: Sequence[Item], limits: Limits) -> Check:
    """The share of "yes" among yes/no questions, overall and per task; held to even chances like `letter_check`."""
    parts = []
    asked = [item for item in items if item.format == "yesno"]
    groups = {"all tasks": asked, **grouped(asked, lambda i: i.task)} if asked else {}
    for task, group in groups.items():
        yes = np.array([item.answer == "yes" for item in group], np.float64)
        low, high = share_interval(yes, [item.image_id for item in group])
        off = abs(float(yes.mean()) - 0.5)
        nearest, farthest = max(0.0, low - 0.5, 0.5 - high), max(abs(low - 0.5), abs(high - 0.5))
        verdict = judge(off, (nearest, farthest), len(group), limits.yes, limits.few, True)
        told = f"yes {int(yes.sum()):,}, no {int((1 - yes).sum()):,}"
        more = yes if yes.mean() >= 0.5 else 1 - yes
        p = p_beyond(more - 0.5, 0.5, 0.0, [item.image_id for item in group], looks=2)
        parts.append(Part(task, off, (nearest, farthest), len(group), verdict, told, p))
    parts = as_family(parts, limits.few, EVEN)
    return Check(
        "yes_no",
        "Yes against no",
        "how far the share of yes is from one half",
        limits.yes,
        True,
        tuple(parts),
        "ask each fact as true or false with even chances",
        overall(parts),
    )


def length_check(items: Sequence[Item], limits: Limits) -> Check:
    """Whether the longest or shortest option is right more often than chance; ties share."""
    offered = [item for item in items if item.options is not None and len(item.candidates) > 1]
    parts = []
    for task, group in grouped(offered, lambda i: i.task).items():
        for name, pick in (("longest", max), ("shortest", min)):
            gain = [shared([len(o) for o in i.options or ()], pick, i.right) - 1 / len(i.candidates) for i in group]
            parts.append(_picked(f"{task}, {name}", group, gain, limits.length, limits))
    parts = as_family(parts, limits.few)
    return Check(
        "length",
        "Length of the right option",
        "how much more often than chance the longest (shortest) option is right",
        limits.length,
        True,
        tuple(parts),
        "write wrong options in the same manner as right ones",
        overall(parts),
    )


def rank_check(items: Sequence[Item], limits: Limits) -> Check:
    """Whether the largest, smallest or middle of several numbers is right more often than chance."""
    numeric = [(item, values) for item in items if (values := numbers_offered(item)) is not None]
    parts = []
    for form, pairs in grouped_pairs(numeric).items():
        group = [item for item, _ in pairs]
        for name, pick in (("largest", max), ("smallest", min)):
            gain = [shared(values, pick, item.right) - 1 / len(values) for item, values in pairs]
            parts.append(_picked(f"{form}, {name}", group, gain, limits.rank, limits))
        inner = [(item, values) for item, values in pairs if len(values) > 2]
        if inner:
            chance = [(len(values) - 2) / len(values) for _, values in inner]
            gain = [inside(values, item.right) - c for (item, values), c in zip(inner, chance)]
            parts.append(_picked(f"{form}, neither", [item for item, _ in inner], gain, limits.rank, limits, chance))
    parts = as_family(parts, limits.few)
    return Check(
        "rank",
        "Rank of the right number",
        "how much more often than chance the largest, smallest or an inner number is right",
        limits.rank,
        True,
        tuple(parts),
        "draw the right number's rank among the options evenly",
        overall(parts),
    )


def grouped_pairs(pairs: Sequence[tuple[Item, list[float]]]) -> dict[str, list[tuple[Item, list[float]]]]:
    """(item, numbers) by form."""
    found: dict[str, list[tuple[Item, list[float]]]] = defaultdict(list)
    for item, values in pairs:
        found[item.form].append((item, values))
    return dict(sorted(found.items()))


def _picked(
    name: str,
    group: Sequence[Item],
    gain: Sequence[float],
    limit: float,
    limits: Limits,
    chance: Sequence[float] | None = None,
) -> Part:
    """A part whose guess is right as often as one of the candidates drawn at random, unless ``chance`` says else."""
    value, interval = excess(group, gain)
    verdict = judge(value, interval, len(group), limit, limits.few, True)
    chance = chance or [1 / len(item.candidates) for item in group]
    p = p_beyond(gain, chance, limit, [item.image_id for item in group])
    return Part(name, value, interval, len(group), verdict, p=p)

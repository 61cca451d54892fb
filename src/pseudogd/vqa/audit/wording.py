"""How varied the words are, what stands there twice or against itself, and whether the rows are sound."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from pseudogd.vqa.audit.answers import grouped
from pseudogd.vqa.audit.family import as_family, p_beyond
from pseudogd.vqa.audit.intervals import share_interval
from pseudogd.vqa.audit.items import Item, effective_number
from pseudogd.vqa.audit.limits import Check, Limits, Part, judge, overall
from pseudogd.vqa.lengths import UNITS

SHOWN = 5
_LENGTH = re.compile(rf"(\d+(?:\.\d+)?) ({'|'.join(UNITS)})\b")
LONGEST = 200.0
"""Metres; no photo of everyday things has more."""
LETTERS = "ABCDEFGHIJ"


def wording_check(items: Sequence[Item], limits: Limits) -> Check:
    """The effective number of wordings of each task: exp of the entropy of the questions without names and numbers."""
    parts = []
    for task, group in grouped(items, lambda i: i.task).items():
        value = effective_number(item.template for item in group)
        enough = len(group) >= max(limits.few, 10 * limits.wordings)
        verdict = judge(value, None, len(group), limits.wordings, limits.few, False) if enough else "few"
        told = f"{len({item.template for item in group})} different ones"
        parts.append(Part(task, value, None, len(group), verdict, told))
    return Check(
        "wordings",
        "Wordings",
        "effective number of wordings of a task",
        limits.wordings,
        False,
        tuple(parts),
        "add wordings to the task, or formats",
        overall(parts),
    )


def repeated_check(items: Sequence[Item], limits: Limits) -> Check:
    """Questions of one photo with the same words and, if they have options, the same set of options."""
    seen: dict[tuple, str] = {}
    twice: list[str] = []
    for item in items:
        first = seen.setdefault(_key(item), item.question_id)
        if first != item.question_id:
            twice.append(f"{item.question_id} asks what {first} asks: {_short(item.stem)}")
    return _counted(
        "repeated",
        "Repeated questions",
        "share of questions that repeat another one of the same photo",
        limits.repeated,
        twice,
        len(items),
        "ask every fact of a photo once",
    )


def contradiction_check(items: Sequence[Item]) -> Check:
    """The same question of the same photo with another answer."""
    said: dict[tuple, tuple[str, str]] = {}
    against: list[str] = []
    for item in items:
        first = said.setdefault(_key(item), (item.said, item.question_id))
        if first[0] != item.said:
            against.append(f"{item.question_id} says {item.said!r}, {first[1]} {first[0]!r}: {_short(item.stem)}")
    return _counted(
        "contradictions",
        "Contradictions",
        "share of questions that another one of the same photo answers otherwise",
        0.0,
        against,
        len(items),
        "one of both labels is wrong: look at the photo",
    )


def soundness_check(items: Sequence[Item]) -> Check:
    """Rows that cannot be right whatever the photo shows."""
    flaws = [f"{item.question_id}: {flaw}" for item in items if (flaw := _flaw(item))]
    return _counted(
        "sound",
        "Soundness of rows",
        "share of questions with a number, unit, option or margin that cannot be",
        0.0,
        flaws,
        len(items),
        "make these questions again",
    )


def view_check(items: Sequence[Item], limits: Limits) -> Check:
    """Questions from another view than the camera's whose answer is not what the camera sees: of all, and by task.

    Of two answers, no more than half can be asked that way without the opposite becoming a rule: a task is held to what
    is fair for its number of answers, as far as the camera's answer may be more frequent than others (`Limits.prior`).
    """
    asked = [item for item in items if item.as_camera is not None]
    parts = [_other_view("all tasks", asked, limits.view, limits)] if asked else []
    for task, group in grouped(asked, lambda i: i.task).items():
        chance = float(np.mean([1 / max(item.choices, 1) for item in group]))
        least = limits.view if chance == 1 else min(limits.view, 1 - chance - limits.prior)
        parts.append(_other_view(task, group, least, limits))
    parts = as_family(parts, limits.few)
    return Check(
        "view",
        "Another view than the camera's",
        "share of questions from another view whose answer differs from what the camera sees",
        limits.view,
        False,
        tuple(parts),
        "ask for more facings, opposite ones too",
        overall(parts),
    )


def _other_view(name: str, items: Sequence[Item], least: float, limits: Limits) -> Part:
    other = np.array([not item.as_camera for item in items], np.float64)
    interval, value = share_interval(other, [item.image_id for item in items]), float(other.mean())
    twins = twins_share(items)
    told = f"at least {least:.0%}" + ("" if twins is None else f"; opposite-facing twins asked of {twins:.0%}")
    verdict = judge(value, interval, len(items), least, limits.few, False)
    p = p_beyond(1 - other, 0.0, 1 - least, [item.image_id for item in items])
    return Part(name, value, interval, len(items), verdict, told, p)


def _flaw(item: Item) -> str | None:
    if item.options is not None:
        index = item.answer_index
        if index is None or not 0 <= index < len(item.options):
            return f"answer index {index} is none of its {len(item.options)} options"
        if item.answer != LETTERS[index]:
            return f"answer {item.answer!r} is not the letter of option {index}"
        if len({option.strip().lower() for option in item.options}) < len(item.options):
            return f"options are not all different: {', '.join(item.options)}"
    if item.format == "yesno" and item.answer not in ("yes", "no"):
        return f"answer {item.answer!r} to a yes/no question"
    if item.margin is None or not math.isfinite(item.margin) or item.margin <= 0:
        return f"margin {item.margin} (no margin, no question)"
    if item.value is not None and not math.isfinite(item.value):
        return f"value {item.value}"
    if item.kind == "metric":
        return _length_flaw(item)
    return None


def _length_flaw(item: Item) -> str | None:
    if item.unit is None:
        return "a metric question without a unit"
    if item.unit == "m" and item.value is not None and not 0 < item.value < LONGEST:
        return f"a length of {item.value} m"
    said = _LENGTH.match(item.said)
    if said is None or item.value is None or item.unit != "m" or item.format == "yesno":
        return None
    size = UNITS[said[2]].metres
    if abs(float(said[1]) * size - item.value) <= _half_step(said[1]) * size:
        return None
    return f"says {item.said}, but was measured as {item.value} m"


def _counted(name: str, title: str, what: str, limit: float, found: Sequence[str], n: int, mend: str) -> Check:
    value = len(found) / n if n else 0.0
    part = Part("all", value, None, n, judge(value, None, n, limit, 0, True), f"{len(found):,} of {n:,}")
    return Check(name, title, what, limit, True, (part,), mend, part.verdict, tuple(found[:SHOWN]))


def _key(item: Item) -> tuple:
    return (item.image_id, item.stem, None if item.options is None else tuple(sorted(item.options)))


def _short(text: str) -> str:
    return text if len(text) <= 90 else f"{text[:87]}..."


def twins_share(items: Sequence[Item]) -> float | None:
    """Share of the questions with a twin whose twin was asked too; None where none has one."""
    count: dict[tuple[str, str], set[str]] = defaultdict(set)
    told = [item for item in items if item.twin is not None]
    for item in told:
        count[item.image_id, str(item.twin)].add(item.form)
    if not told:
        return None
    return sum(len(count[item.image_id, str(item.twin)]) > 1 for item in told) / len(told)


def _half_step(number: str) -> float:
    """How far a value may lie from the number it was rounded to: half of the last digit that is not a padding zero."""
    if float(number) * 2 % 1 == 0 and "." in number:
        return 0.255  # lengths may be written in halves, as their error asks
    if "." in number:
        return 0.51 * 10.0 ** -len(number.partition(".")[2])
    zeros = len(number) - len(number.rstrip("0"))
    return 0.51 * 10.0 ** min(zeros, len(number) - 1)

"""A fact in words: multiple choice, short open answer, yes/no, or an answer with its steps.

All chance is drawn from the generator given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from pseudogd.vqa import phrasing
from pseudogd.vqa.fact import Fact
from pseudogd.vqa.lengths import in_words, options, with_error, written
from pseudogd.vqa.plurals import agreeing
from pseudogd.vqa.tasks import forms, module_of

_LENGTH = re.compile(r"\b(\d+(?:\.\d+)?) m\b")
FORMATS = ("mc", "open", "yesno", "steps")


@dataclass(frozen=True)
class Rendered:
    """``question``: the stem; ``text``: the whole prompt; ``options``/``answer_index``: multiple choice only."""

    format: str
    question: str
    text: str
    answer: str
    options: tuple[str, ...] | None = None
    answer_index: int | None = None


@dataclass(frozen=True)
class Words:
    """``plain``: the plain wordings alone; ``units`` of lengths and how ``numbers`` are rounded, see `lengths`."""

    plain: bool = False
    units: str = "m"
    numbers: str = "fixed"


def formats_of(fact: Fact) -> tuple[str, ...]:
    """Formats in which this fact has wordings."""
    return _formats_of_form(fact.form, fact.task)


@cache
def _formats_of_form(name: str, task: str) -> tuple[str, ...]:
    form = forms()[name]
    steps = form.open and hasattr(module_of(task), "steps")
    return tuple(name for name in FORMATS if (steps if name == "steps" else getattr(form, name)))


def render(fact: Fact, fmt: str, rng: np.random.Generator, words: Words | None = None) -> Rendered:
    """One rendering. Raises ValueError without a wording in that format.

    Letter, order of the options, order in which a question names two things, and yes against no are fair draws that do
    not depend on one another or on the fact.
    """
    if fmt not in formats_of(fact):
        raise ValueError(f"{fact.form} has no wording as {fmt}")
    words = words or Words()
    fact = _measured(fact, words)
    if fmt == "yesno":
        return _yes_no(fact, rng, words)
    form = forms()[fact.form]
    wordings = form.ask(fmt, plain=words.plain)
    question = _filled(in_words(wordings[int(rng.integers(len(wordings)))], words.units), _slots(fact, rng), words)
    answer = form.answers.get(fact.answer, fact.answer)
    if fmt in ("open", "steps") and words.numbers == "error" and fact.amounts and "sigma" in fact.evidence:
        answer = with_error(answer, float(fact.evidence["sigma"]), words.units)
    if fmt == "open":
        return Rendered("open", question, question, answer)
    if fmt == "steps":
        steps = [_in_units(step, words.units) for step in module_of(fact.task).steps(fact)]
        return Rendered("steps", question, question, "\n".join([*steps, f"Answer: {answer}"]))
    chosen, index = _options(answer, [form.answers.get(wrong, wrong) for wrong in fact.wrong], rng)
    text = phrasing.multiple_choice(question, chosen)
    return Rendered("mc", question, text, phrasing.LETTERS[index], tuple(chosen), index)


def _filled(wording: str, slots: Mapping[str, str], words: Words) -> str:
    """A wording with its names; plain wordings have one verb for one thing and for several."""
    return (wording if words.plain else agreeing(wording, slots)).format(**slots)


def _measured(fact: Fact, words: Words) -> Fact:
    """The fact with its lengths in the units and with the digits that are wanted."""
    if not fact.amounts and not fact.measures:
        return fact
    slots = {**fact.slots, **{name: written(value, words.units) for name, value in fact.measures.items()}}
    if not fact.amounts:
        return replace(fact, slots=slots)
    rounded_already = abs(fact.amounts[0] - fact.value) > 1e-4  # the task itself wrote it no finer than it is known
    if rounded_already and words.units == "m":
        return replace(fact, slots=slots)
    sigma = None if rounded_already or words.numbers == "fixed" else fact.evidence.get("sigma")
    answer, *wrong = options(fact.amounts, words.units, None if sigma is None else float(sigma))
    return replace(fact, slots=slots, answer=answer, wrong=tuple(wrong))


def _in_units(text: str, units: str) -> str:
    """Every length in metres in a text, in other units."""
    if units == "m":
        return text
    return _LENGTH.sub(lambda found: written(float(found[1]), units), text)


def _options(answer: str, wrong: Sequence[str], rng: np.random.Generator) -> tuple[list[str], int]:
    chosen = [wrong[k] for k in rng.permutation(len(wrong))][: len(phrasing.LETTERS) - 1]
    index = int(rng.integers(len(chosen) + 1))
    chosen.insert(index, answer)
    return chosen, index


def _slots(fact: Fact, rng: np.random.Generator) -> dict[str, str]:
    slots = dict(fact.slots)
    named = [fact.answer, *fact.wrong]
    named = [named[k] for k in rng.permutation(len(named))]
    if fact.style == "pair":
        slots["a"], slots["b"] = named
    elif fact.style == "among":
        slots["list"] = phrasing.listing(named)
    return slots


def _yes_no(fact: Fact, rng: np.random.Generator, words: Words) -> Rendered:
    form = forms()[fact.form]
    is_true = bool(rng.integers(2))
    slots = dict(fact.slots)
    if fact.style == "pair":
        # The claim is always that a leads; who is a decides whether it is true.
        key = "a"
        slots["a"], slots["b"] = (fact.answer, fact.wrong[0]) if is_true else (fact.wrong[0], fact.answer)
    else:
        false_keys = [wrong for wrong in fact.wrong if wrong in form.yesno]
        key = fact.answer if is_true else false_keys[int(rng.integers(len(false_keys)))]
    wordings = form.ask("yesno", key, plain=words.plain)
    question = _filled(wordings[int(rng.integers(len(wordings)))], slots, words)
    return Rendered("yesno", question, question, phrasing.YES if is_true else phrasing.NO)

"""Which words point at exactly one object of a photo."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_NAME = 60
_ARTICLE = re.compile(r"^(the|a|an)\s+", re.IGNORECASE)


@dataclass(frozen=True)
class Described:
    """What is known about one object before it is named. ``name``: the annotator's own words, or none."""

    category: str
    name: str | None = None
    color: str | None = None


def clean(text: object) -> str:
    """One line of lower-case words without leading article; empty if unusable (not text, too long, unprintable)."""
    if not isinstance(text, str) or not text.isprintable():
        return ""
    words = _ARTICLE.sub("", " ".join(text.replace("_", " ").split())).strip(" .,:;?!").lower()
    return words if len(words) <= MAX_NAME else ""


def unique_names(things: Sequence[Described]) -> list[str | None]:
    """A referring name for each thing, or None where no words would point at it alone.

    The annotator's name is taken if nothing else in the photo answers to it, else colour + category, else category.
    "Answers to" is whole-word and asks for the same head noun: with a "red chair" and a "chair" in one photo, "chair"
    is ambiguous, but "table" is not made ambiguous by a "table lamp".
    """
    words = [_all_words(thing) for thing in things]
    heads = [_heads(thing) for thing in things]
    chosen: list[str | None] = []
    for i, thing in enumerate(things):
        chosen.append(None)
        for candidate in _candidates(thing):
            asked = set(candidate.split())
            head = candidate.split()[-1]
            others = (j for j in range(len(things)) if j != i)
            if not any(head in heads[j] and asked <= words[j] for j in others):
                chosen[i] = candidate
                break
    return chosen


def _candidates(thing: Described) -> list[str]:
    category, color = clean(thing.category), clean(thing.color)
    options = [clean(thing.name), f"{color} {category}" if color and category else "", category]
    return [option for option in options if option]


def _all_words(thing: Described) -> set[str]:
    return {word for text in (thing.name, thing.color, thing.category) for word in clean(text).split()}


def _heads(thing: Described) -> set[str]:
    return {clean(text).split()[-1] for text in (thing.name, thing.category) if clean(text)}

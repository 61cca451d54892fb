"""Which words point at exactly one object of a photo.

In this order: the annotator's own name, colour and category as stated, the category alone, a measured colour and the
category, the place in a row ("second chair from the left"). What none of these points at alone has no name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pseudogd.objects.colors import Colors, says_color

MAX_NAME = 60
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")
GAP = 1.0
"""Neighbours in a row: their middles are at least so many widths of the wider one apart."""
_ARTICLE = re.compile(r"^(the|a|an)\s+", re.IGNORECASE)
_QUOTES = re.compile('["`\u201c\u201d\u00ab\u00bb]')
_STRANGE = re.compile(r"[^\w\s'\u2019.,:;!?&/+()#%\u00b0-]")
_ORDERS = re.compile(
    r"\b(ignore|disregard|forget)\b.*\b(instructions?|previous|above|prompts?|rules?)\b"
    r"|\b(system|assistant|user|human)\s*:|\b(answer|reply|respond)\s+(with|only)\b|https?:|www\.",
    re.IGNORECASE,
)
_PLACE = re.compile(rf"^({'|'.join(ORDINALS)}) (.+) from the (left|right|top|bottom)$")
_END = re.compile(r"^(left|right|upper|lower|leftmost|rightmost|top|bottom) (.+)$")


@dataclass(frozen=True)
class Described:
    """What is known about one object before it is named.

    ``name``: the annotator's own words, or none; ``color``: as stated; ``measured``: as seen, once it was looked at;
    ``extent``: left, top, right, bottom in pixels.
    """

    category: str
    name: str | None = None
    color: str | None = None
    measured: Colors | None = None
    extent: tuple[float, float, float, float] | None = None


def clean(text: object) -> str:
    """One line of lower-case words without leading article; empty if unusable, see `unusable`."""
    if not isinstance(text, str) or unusable(text):
        return ""
    return _plain(text)


def unusable(text: str) -> str:
    """Why a text cannot stand in a question as a name; empty if it can."""
    if not text.isprintable():
        return "holds line breaks or control characters"
    if len(text) > 4 * MAX_NAME or len(_plain(text)) > MAX_NAME:
        return f"is longer than {MAX_NAME} characters"
    if strange := _STRANGE.search(_QUOTES.sub("", text)):
        return f"holds {strange[0]!r}, which no name has"
    if any(unicodedata.bidirectional(letter) in ("R", "AL", "AN") for letter in text):
        return "is written right to left, the questions are not"
    if _ORDERS.search(text):
        return "reads like an instruction"
    return "" if _plain(text) else "has no words"


def _plain(text: str) -> str:
    words = " ".join(_QUOTES.sub("", text).replace("_", " ").split())
    return _ARTICLE.sub("", words).strip(" .,:;?!").lower()


def unique_names(things: Sequence[Described], rivals: Sequence[Described] = ()) -> list[str | None]:
    """A referring name for each thing, or None where no words would point at it alone.

    ``rivals``: what else is in the photo or may be, and is not to be named (a crowd, a doubtful detection). They count
    for whatever we say, but not against the annotator's own names, which may be trusted to mean one thing.

    "Points at" is `resolve`: whole words and the same head noun. With a "red chair" and a "chair" in one photo, "chair"
    is ambiguous, but "table" is not made ambiguous by a "table lamp".
    """
    chosen: list[str | None] = []
    for i, thing in enumerate(things):
        own = clean(thing.name)
        found = own if own and resolve(own, things) == [i] else None
        crowd = [*things, *rivals]
        for candidate in () if found else _candidates(i, crowd, len(things)):
            if resolve(candidate, crowd) == [i]:
                found = candidate
                break
        chosen.append(found)
    return chosen


def resolve(expression: str, things: Sequence[Described]) -> list[int]:
    """Indices of all things that an expression may mean."""
    if not any(clean(thing.name) == expression for thing in things):
        if match := _PLACE.match(expression):
            return _at(_row(match[2], things, match[3]), ORDINALS.index(match[1]))
        if (match := _END.match(expression)) and (meant := _end_of_row(match[1], match[2], things)) is not None:
            return meant
    asked, head = set(expression.split()), expression.split()[-1]
    return [i for i, thing in enumerate(things) if head in _heads(thing) and asked <= _all_words(thing)]


def _candidates(index: int, things: Sequence[Described], named: int) -> list[str]:
    thing = things[index]
    category, color = clean(thing.category), clean(thing.color)
    if not category:
        return []
    options = [f"{color} {category}" if color else "", category]
    if not color and thing.measured and thing.measured.said and says_color(category.split()[-1]):
        options.append(f"{thing.measured.said} {category}")
    return [option for option in options if option] + _places(index, category, things, named)


def _places(index: int, category: str, things: Sequence[Described], named: int) -> list[str]:
    """ "left chair", "second chair from the left" and so on, if things of this category stand in a row."""
    for start, end, first, last in (
        ("left", "right", ("left", "leftmost"), ("right", "rightmost")),
        ("top", "bottom", ("upper", "top"), ("lower", "bottom")),
    ):
        row = _row(category, things, start)
        if index not in row or len(row) < 2 or any(i >= named for i in row):
            continue
        place, behind = row.index(index), len(row) - 1 - row.index(index)
        many = len(row) > 2
        if place == 0:
            return [f"{first[many]} {category}"]
        if behind == 0:
            return [f"{last[many]} {category}"]
        if min(place, behind) < len(ORDINALS):
            side, count = (start, place) if place <= behind else (end, behind)
            return [f"{ORDINALS[count]} {category} from the {side}"]
    return []


def _row(noun: str, things: Sequence[Described], side: str) -> list[int]:
    """Things that answer to a noun, in order from a side; empty if two of them are not clearly one after the other."""
    asked, head = set(noun.split()), noun.split()[-1]
    group = [i for i, thing in enumerate(things) if head in _heads(thing) and asked <= _all_words(thing)]
    axis = 0 if side in ("left", "right") else 1
    spans = []
    for i in group:
        extent = things[i].extent
        if extent is None:
            return []
        spans.append(((extent[axis] + extent[axis + 2]) / 2, extent[axis + 2] - extent[axis], i))
    spans.sort()
    for (middle, size, _), (next_middle, next_size, _) in pairwise(spans):
        if next_middle - middle < GAP * max(size, next_size):
            return []
    order = [i for _, _, i in spans]
    return order if side in ("left", "top") else order[::-1]


def _end_of_row(word: str, noun: str, things: Sequence[Described]) -> list[int] | None:
    """What "left chair" or "leftmost chair" means; None if the things stand in no such row, so that it is a plain name.

    "Left" is said of two, "leftmost" of more: of three chairs nobody knows which the left one is.
    """
    pairs = {"left": "left", "right": "right", "upper": "top", "lower": "bottom"}
    groups = {"leftmost": "left", "rightmost": "right", "top": "top", "bottom": "bottom"}
    row = _row(noun, things, pairs.get(word) or groups[word])
    if len(row) < 2:
        return None
    return row[:1] if (len(row) == 2) == (word in pairs) else sorted(row)


def _at(row: list[int], place: int) -> list[int]:
    return row[place : place + 1]


def _all_words(thing: Described) -> set[str]:
    words = {word for text in (thing.name, thing.color, thing.category) for word in clean(text).split()}
    return words | (thing.measured.possible if thing.measured else frozenset())


def _heads(thing: Described) -> set[str]:
    return {clean(text).split()[-1] for text in (thing.name, thing.category) if clean(text)}

"""A question as the audit sees it: what was asked, what could be answered, and which candidate is right."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

COLUMNS = (
    *("question_id", "image_id", "task", "kind", "frame", "text", "answer", "options", "answer_index"),
    *("value", "unit", "margin", "stability", "evidence"),
)
CLOSED = 8
"""A form whose open answers are at most so many different texts has a closed set of answers."""
_POINT = re.compile(r"\(\s*(\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)\s*\)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Thing:
    """An operand: its name, and its box x, y, width, height as shares of the picture (None: unknown)."""

    name: str
    role: str
    box: tuple[float, float, float, float] | None
    centre: tuple[float, ...] | None


@dataclass(frozen=True)
class Item:
    """One question. ``stem``: without the options; ``template``: without names and numbers; ``things``: as mentioned.

    ``candidates``: the answers among which it chooses, empty if it is open; ``right``: index of the right one.
    ``as_camera``: whether its fact's answer is what the camera sees (None: it is not of another view), and ``choices``:
    how many answers the fact has.
    """

    question_id: str
    image_id: str
    task: str
    form: str
    format: str
    kind: str
    frame: str
    stem: str
    template: str
    answer: str
    options: tuple[str, ...] | None
    answer_index: int | None
    value: float | None
    unit: str | None
    margin: float | None
    stability: float | None
    rule_right: bool | None
    twin: str | None
    things: tuple[Thing, ...]
    candidates: tuple[str, ...] = ()
    right: int = -1
    as_camera: bool | None = None
    choices: int = 0

    @property
    def said(self) -> str:
        """The answer in words: of multiple choice the option, not its letter."""
        if self.options is not None and self.answer_index is not None and 0 <= self.answer_index < len(self.options):
            return self.options[self.answer_index]
        return self.answer


def read_items(rows: Iterable[Mapping[str, Any]], sizes: Mapping[str, tuple[int, int]] | None = None) -> list[Item]:
    """Items of rows with `COLUMNS`, sorted by photo and id: the order of the rows changes nothing.

    ``sizes``: width, height of each photo in pixels by id; without it boxes are unknown.
    """
    items = sorted((_item(row, (sizes or {}).get(row["image_id"])) for row in rows), key=_order)
    said: dict[str, set[str]] = {}
    for item in items:
        if item.format == "open":
            said.setdefault(item.form, set()).add(item.answer)
    return [_closed(item, _candidates(item, said)) for item in items]


def _closed(item: Item, candidates: tuple[str, ...]) -> Item:
    among = item.options is not None and candidates == item.options  # options may be alike: the index counts
    right = item.answer_index if among and item.answer_index is not None else candidates.index(item.said)
    return replace(item, candidates=candidates, right=right)


def point_of(text: str) -> tuple[float, float] | None:
    """A marked point "(35, 70)", in percent of the picture, as shares; None for other text."""
    found = _POINT.fullmatch(text.strip())
    return (float(found[1]) / 100, float(found[2]) / 100) if found else None


def number_of(text: str) -> float | None:
    """The one number of an answer such as "2.4 m"; None where there is none or more than one."""
    found = _NUMBER.findall(text)
    return float(found[0]) if len(found) == 1 else None


def _order(item: Item) -> tuple[str, ...]:
    return (item.image_id, item.question_id, item.stem, item.answer)


def _item(row: Mapping[str, Any], size: tuple[int, int] | None) -> Item:
    told = row["evidence"]
    evidence: Mapping[str, Any] = json.loads(told) if isinstance(told, str) else told or {}
    options = row.get("options")
    kind = evidence.get("format") or ("mc" if options else "yesno" if row["answer"] in ("yes", "no") else "open")
    lines = str(row["text"]).split("\n")
    stem = "\n".join(lines[: -len(options)]) if options and len(lines) > len(options) else str(row["text"])
    things = _things(evidence.get("objects") or (), stem, size)
    shortcut = evidence.get("shortcut")
    return Item(
        question_id=row["question_id"],
        image_id=row["image_id"],
        task=row["task"],
        form=evidence.get("form") or row["task"],
        format=kind,
        kind=row["kind"],
        frame=row["frame"],
        stem=stem,
        template=_template(stem, [thing.name for thing in things]),
        answer=row["answer"],
        options=None if options is None else tuple(options),
        answer_index=row.get("answer_index"),
        value=row.get("value"),
        unit=row.get("unit"),
        margin=row.get("margin"),
        stability=row.get("stability"),
        rule_right=None if not shortcut else bool(shortcut["right"]),
        twin=evidence.get("twin"),
        things=things,
        as_camera=as_camera(evidence, row, things),
        choices=1 + len((evidence.get("fact") or {}).get("wrong", ())),
    )


def as_camera(evidence: Mapping[str, Any], row: Mapping[str, Any], things: Sequence[Thing]) -> bool | None:
    """Whether the answer is what the camera sees; None for questions of no other view than the camera's.

    Tasks note what the camera sees, in the words of their answers; `hypothetical` does not, and there it is where the
    asked thing lies from the stand, with the camera's own forward.
    """
    seen, fact = evidence.get("camera_view"), evidence.get("fact")
    if seen is not None and fact:
        return bool(seen == fact["answer"])
    roles = {thing.role: thing.centre for thing in things}
    stand, asked = roles.get("stand"), roles.get("asked")
    if row["task"] != "hypothetical" or stand is None or asked is None or row.get("value") is None:
        return None
    if len(stand) != 3 or len(asked) != 3 or row.get("unit") != "deg":
        return None
    angle = math.degrees(math.atan2(asked[0] - stand[0], asked[2] - stand[2]))
    return abs((angle - float(row["value"]) + 180) % 360 - 180) < 45


def _things(objects: Iterable[Mapping[str, Any]], stem: str, size: tuple[int, int] | None) -> tuple[Thing, ...]:
    """Operands in the order in which the words name them, those not named last by name: never as evidence lists them,
    which may put the answer first."""
    found = []
    for entry in objects:
        box = entry.get("bbox")
        scale = None if size is None or box is None else (*size, *size)
        centre = entry.get("centre")
        found.append(
            Thing(
                str(entry.get("name", "")),
                str(entry.get("role", "")),
                None if scale is None else tuple(float(v) / s for v, s in zip(box, scale)),  # type: ignore[arg-type]
                None if centre is None else tuple(map(float, centre)),
            )
        )
    place = _mentions(stem, [thing.name for thing in found])
    return tuple(sorted(found, key=lambda thing: (place.get(thing.name, len(stem)), thing.name)))


def _mentions(text: str, names: Sequence[str]) -> dict[str, int]:
    """Where each name is said first; longer names first, so that "chair" is not found in "red chair"."""
    place = {}
    for name in sorted({n for n in names if n}, key=lambda n: (-len(n), n)):
        if match := re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text):
            place[name] = match.start()
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", lambda m: "\0" * len(m[0]), text)
    return place


def _template(stem: str, names: Sequence[str]) -> str:
    for name in sorted({n for n in names if n}, key=lambda n: (-len(n), n)):
        stem = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "…", stem)
    listed = re.sub(r"the …(, the …)* or the …", "the … or …", stem) if ": the …" in stem else stem
    return _NUMBER.sub("0", listed)


def _candidates(item: Item, said: Mapping[str, set[str]]) -> tuple[str, ...]:
    """What could be answered, in an order that does not depend on what is right; () where nothing closes the set.

    The answer's own text stands alone where it is not among them, so that `Item.right` always has an index.
    """
    if item.options is not None:
        found = item.options
    elif item.format == "yesno":
        found = ("yes", "no")
    elif item.answer in (names := [thing.name for thing in item.things if thing.role != "anchor"]):
        found = tuple(names)
    elif len(closed := said.get(item.form, ())) <= CLOSED and number_of(item.answer) is None:
        found = tuple(sorted(closed))  # none of answers with steps alone
    else:
        found = ()
    return found if item.said in found else (item.said,)


def effective_number(values: Iterable[str]) -> float:
    """exp of the entropy: how many equally frequent values would be as varied."""
    import numpy as np

    counts = np.array(sorted(Counter(values).values()), np.float64)
    if not len(counts):
        return 0.0
    p = counts / counts.sum()
    return float(np.exp(-(p * np.log(p)).sum()))

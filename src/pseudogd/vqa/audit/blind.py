"""Classifiers that have not seen the photo: one reads the words alone, one knows the boxes in the picture alone.

Both are a conditional logit (see `logit`); here is what each may know.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

import numpy as np

from pseudogd.vqa.audit.answers import excess, grouped
from pseudogd.vqa.audit.family import as_family, p_beyond
from pseudogd.vqa.audit.items import Item, Thing, number_of, point_of
from pseudogd.vqa.audit.limits import Check, Limits, Part, judge, overall
from pseudogd.vqa.audit.logit import Cues, Logit

MOST = 20_000
"""More questions than this tell no more: as many are drawn, by photo."""
SECTORS = 16
FLAT_BY_MEANING = frozenset({"direction.side"})
"""Forms that ask about the picture plane itself: to see that is no shortcut."""
_WORD = re.compile(r"[a-z]+|\d+")
Box = tuple[float, float, float, float]


def text_check(items: Sequence[Item], limits: Limits) -> Check:
    """Accuracy above chance, per form, of a bag of words on question and candidates."""
    parts = _parts(items, text_cues, limits.text, limits)
    return Check(
        "text",
        "Text-only baseline",
        "accuracy above chance of a classifier that reads question and options alone",
        limits.text,
        True,
        tuple(parts),
        "choose wrong options that are as likely to be right elsewhere, or ask fewer questions of this form",
        overall(parts),
    )


def flat_check(items: Sequence[Item], limits: Limits) -> Check:
    """Accuracy above chance, per form, of centres and sizes of the operands' boxes (and of marked points)."""
    parts = _parts([item for item in items if flat_knows(item)], flat_cues, limits.flat, limits)
    return Check(
        "flat",
        "2D-shortcut baseline",
        "accuracy above chance of a classifier that knows the boxes in the picture alone",
        limits.flat,
        True,
        tuple(parts),
        "ask this form where the picture misleads as often as it helps, or ask fewer of it",
        overall(parts),
    )


def flat_knows(item: Item) -> bool:
    """Whether the flat picture is another thing than what is asked about, and something of it is known."""
    known = any(thing.box for thing in item.things) or any(map(point_of, item.candidates))
    return known and item.form not in FLAT_BY_MEANING


def rule_check(items: Sequence[Item], limits: Limits) -> Check:
    """How often the rule of thumb that a task has noted with its questions is right, per form."""
    from pseudogd.vqa.audit.intervals import share_interval

    parts = []
    told = [item for item in items if item.rule_right is not None]
    for form, group in grouped(told, lambda i: i.form).items():
        right = np.array([item.rule_right for item in group], np.float64)
        interval = share_interval(right, [item.image_id for item in group])
        verdict = judge(float(right.mean()), interval, len(group), limits.rule, limits.few, True)
        p = p_beyond(right, 0.0, limits.rule, [item.image_id for item in group])
        parts.append(Part(form, float(right.mean()), interval, len(group), verdict, p=p))
    parts = as_family(parts, limits.few)
    return Check(
        "rule",
        "Rules of thumb",
        "how often the noted rule in the flat picture is right",
        limits.rule,
        True,
        tuple(parts),
        "train with data.balance (the default), which leaves out what such a rule answers too often",
        overall(parts),
    )


def _parts(items: Sequence[Item], cues: Callable[[Item, int], Cues], limit: float, limits: Limits) -> list[Part]:
    closed = _drawn([item for item in items if len(item.candidates) > 1])
    if len({item.image_id for item in closed}) < 2:
        return []
    gain = Logit(closed, cues).answered()[0] - np.array([1 / len(item.candidates) for item in closed])
    parts = []
    for form, group in grouped(closed, lambda i: i.form).items():
        mine = np.array([item.form == form for item in closed])
        value, interval = excess(group, gain[mine].tolist())
        chance = float(np.mean([1 / len(item.candidates) for item in group]))
        verdict = judge(value, interval, len(group), limit, limits.few, True)
        text = f"{100 * (value + chance):.0f} % right, {100 * chance:.0f} % by chance"
        p = p_beyond(gain[mine], chance, limit, [item.image_id for item in group])
        parts.append(Part(form, value, interval, len(group), verdict, text, p))
    return as_family(parts, limits.few)


def _drawn(items: Sequence[Item]) -> list[Item]:
    if len(items) <= MOST:
        return list(items)
    order = sorted(range(len(items)), key=lambda k: (zlib.crc32(items[k].image_id.encode()), k))
    return [items[k] for k in sorted(order[:MOST])]


def text_cues(item: Item, k: int) -> Iterator[tuple[str, float]]:
    """Of candidate k: its words, place, length and rank among numbers, alone and with each word of the question."""
    candidate = item.candidates[k]
    words = _WORD.findall(candidate.lower())
    mine = [*(f"w {word}" for word in words), f"t {candidate.lower()}"]
    if item.options is not None:
        mine.append(f"place {k}")
    lengths = [len(text) for text in item.candidates]
    mine.append(f"longer than {sum(n < lengths[k] for n in lengths)} of {len(lengths)}")
    numbers = [number_of(text) for text in item.candidates]
    if None not in numbers:
        value = float(numbers[k] or 0)
        mine.append(f"rank {sum(float(n or 0) < value for n in numbers)} of {len(numbers)}")
        mine.append(f"size {round(2 * math.log2(value + 0.1))}")
    if point := point_of(candidate):
        mine += [f"x {round(10 * point[0])}", f"y {round(10 * point[1])}"]
    asked = sorted(set(_WORD.findall(item.stem.lower())))
    first = item.stem.find(candidate)
    if first >= 0:
        others = [place for text in item.candidates if text != candidate and (place := item.stem.find(text)) >= 0]
        mine.append(f"said after {sum(place < first for place in others)}")
    for cue in mine:
        yield cue, 1.0
        yield f"{item.form} {cue}", 1.0
        for word in asked:
            yield f"{word} {cue}", 0.5


def flat_cues(item: Item, k: int) -> Iterator[tuple[str, float]]:
    """Of candidate k: what its box, or the boxes of the things asked about, say in the picture."""
    candidate = item.candidates[k]
    context = f"{item.form} {item.format}"
    by_name = {thing.name: thing.box for thing in item.things if thing.box is not None}
    if point := point_of(candidate):
        mine: Box | None = (*point, 0.0, 0.0)
        rivals = [(*p, 0.0, 0.0) for text in item.candidates if (p := point_of(text)) and text != candidate]
    else:
        mine = by_name.get(candidate)
        rivals = [by_name[text] for text in item.candidates if text != candidate and text in by_name]
    if mine is not None:  # the candidate is a thing or a place: against the others, and against what was asked about
        anchors = [thing for thing in item.things if thing.box and thing.name not in item.candidates]
        yield from ((f"{context} {name}", value) for name, value in _against(mine, rivals, anchors))
    else:  # a fixed answer: how the things lie to one another, for this wording and this answer
        context = f"{item.template} {candidate}"
        yield context, 1.0
        yield from ((f"{context} {name}", value) for name, value in _arrangement(item.things))


def _against(mine: Box, rivals: Sequence[Box], anchors: Sequence[Thing]) -> Iterator[tuple[str, float]]:
    measures: dict[str, Callable[[Box], float]] = {
        "bottom": _bottom,
        "area": _area,
        "tall": lambda b: b[3],
        "wide": lambda b: b[2],
        "x": _x,
        "y": _y,
    }
    boxes = [thing.box for thing in anchors if thing.box is not None]
    for number, box in enumerate(boxes):
        measures[f"to {number}"] = _distance_to(_centre(box))
    if len(boxes) > 1:
        middle = np.mean([_centre(box) for box in boxes], axis=0)
        measures["to middle"] = _distance_to((float(middle[0]), float(middle[1])))
    for name, measure in measures.items():
        value, others = measure(mine), [measure(box) for box in rivals]
        yield f"{name} rank {sum(o < value for o in others)} of {len(others) + 1}", 1.0
        yield name, 3.0 * (value - float(np.mean(others))) if others else value


def _arrangement(things: Sequence[Thing]) -> Iterator[tuple[str, float]]:
    boxes = [thing.box for thing in things]
    for (i, a), (j, b) in combinations(enumerate(boxes), 2):
        if a is not None and b is not None:
            dx, dy = _x(b) - _x(a), _y(b) - _y(a)
            yield f"{i}{j} {'right' if dx > 0 else 'left'}", 1.0
            yield f"{i}{j} {'below' if _bottom(b) > _bottom(a) else 'above'}", 1.0
            yield f"{i}{j} middle {'below' if dy > 0 else 'above'}", 1.0
            yield f"{i}{j} {'larger' if _area(b) > _area(a) else 'smaller'}", 1.0
            yield f"{i}{j} {'taller' if b[3] > a[3] else 'shorter'}", 1.0
            yield f"{i}{j} dx", 3.0 * dx
            yield f"{i}{j} dy", 3.0 * (_bottom(b) - _bottom(a))
    if len(boxes) == 3 and all(box is not None for box in boxes):
        for name, turn in _turns([(_x(b), _bottom(b)) for b in boxes if b is not None]):
            yield f"{name} {turn}", 1.0


def _turns(feet: Sequence[tuple[float, float]]) -> Iterator[tuple[str, int]]:
    """Of three places in the picture taken for a map: which way from the first to the third is, facing the second."""
    (sx, sy), (fx, fy), (ax, ay) = feet
    facing, asked = math.atan2(fx - sx, sy - fy), math.atan2(ax - sx, sy - ay)
    yield "turn", round((asked - facing) / (2 * math.pi) * SECTORS) % SECTORS
    yield "asked", round(asked / (2 * math.pi) * SECTORS) % SECTORS


def _x(box: Box) -> float:
    return box[0] + box[2] / 2


def _y(box: Box) -> float:
    return box[1] + box[3] / 2


def _bottom(box: Box) -> float:
    return box[1] + box[3]


def _area(box: Box) -> float:
    return math.sqrt(box[2] * box[3])


def _distance_to(place: tuple[float, float]) -> Callable[[Box], float]:
    return lambda box: math.dist(_centre(box), place)


def _centre(box: Box) -> tuple[float, float]:
    return _x(box), _y(box)

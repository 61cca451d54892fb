"""A question's evidence as marks to draw: operands, places, lines, gazes, and whatever a task lists under ``draw``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pseudogd.reports.drawings import PLAN
from pseudogd.reports.viewer.draw import Canvas, Mark, NotDrawn, Spot, vector
from pseudogd.reports.viewer.words import listed, measure, objects_of
from pseudogd.vqa.phrasing import LETTERS

_STAND, _FACE, _AWAY, _ASKED = ("stand",), ("facing", "face"), ("away", "back"), ("asked", "target")
_QUARTERS = ("hypothetical.facing", "hypothetical.away")


def marks_of(question: Mapping[str, Any], evidence: Mapping[str, Any], canvas: Canvas) -> tuple[list[Mark], list[str]]:
    """All that can be drawn, lowest first, and why the rest of what asks to be drawn is not."""
    marks: list[Mark] = []
    reasons: list[str] = []
    for draw in (_absent_objects, _standing, _lines, _segments, _targets, _fronts, _items, _points):
        found, missed = draw(question, evidence, canvas)
        marks += found
        reasons += missed
    return marks, reasons


Drawn = tuple[list[Mark], list[str]]


def _try(make: Any, *arguments: Any, **more: Any) -> Drawn:
    try:
        return [make(*arguments, **more)], []
    except NotDrawn as reason:
        return [], [str(reason)]


def _absent_objects(question: Mapping[str, Any], evidence: Mapping[str, Any], canvas: Canvas) -> Drawn:
    """Operands that the scene does not hold (any more): the box and the centre that were written down."""
    marks: list[Mark] = []
    for entry in objects_of(evidence):
        name = str(entry.get("name", ""))
        box, centre = vector(entry.get("bbox")), vector(entry.get("centre"))
        if str(entry.get("id")) in canvas.index:
            continue
        if box is not None and len(box) == 4:
            at = [box[0], box[1], box[0] + box[2], box[1] + box[3]]
            item = {"kind": "box", "in": "pixels", "at": [float(edge) for edge in at], "label": name}
            marks += _try(canvas.item, item)[0]
        if centre is not None and len(centre) == 3:
            marks += [{key: mark[key] for key in mark if key != "p"} for mark in _centre(canvas, centre, name)]
    return marks, []


def _centre(canvas: Canvas, centre: Any, name: str) -> list[Mark]:
    return [mark for mark in _try(canvas.mark, "point", [canvas.in_space(centre)], name, t="main")[0] if "g" in mark]


def _lines(question: Mapping[str, Any], evidence: Mapping[str, Any], canvas: Canvas) -> Drawn:
    """What a distance was measured along: the closest parts, two centres, or the ray from the camera."""
    form = str(evidence.get("form", ""))
    centres = [c for c in (vector(entry.get("centre")) for entry in objects_of(evidence)) if c is not None]
    ends = [vector(end) for end in listed(evidence.get("ends"))]
    label = measure(question) if question.get("task") == "distance" else ""
    if len(ends) == 2 and all(end is not None and len(end) == 3 for end in ends):
        spots = [canvas.in_space(end) for end in ends if end is not None]
    elif form == "distance.camera" and len(centres) == 1:
        spots = [canvas.in_space(np.zeros(3)), canvas.in_space(centres[0])]
    elif form in ("distance.centre", "localization.point_between") and len(centres) == 2:
        spots = [canvas.in_space(centre) for centre in centres]
    else:
        return [], []
    return _try(canvas.mark, "segment", spots, label, t="main")


def _segments(question: Mapping[str, Any], evidence: Mapping[str, Any], canvas: Canvas) -> Drawn:
    """``segments``, ``lines``, ``rays`` and ``arrows``: pairs of places, or items with from and to."""
    marks: list[Mark] = []
    reasons: list[str] = []
    for key, kind in (("segments", "segment"), ("lines", "segment"), ("rays", "arrow"), ("arrows", "arrow")):
        for entry in listed(evidence.get(key)):
            item = entry if isinstance(entry, Mapping) else dict(zip(("from", "to"), listed(entry)))
            where = item.get("in") or ("ground" if len(listed(item.get("from"))) == 3 else "picture")
            found, missed = _try(canvas.item, {**item, "kind": kind, "in": where})
            marks += found
            reasons += missed
    return marks, reasons


def _targets(question: Mapping[str, Any], evidence: Mapping[str, Any], canvas: Canvas) -> Drawn:
    """A place on the ground that the right point had to come near."""
    target = vector(evidence.get("target"))
    if target is None or len(target) not in (2, 3):
        return [], []
    return _try(canvas.mark, "point", [canvas.in_space(target)], "target", t="help")


def _fronts(question: Mapping[str, Any], evidence: Mapping[str, Any], canvas: Canvas) -> Drawn:
    """Where an object with a known front looks: ``front`` (a direction) of its entry, from its centre."""
    marks: list[Mark] = []
    for entry in objects_of(evidence):
        centre, front = vector(entry.get("centre")), vector(entry.get("front"))
        if centre is None or front is None or len(centre) != 3 or len(front) not in (2, 3):
            continue
        flat = front[[0, -1]]
        if np.hypot(*flat) > 0:
            end = centre + _arrow_length(canvas) * np.array([flat[0], 0.0, flat[1]]) / np.hypot(*flat)
            spots = [canvas.in_space(centre), canvas.in_space(end)]
            marks += _try(canvas.mark, "arrow", spots, "front", t="main")[0]
    return marks, []


def _standing(question: Mapping[str, Any], evidence: Mapping[str, Any], canvas: Canvas) -> Drawn:
    """Where one stands, which way one faces, and the angle to what is asked about."""
    stand = _role_spot(question, evidence, canvas, _STAND)
    face, away = _role_spot(question, evidence, canvas, _FACE), False
    if face is None:
        face, away = _role_spot(question, evidence, canvas, _AWAY), True
    if stand is None or stand.flat is None:
        return [], []
    if stand.space is not None and canvas.scene.ground is not None:
        stand = canvas.in_space(stand.flat)  # feet are on the floor, wherever the thing's own middle is
    marks, reasons = _try(canvas.mark, "stand", [stand], "", t="main")
    if face is None or face.flat is None or stand.flat is None:
        return marks, reasons
    gaze = face.flat - stand.flat
    length = float(np.hypot(*gaze))
    if length <= 0:
        return marks, reasons
    gaze = gaze / length * (-1 if away else 1)
    reach = min(_arrow_length(canvas), max(0.8 * length, 0.4 * _arrow_length(canvas)))
    tip = _level(canvas, stand, stand.flat + reach * gaze)
    asked = _role_spot(question, evidence, canvas, _ASKED)
    given = any(isinstance(item, Mapping) and item.get("kind") == "arrow" for item in listed(evidence.get("draw")))
    marks = _sectors(evidence, canvas, stand, gaze) + marks
    if asked is not None and asked.flat is not None:
        if not given:
            marks += _try(canvas.mark, "segment", [stand, _level(canvas, stand, asked.flat)], "", t="right", d=1)[0]
        if np.hypot(*(asked.flat - stand.flat)) > 0:
            value = question.get("value")
            angle = f"{abs(value):.0f}°" if question.get("unit") == "deg" and isinstance(value, (int, float)) else ""
            marks += _try(canvas.arc, stand, Spot(flat=stand.flat + reach * gaze), asked, angle, t="right")[0]
    if not given:  # a task that draws its own gaze is not drawn over
        marks += _try(canvas.mark, "arrow", [stand, tip], "", t="main", w=1)[0]
    return marks, reasons


def _sectors(evidence: Mapping[str, Any], canvas: Canvas, stand: Spot, gaze: Any) -> list[Mark]:
    """Borders of equal sectors, the first centred on the gaze (``sectors`` of them); seen from above alone."""
    count = evidence.get("sectors", 4 if evidence.get("form") in _QUARTERS else 0)
    if isinstance(count, bool) or not isinstance(count, int) or not 2 <= count <= 24 or stand.flat is None:
        return []
    reach = (0.36 * PLAN / canvas.plan.unit) if canvas.plan is not None else 0.0
    found: list[Mark] = []
    for k in range(count):
        angle = math.atan2(gaze[0], gaze[1]) + (k + 0.5) * 2 * math.pi / count
        end = stand.flat + reach * np.array([math.sin(angle), math.cos(angle)])
        spots = [Spot(flat=stand.flat), Spot(flat=end)]
        found += _try(canvas.mark, "segment", spots, "", t="help", d=1)[0]
    return found


def _level(canvas: Canvas, stand: Spot, flat: Any) -> Spot:
    """A place on the level of the stand."""
    if stand.space is None:
        return Spot(flat=flat)
    return canvas.in_space(np.array([flat[0], stand.space[1], flat[1]]))


def _arrow_length(canvas: Canvas) -> float:
    return 0.2 * PLAN / canvas.plan.unit if canvas.plan is not None else 0.8 * canvas.scene.unit


def _role_spot(
    question: Mapping[str, Any], evidence: Mapping[str, Any], canvas: Canvas, roles: Sequence[str]
) -> Spot | None:
    """The place of a role: evidence under that key (a place, an id, or {at}), an operand, or a part of the frame."""
    candidates: list[Any] = [evidence.get(role) for role in roles if role != "target"]
    for entry in objects_of(evidence):
        if entry.get("role") in roles:
            candidates += [entry.get("centre"), entry.get("id")]
    for part in str(question.get("frame", "")).split():
        head, colon, tail = part.partition(":")
        if colon and head in roles:
            candidates.append(tail)
    for value in candidates:
        place = value.get("at", value.get("id")) if isinstance(value, Mapping) else value
        if isinstance(place, (str, list)):
            try:
                return canvas.spot(place, "ground")
            except NotDrawn:
                continue
    return None


def _items(question: Mapping[str, Any], evidence: Mapping[str, Any], canvas: Canvas) -> Drawn:
    """What the task itself lists under ``draw``."""
    return canvas.items(evidence["draw"]) if "draw" in evidence else ([], [])


def _points(question: Mapping[str, Any], evidence: Mapping[str, Any], canvas: Canvas) -> Drawn:
    marks: list[Mark] = []
    reasons: list[str] = []
    for letter, right, entry in sorted(lettered(question, evidence), key=lambda point: point[0]):
        place, where = _point_place(entry)
        tone = "main" if right is None else "right" if right else "wrong"
        try:
            spot = canvas.spot(place, where)
            space = vector(entry.get("space")) if isinstance(entry, Mapping) else None
            if space is not None and len(space) == 3:
                spot = Spot(space, space[::2], spot.picture)
            marks.append(canvas.mark("letter", [spot], letter, t=tone))
        except NotDrawn as reason:
            reasons.append(f"point {letter}: {reason}")
    return marks, reasons


def _point_place(entry: Any) -> tuple[Any, str]:
    if not isinstance(entry, Mapping):
        return entry, "picture"
    for key, where in (("percent", "picture"), ("pixel", "pixels"), ("pixels", "pixels"), ("space", "ground")):
        if key in entry:
            return entry[key], where
    return entry.get("at"), str(entry.get("in", "picture"))


def lettered(question: Mapping[str, Any], evidence: Mapping[str, Any]) -> list[tuple[str, bool | None, Any]]:
    """(letter or number, whether it is the right one if that can be told, entry) of marked points as written down."""
    options, found = listed(question.get("options")), []
    for k, entry in enumerate(listed(evidence.get("points"))):
        place = vector(_point_place(entry)[0])
        text = "" if place is None else "(" + ", ".join(f"{number:g}" for number in place) + ")"
        at = options.index(text) if text in options else None
        letter = LETTERS[at] if at is not None and at < len(LETTERS) else str(k + 1)
        if isinstance(entry, Mapping) and isinstance(entry.get("right"), bool):
            right: bool | None = entry["right"]
        elif at is not None:
            right = at == question.get("answer_index")
        elif str(evidence.get("form", "")).startswith("localization."):
            right = k == 0
        else:
            right = None
        letter = str(entry["label"]) if isinstance(entry, Mapping) and at is None and entry.get("label") else letter
        found.append((letter[:8], right, entry))
    return found

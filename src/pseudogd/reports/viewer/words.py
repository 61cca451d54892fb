"""A question's evidence in words and numbers. Whatever is not known by name is still shown, as text."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

_SHOWN = frozenset(
    {
        *("form", "format", "question", "objects", "points", "formula", "scale", "sigma", "shortcut", "teacher"),
        *("seed", "twin", "draw", "margin_unit", "fact"),
    }
)
"""Keys with a place of their own on the page; all others are listed under the evidence."""
_PLACES = frozenset(
    {"ends", "target", "stand", "facing", "face", "away", "back", "segments", "lines", "rays", "arrows"}
)
"""Coordinates, which are no numbers of operands however many they are."""
_MOST_TEXT = 2000


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def objects_of(evidence: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The operands that the evidence names; entries of another shape are left to the list of other evidence."""
    return [entry for entry in listed(evidence.get("objects")) if isinstance(entry, Mapping)]


def measure(question: Mapping[str, Any]) -> str:
    """Value and unit; empty where a question has none."""
    value, unit = question.get("value"), question.get("unit") or ""
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return ""
    said = {"deg": "°", "ratio": " (ratio)", "width": " of the width", "depth": " (relative)", "": ""}
    return f"{value:.3g}{said.get(unit, ' ' + unit)}"


def columns(evidence: Mapping[str, Any], count: int, points: int) -> tuple[list[list[Any]], list[list[Any]], set[str]]:
    """Numbers that come one an object or one a point: rows of [key, text] for each, and the keys that they are from.

    A list that is one or two short of the objects is about those after the first ones (an anchor, two ends).
    """
    by_object: list[list[Any]] = [[] for _ in range(count)]
    by_point: list[list[Any]] = [[] for _ in range(points)]
    used: set[str] = set()
    for key, values in evidence.items():
        if key in _SHOWN or not isinstance(values, list) or key in _PLACES or not all(map(_is_cell, values)):
            continue
        for rows, skip, length in (
            (by_point, 0, points),
            *((by_object, skip, count - skip) for skip in range(3)),
        ):
            if length > 0 and len(values) == length and (length > 1 or skip == 0):
                for row, value in zip(rows[skip:], values):
                    row.append([key, text_of(value)])
                used.add(key)
                break
    return by_object, by_point, used


def _is_cell(value: Any) -> bool:
    return (
        isinstance(value, (int, float, str, type(None)))
        or (isinstance(value, list) and len(value) < 5 and all(isinstance(part, (int, float)) for part in value))
        or (isinstance(value, Mapping) and all(isinstance(part, (int, float, str)) for part in value.values()))
    )


def other(evidence: Mapping[str, Any], used: set[str]) -> list[list[str]]:
    """[key, text] of all evidence that has no place of its own, so that nothing that was written down is hidden."""
    rest = {key: value for key, value in evidence.items() if key not in _SHOWN and key not in used}
    for key in ("objects", "points"):
        value = evidence.get(key)
        kept = objects_of(evidence) if key == "objects" else listed(value)
        if value is not None and kept != value:
            rest[key] = value
    return [[str(key), text_of(value)] for key, value in rest.items()]


def text_of(value: Any) -> str:
    """A number, a text, or anything else as compact JSON; very long ones are cut."""
    if isinstance(value, Mapping) and value and all(isinstance(v, (int, float, str)) for v in value.values()):
        text = ", ".join(f"{key} {text_of(part)}" for key, part in value.items())
    elif isinstance(value, float):
        text = f"{value:.4g}"
    elif isinstance(value, list) and value and all(isinstance(part, (int, float)) for part in value):
        text = ", ".join(text_of(part) for part in value)
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + " …"

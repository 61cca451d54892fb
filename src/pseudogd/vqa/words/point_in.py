"""Which point of the picture is on the thing that meets a condition in space."""

from __future__ import annotations

from pseudogd.vqa.phrasing import Form, meant
from pseudogd.vqa.words.conditions import CONDITIONS, MEANINGS, asked

POINT = (
    "Which point (x, y {units}) is on the one of these that <it>: {list}?",
    "What point (x, y {units}) lies on whichever of these <it>: {list}?",
    "One of these <it>: {list}. Which point (x, y {units}) is on it?",
    "Take whichever <it>: {list}. What point (x, y {units}) lies on it?",
)
TOUCH = (
    "Where (x, y {units}) would you touch the one of these that <it>: {list}?",
    "One of these <it>: {list}. Where (x, y {units}) would you point at it?",
)


def _form(condition: str) -> Form:
    return Form(mc=asked(condition, POINT), open=asked(condition, POINT + TOUCH))


FORMS = meant(
    {f"point_in.{name}": _form(name) for name in CONDITIONS},
    {f"point_in.{name}": meaning for name, meaning in MEANINGS.items()},
)

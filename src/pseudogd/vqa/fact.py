"""A fact is one spatial statement with its measure; a question is a fact in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

STYLES = ("pair", "among", "value", "number", "point")


@dataclass(frozen=True)
class Fact:
    """One true statement about a scene and the false ones to set beside it.

    ``form``: wording key, see `phrasing.FORMS`. ``style`` says what an answer is: one of two names (*pair*), one of
    three or four names (*among*), a fixed key of the form's answers (*value*), a *number* or a *point* as text.
    ``answer`` is right, ``wrong`` holds answers that the guards have shown to be wrong. ``slots`` fill the wording,
    apart from what rendering itself orders. ``value`` in ``unit`` is the measure, by ``formula``; ``margin`` its
    distance from the nearest other answer (see the task for its unit). Facts of one ``twin`` are each other's mirror.
    """

    task: str
    form: str
    kind: str
    frame: str
    operands: tuple[str, ...]
    style: str
    answer: str
    wrong: tuple[str, ...]
    value: float
    unit: str
    margin: float
    formula: str
    slots: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)
    twin: str | None = None


@dataclass(frozen=True)
class Question:
    """One row of the questions stage (``messages`` and ``evidence`` as plain values, JSON on disk).

    ``text`` is the whole prompt, options included; ``options`` and ``answer_index`` are None unless it is multiple
    choice; ``stability`` is None until it has been measured.
    """

    question_id: str
    image_id: str
    path: str
    task: str
    kind: str
    frame: str
    text: str
    answer: str
    options: list[str] | None
    answer_index: int | None
    value: float
    unit: str
    margin: float
    stability: float | None
    evidence: dict[str, Any]
    messages: list[dict[str, Any]]

    def row(self) -> dict[str, Any]:
        """The row as a dict, keys in the order of the columns."""
        return dict(vars(self))


def rounded(value: Any, digits: int = 4) -> Any:
    """Numbers, arrays and nested lists as plain rounded floats: evidence is read by people and hashed by machines."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float):
        return round(value, digits)
    if isinstance(value, (list, tuple)):
        return [rounded(item, digits) for item in value]
    return value

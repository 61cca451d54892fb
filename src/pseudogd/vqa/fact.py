"""A fact is one spatial statement with its measure; a question is a fact in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

STYLES = ("pair", "among", "value", "number", "point")


@dataclass(frozen=True)
class Fact:
    """One true statement about a scene and the false ones to set beside it.

    ``form``: wording key, see `tasks.forms`. ``style`` says what an answer is: one of two names (*pair*), one of
    three or four names (*among*), a fixed key of the form's answers (*value*), a *number* or a *point* as text.
    ``answer`` is right, ``wrong`` holds answers that the guards have shown to be wrong. ``slots`` fill the wording,
    apart from what rendering itself orders. ``value`` in ``unit`` is the measure, by ``formula``; ``margin`` its
    distance from the nearest other answer (see the task for its unit). Facts of one ``twin`` are each other's mirror.
    ``amounts``: where answers are lengths, the metres behind ``answer`` and each of ``wrong``, and ``measures`` those
    behind slots: they are written in other units if somebody wants that.
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
    amounts: tuple[float, ...] = ()
    measures: Mapping[str, float] = field(default_factory=dict)


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
    if type(value) is list:
        return [round(item, digits) if type(item) is float else rounded(item, digits) for item in value]
    if hasattr(value, "tolist"):
        return rounded(value.tolist(), digits)
    if isinstance(value, float):
        return round(value, digits)
    if isinstance(value, (list, tuple)):
        return [rounded(item, digits) for item in value]
    return value


def said(fact: Fact) -> dict[str, Any]:
    """What a fact says beyond the columns and the evidence of its question, so that it can be put in other words."""
    kept: dict[str, Any] = {"style": fact.style, "operands": list(fact.operands), "answer": fact.answer}
    kept["wrong"] = list(fact.wrong)
    if fact.slots:
        kept["slots"] = dict(fact.slots)
    if fact.amounts:
        kept["amounts"] = rounded(list(fact.amounts), 5)
    if fact.measures:
        kept["measures"] = {name: rounded(value, 5) for name, value in fact.measures.items()}
    return kept


def restored(row: Mapping[str, Any], evidence: Mapping[str, Any]) -> Fact:
    """The fact behind a question: ``row`` has its columns, ``evidence`` is that column's JSON, parsed.

    Raises KeyError for questions of an earlier version, whose evidence does not hold ``fact``.
    """
    kept = evidence["fact"]
    own = ("form", "format", "question", "formula", "scale", "teacher", "seed", "twin", "turned_by", "marked", "fact")
    return Fact(
        task=row["task"],
        form=evidence["form"],
        kind=row["kind"],
        frame=row["frame"],
        operands=tuple(kept["operands"]),
        style=kept["style"],
        answer=kept["answer"],
        wrong=tuple(kept["wrong"]),
        value=row["value"],
        unit=row["unit"],
        margin=row["margin"],
        formula=evidence["formula"],
        slots=kept.get("slots", {}),
        evidence={name: value for name, value in evidence.items() if name not in own},
        twin=evidence.get("twin"),
        amounts=tuple(kept.get("amounts", ())),
        measures=kept.get("measures", {}),
    )

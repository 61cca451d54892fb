"""How runs, stages and sub-tasks are called and coloured on the page."""

from __future__ import annotations

_LABELS = {"base": "base", "vqa_only": "VQA only", "joint": "joint"}
_COLOURS = {"base": "#6b7280", "vqa_only": "#c2620a", "joint": "#1d5fd1"}
_SPARE = ("#0f7b6c", "#8b3fb8", "#a11d3f", "#5b6b1f", "#3b4a6b")


def label(arm: str) -> str:
    return _LABELS.get(arm, arm)


def colour(arm: str, index: int = 0) -> str:
    """The arm's own colour, or for an arm with another name the ``index``-th spare one."""
    return _COLOURS.get(arm, _SPARE[index % len(_SPARE)])


def words(name: str) -> str:
    """Geometric_Reasoning -> Geometric reasoning; overall -> Overall."""
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:].lower()

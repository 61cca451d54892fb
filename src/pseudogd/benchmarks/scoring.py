"""Replies → rows of ``items.parquet`` and the numbers of ``summary.json``."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pseudogd.benchmarks.items import LETTERS, Item
from pseudogd.benchmarks.parsing import parse
from pseudogd.benchmarks.priors import baselines
from pseudogd.benchmarks.stats import accuracy_interval, bootstrap_mean

if TYPE_CHECKING:
    import pyarrow as pa

OVERALL = "overall"


def score(item: Item, text: str, reply: str, image_id: str, rule: str, root: Path) -> dict[str, Any]:
    """One row of ``items.parquet``. ``correct`` is by the lenient rule, a reply that cannot be read being wrong."""
    parsed = parse(reply, item.options, rule)
    predicted = None if parsed.lenient is None else LETTERS.index(parsed.lenient)
    return {
        "uid": item.uid,
        "image": item.image.relative_to(root).as_posix(),
        "image_id": image_id,
        "task_type": item.task_type,
        "sub_task_type": item.sub_task_type,
        "question": item.question,
        "options": list(item.options),
        "answer": item.answer,
        "prompt": text,
        "reply": reply,
        "predicted": predicted,
        "strict": parsed.strict,
        "official": parsed.official,
        "correct": predicted == item.answer,
        "correct_strict": parsed.strict == item.answer_letter,
        "correct_official": parsed.official == item.answer_letter,
        "extra": json.dumps(dict(item.extra), ensure_ascii=False, sort_keys=True),
    }


def to_table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows as an Arrow table with a fixed schema: an empty column keeps its type."""
    import pyarrow as pa

    texts = ("uid", "image", "image_id", "task_type", "sub_task_type", "question", "prompt", "reply", "strict")
    types: dict[str, Any] = {name: pa.string() for name in (*texts, "official", "extra")}
    types |= {"options": pa.list_(pa.string()), "answer": pa.int32(), "predicted": pa.int32()}
    types |= {name: pa.bool_() for name in ("correct", "correct_strict", "correct_official")}
    return pa.Table.from_pylist(list(rows), schema=pa.schema([(name, types[name]) for name in rows[0]]))


def summarise(
    rows: Sequence[dict[str, Any]], items: Sequence[Item], rule: str, known: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The numbers of ``summary.json``; accuracies are fractions, intervals take items of one picture together.

    ``accuracy.overall`` is micro (over items), ``accuracy_macro`` the mean over sub-tasks. ``ci95`` is Wilson's with
    the design effect of shared pictures, ``ci95_bootstrap`` the clustered percentile bootstrap. ``accuracy_by_rule``
    scores the same replies by the official rule (with its fallback letter), by that rule with failures wrong, and
    leniently. ``baselines`` are the bench's own where it states them (``known``).
    """
    groups: dict[str, list[dict[str, Any]]] = {OVERALL: list(rows)}
    for name in sorted({row["sub_task_type"] for row in rows}):
        groups[name] = [row for row in rows if row["sub_task_type"] == name]
    accuracy = {name: _mean(group, "correct") for name, group in groups.items()}
    wilson, bootstrap = {}, {}
    for name, group in groups.items():
        right, pictures = [row["correct"] for row in group], [row["image_id"] for row in group]
        wilson[name] = list(accuracy_interval(right, pictures))
        bootstrap[name] = list(bootstrap_mean(right, pictures))
    return {
        "accuracy": accuracy,
        "accuracy_macro": float(np.mean([value for name, value in accuracy.items() if name != OVERALL])),
        "accuracy_by_task_type": _by_task_type(rows),
        "n": {name: len(group) for name, group in groups.items()},
        "ci95": wilson,
        "ci95_bootstrap": bootstrap,
        "accuracy_by_rule": {
            f"official {rule}": {name: _mean(group, "correct_official") for name, group in groups.items()},
            f"official {rule}, failures wrong": {
                name: _mean(group, "correct_strict") for name, group in groups.items()
            },
            "lenient": accuracy,
        },
        "parse_failure_rate": {
            "lenient": float(np.mean([row["predicted"] is None for row in rows])),
            f"official {rule}": float(np.mean([row["strict"] is None for row in rows])),
        },
        "predicted_letters": _letters(row["predicted"] for row in rows),
        "answer_letters": _letters(row["answer"] for row in rows),
        "baselines": known or baselines(items, groups=[row["image_id"] for row in rows]),
    }


def summary_lines(summary: Mapping[str, Any]) -> list[str]:
    """A summary for people: one line per sub-task with interval, chance and majority, then what could not be read."""
    width = max(len(name) for name in summary["n"])
    lines = [
        f"{'':{width}}  {'n':>5}  {'right':>6}  {'95 % interval':>14}  {'random':>6}  {'majority':>8}  {'text only':>9}"
    ]
    for name, n in summary["n"].items():
        low, high = summary["ci95"][name]
        without = [summary["baselines"].get(key, {}).get(name) for key in ("random", "majority_letter", "text_only")]
        chance, letter, text = ("-" if value is None else f"{value:.1%}" for value in without)
        lines.append(
            f"{name:{width}}  {n:5d}  {summary['accuracy'][name]:6.1%}  {f'{low:.1%} - {high:.1%}':>14}  {chance:>6}"
            f"  {letter:>8}  {text:>9}"
        )
    failures = ", ".join(f"{rate:.1%} by the {rule} rule" for rule, rate in summary["parse_failure_rate"].items())
    return [*lines, f"macro average {summary['accuracy_macro']:.1%}; unreadable replies: {failures}"]


def _mean(rows: Sequence[dict[str, Any]], column: str) -> float:
    return float(np.mean([row[column] for row in rows]))


def _by_task_type(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    groups = defaultdict(list)
    for row in rows:
        groups[row["task_type"]].append(row)
    return {name: _mean(group, "correct") for name, group in sorted(groups.items())}


def _letters(indices: Any) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for index in indices:
        counts["none" if index is None else LETTERS[index]] += 1
    return dict(sorted(counts.items()))

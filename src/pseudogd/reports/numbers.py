"""Run summary -> the numbers of ``report.json``. Accuracies and differences are fractions (0.03 = 3 points)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pseudogd.benchmarks.compare import OVERALL, compare
from pseudogd.benchmarks.stats import accuracy_interval
from pseudogd.errors import InputError
from pseudogd.reports.summary import Answered, Arm, RunSummary

_PAIRS = (("joint", "vqa_only"), ("joint", "base"), ("vqa_only", "base"))


def report_numbers(summary: RunSummary) -> dict[str, Any]:
    """The whole of ``report.json``.

    ``arms.NAME.{accuracy,n,ci95}.{overall,SUB_TASK}``,
    ``NAME_minus_NAME.{overall,SUB_TASK}.{delta,ci95,p,mcnemar_p,n}``,
    ``depth_probe.NAME.{abs_rel,delta1}``, ``teacher``, ``questions``, ``seconds``, ``export``, ``seed``, ``versions``.
    The numbers at the top are the main bench's; any further benches stand under ``other_benches``.
    """
    benches = summary.bench_names
    result: dict[str, Any] = {"title": summary.title, "bench": benches[0] if benches else None}
    result |= bench_numbers(summary.arms, benches[0]) if benches else {"arms": {arm.name: {} for arm in summary.arms}}
    if len(benches) > 1:
        result["other_benches"] = {bench: bench_numbers(summary.arms, bench) for bench in benches[1:]}
    result["depth_probe"] = {arm.name: dict(arm.depth_probe) for arm in summary.arms if arm.depth_probe}
    result["teacher"] = dict(summary.teacher)
    result["questions"] = dict(summary.questions)
    result["seconds"] = dict(summary.seconds)
    result["export"] = dict(summary.export)
    result["seed"] = summary.seed
    result["versions"] = dict(summary.versions)
    result["notes"] = list(summary.notes)
    return result


def bench_numbers(arms: Sequence[Arm], bench: str) -> dict[str, Any]:
    """Accuracies of every arm that answered the bench, and the paired differences between them."""
    answered = {arm.name: arm for arm in arms if bench in arm.benches}
    result: dict[str, Any] = {"arms": {name: _arm_numbers(arm, bench) for name, arm in answered.items()}}
    for first, second in _pairs(list(answered)):
        result[f"{first}_minus_{second}"] = difference(answered[first], answered[second], bench)
    return result


def difference(first: Arm, second: Arm, bench: str) -> dict[str, dict[str, Any]]:
    """first - second on the same items, overall and per sub-task; see `pseudogd.benchmarks.compare` for the statistics.

    Raises InputError when the two answered different items.
    """
    mine, other = first.benches[bench], second.benches[bench]
    if {item.uid for item in mine} != {item.uid for item in other}:
        raise InputError(
            f"{first.name} ({len(mine)} items) and {second.name} ({len(other)}) answered different items of {bench}; "
            "evaluate both on the same bench without a limit"
        )
    found = compare([_compared(item) for item in other], [_compared(item) for item in mine])
    for row in found.values():
        row["only_right"] = {first.name: row.pop("only_b"), second.name: row.pop("only_a")}
    return found


def _compared(item: Answered) -> dict[str, Any]:
    kept = ("uid", "question", "answer", "correct", "image_id")
    return {key: getattr(item, key) for key in kept} | {"sub_task_type": item.sub_task}


def _arm_numbers(arm: Arm, bench: str) -> dict[str, Any]:
    rows = arm.benches[bench]
    groups = {OVERALL: list(rows)}
    for name in sorted({item.sub_task for item in rows}):
        groups[name] = [item for item in rows if item.sub_task == name]
    accuracy = {name: float(np.mean([item.correct for item in group])) for name, group in groups.items()}
    return {
        "accuracy": accuracy,
        "n": {name: len(group) for name, group in groups.items()},
        "ci95": {
            name: list(accuracy_interval([item.correct for item in group], [item.image_id for item in group]))
            for name, group in groups.items()
        },
        "accuracy_macro": float(np.mean([value for name, value in accuracy.items() if name != OVERALL])),
        "parse_failures": sum(item.predicted is None for item in rows),
        "baselines": dict(arm.bench_summaries.get(bench, {}).get("baselines") or {}),
    }


def _pairs(names: list[str]) -> list[tuple[str, str]]:
    known = [pair for pair in _PAIRS if set(pair) <= set(names)]
    return known or [(name, names[0]) for name in names[1:]]

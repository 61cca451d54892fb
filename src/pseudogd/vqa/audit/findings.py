"""All checks of a set of questions, and what they are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from pseudogd.vqa.audit.answers import grouped, length_check, letter_check, prior_check, rank_check, yes_check
from pseudogd.vqa.audit.blind import flat_check, rule_check, text_check
from pseudogd.vqa.audit.items import Item
from pseudogd.vqa.audit.limits import Check, Limits
from pseudogd.vqa.audit.wording import (
    contradiction_check,
    repeated_check,
    soundness_check,
    twins_share,
    view_check,
    wording_check,
)

BINS = 12


def guess_checks(items: Sequence[Item], limits: Limits) -> list[Check]:
    """Checks of what can be guessed; those without anything to look at are left out."""
    checks = [
        prior_check(items, limits),
        letter_check(items, limits),
        yes_check(items, limits),
        length_check(items, limits),
        rank_check(items, limits),
        text_check(items, limits),
        flat_check(items, limits),
        rule_check(items, limits),
        view_check(items, limits),
    ]
    return [check for check in checks if check.parts]


def count_checks(items: Sequence[Item], limits: Limits) -> list[Check]:
    """Checks for which all questions are counted."""
    return [
        wording_check(items, limits),
        repeated_check(items, limits),
        contradiction_check(items),
        soundness_check(items),
    ]


def composition(items: Sequence[Item]) -> dict[str, Any]:
    """Counts of tasks, kinds, formats and answers; histograms of margin and stability; share of twins asked."""
    return {
        "questions": len(items),
        "photos": len({item.image_id for item in items}),
        "tasks": _counts([item.task for item in items]),
        "forms": _counts([item.form for item in items]),
        "kinds": _counts([item.kind for item in items]),
        "formats": _counts([item.format for item in items]),
        "twins_asked": twins_share(items),
        "margin": {task: h for task, g in grouped(items, lambda i: i.task).items() if (h := _histogram(g, "margin"))},
        "stability": {
            task: h for task, g in grouped(items, lambda i: i.task).items() if (h := _histogram(g, "stability"))
        },
    }


def _counts(values: Sequence[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _histogram(items: Sequence[Item], name: str) -> dict[str, Any] | None:
    """Counts between evenly spaced edges; what lies beyond the 99 % quantile is counted in the last bin."""
    values = np.array([v for item in items if (v := getattr(item, name)) is not None and np.isfinite(v)], np.float64)
    if not len(values):
        return None
    low, high = float(values.min()), float(np.quantile(values, 0.99))
    edges = np.linspace(low, max(high, low + 1e-6), BINS + 1)
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return {"edges": edges.tolist(), "counts": counts.tolist(), "median": float(np.median(values)), "n": len(values)}

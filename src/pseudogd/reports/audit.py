"""What `pseudogd audit` found -> audit.html and audit.json."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pseudogd.reports.build import json_ready
from pseudogd.reports.page import environment, style
from pseudogd.stages.audit import Audit
from pseudogd.store.shards import write_atomic
from pseudogd.vqa.audit.limits import VERDICTS, Check, Part

PAGE, NUMBERS = "audit.html", "audit.json"
_COUNTS = ("wordings",)
"""Checks whose numbers are no shares."""
_SPAN = 2.0
"""A bar shows so many times the threshold where nothing lies further out."""


def write_audit_page(found: Audit, out: Path) -> Path:
    """Write the page and its numbers into `out`; returns the page's path."""
    text = json.dumps(json_ready(found.to_dict()), ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    write_atomic(out / NUMBERS, text.encode("utf-8"))
    write_atomic(out / PAGE, render_audit_page(found).encode("utf-8"))
    return out / PAGE


def render_audit_page(found: Audit) -> str:
    """The page: no script, no link to anything outside of itself, everything that came from a file escaped."""
    raw = {check.name: check for check in found.raw or ()}
    return (
        environment()
        .get_template("audit.html.j2")
        .render(
            style=style("report.css", "audit.css"),
            title=found.data.resolve().name,
            found=found,
            counts=Counter(check.verdict for check in found.checks),
            cards=[_card(check, raw.get(check.name)) for check in found.checks],
            composition=[(name, found.made_of[name]) for name in ("tasks", "kinds", "formats")],
            histograms=[(name, _bars(found.made_of[name])) for name in ("margin", "stability") if found.made_of[name]],
            twins=found.made_of["twins_asked"],
        )
    )


def _card(check: Check, raw: Check | None) -> dict[str, Any]:
    of_all = {part.name: part for part in raw.parts} if raw else {}
    reach = max([_SPAN * check.threshold, 0.02, *(abs(_end(part)) for part in check.parts)])
    order = sorted(
        check.parts, key=lambda p: (-VERDICTS.index(p.verdict), -p.value if check.at_most else p.value, p.name)
    )
    rows = [_row(check, part, of_all.get(part.name), reach) for part in order]
    return {
        "check": check,
        "sign": "at most" if check.at_most else "at least",
        "threshold": _number(check, check.threshold),
        "mark": 100 * check.threshold / reach,
        "told": [row for row, part in zip(rows, order) if part.verdict != "few"],
        "few": [row for row, part in zip(rows, order) if part.verdict == "few"],
        "raw": raw.verdict if raw else None,
    }


def _row(check: Check, part: Part, raw: Part | None, reach: float) -> dict[str, Any]:
    low, high = part.interval or (part.value, part.value)
    left, right = (100 * min(max(end / reach, 0.0), 1.0) for end in (low, high))
    return {
        "part": part,
        "value": _number(check, part.value),
        "interval": None if part.interval is None else f"{_number(check, low)} to {_number(check, high)}",
        "left": round(left, 2),
        "width": round(right - left, 2),
        "dot": round(100 * min(max(part.value / reach, 0.0), 1.0), 2),
        "raw": None if raw is None else _number(check, raw.value),
    }


def _end(part: Part) -> float:
    return part.interval[1] if part.interval else part.value


def _number(check: Check, value: float) -> str:
    return f"{value:.1f}" if check.name in _COUNTS else f"{100 * value:.1f} %".replace("-", "−")


def _bars(histograms: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "task": task,
            "n": found["n"],
            "median": found["median"],
            "low": found["edges"][0],
            "high": found["edges"][-1],
            "bars": [round(100 * count / max(found["counts"]), 1) for count in found["counts"]],
        }
        for task, found in histograms.items()
    ]

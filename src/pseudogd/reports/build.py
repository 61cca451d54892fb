"""Run folders -> ``report.html`` and ``report.json``."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pseudogd.errors import InputError
from pseudogd.reports.collect import collect
from pseudogd.reports.numbers import report_numbers
from pseudogd.reports.page import render_page
from pseudogd.reports.questions import build_questions_page, is_data_folder
from pseudogd.reports.summary import RunSummary
from pseudogd.store.shards import write_atomic


def build_report(runs: str | Path | Sequence[str | Path], out: str | Path | None = None) -> Path:
    """Write ``report.html`` and ``report.json`` of one run, a folder of runs, or several; returns the page's path.

    Of a single data folder, ``report.html`` shows its questions instead (`questions.build_questions_page`). Written
    into the run's own folder unless ``out`` says otherwise; several runs need ``out``. Raises InputError.
    """
    folders = [runs] if isinstance(runs, (str, Path)) else list(runs)
    if data := [folder for folder in folders if is_data_folder(folder)]:
        if len(folders) > 1:
            raise InputError(f"{data[0]}: is a data folder; report it alone")
        return build_questions_page(data[0], out)
    if out is None and len(folders) != 1:
        raise InputError(f"{len(folders)} runs in one report: say with --out which folder it goes to")
    return write_report(collect(folders), Path(folders[0] if out is None else out))


def write_report(summary: RunSummary, out: Path) -> Path:
    """Write the page and the JSON of a summary into ``out``. Both appear whole or not at all."""
    numbers = json_ready(report_numbers(summary))
    page = render_page(summary, numbers)
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(numbers, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    write_atomic(out / "report.json", text.encode("utf-8"))
    write_atomic(out / "report.html", page.encode("utf-8"))
    return out / "report.html"


def json_ready(value: Any) -> Any:
    """NumPy scalars to Python's; nan and infinities, which JSON does not know, to null."""
    if isinstance(value, dict):
        return {str(key): json_ready(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_ready(entry) for entry in value]
    if hasattr(value, "item") and not isinstance(value, str):
        return json_ready(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

"""Run summary and its numbers -> one self-contained HTML page."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from pseudogd.benchmarks.compare import OVERALL
from pseudogd.progress import format_seconds
from pseudogd.reports.curves import loss_curves
from pseudogd.reports.names import colour, label, words
from pseudogd.reports.pictures import depth_picture, depth_range, file_url, picture_url
from pseudogd.reports.summary import Answered, Arm, Panel, RunSummary

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

QUESTIONS_PER_SUB_TASK = 2
_DEPTH_LABELS = {
    "true": "true depth",
    "teacher": "teacher's depth",
    "base": "before (base)",
    "vqa_only": "after (VQA only)",
    "joint": "after (joint)",
}
_TEMPLATES = Path(__file__).parent / "templates"


def render_page(summary: RunSummary, numbers: Mapping[str, Any]) -> str:
    """The page: no script, no link to anything outside of itself, everything that came from a file escaped."""
    from markupsafe import Markup

    pages = environment()
    pages.filters |= {
        "label": label,
        "words": words,
        "percent": lambda value: f"{100 * value:.1f}",
        "points": points,
        "p_value": p_value,
        "duration": format_seconds,
    }
    main = numbers.get("bench")
    return pages.get_template("report.html.j2").render(
        summary=summary,
        numbers=numbers,
        style=style("report.css"),
        colours={arm.name: colour(arm.name, index) for index, arm in enumerate(summary.arms)},
        tables=[table(numbers, main)] if main else [],
        other_tables=[table(part, name) for name, part in (numbers.get("other_benches") or {}).items()],
        headline=headline(numbers),
        curves=[Markup(figure) for figure in loss_curves(summary.arms)],
        seconds=time_rows(numbers["seconds"]),
        panels=[panel_row(panel) for panel in summary.panels],
        questions=question_cards(summary.arms, main, summary.seed or 0) if main else [],
    )


def environment() -> Environment:
    """Templates of this room; whatever they are given is escaped, and a name they are not given is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def style(*names: str) -> Markup:
    """Style sheets of this room, one after the other."""
    from markupsafe import Markup

    return Markup("\n").join(Markup((_TEMPLATES / name).read_text(encoding="utf-8")) for name in names)


def table(numbers: Mapping[str, Any], bench: str) -> dict[str, Any]:
    """One bench: accuracy rows per sub-task (overall first), and the differences with half the width of their axis."""
    arms = numbers["arms"]
    tasks = list(dict.fromkeys(task for arm in arms.values() for task in arm["accuracy"]))
    differences = [
        {"first": first, "second": second, "rows": rows, "reach": axis_reach(rows)}
        for key, rows in numbers.items()
        for first, found, second in [key.partition("_minus_")]
        if found
    ]
    return {"bench": bench, "arms": arms, "tasks": tasks, "differences": differences}


def axis_reach(rows: Mapping[str, Any]) -> float:
    """Half the width of an axis around zero that shows every interval: a multiple of 5 points."""
    furthest = max(abs(end) for row in rows.values() for end in row["ci95"])
    return max(1, math.ceil(round(furthest / 0.05, 6))) * 0.05


def headline(numbers: Mapping[str, Any]) -> str | None:
    """One sentence that says no more than the interval does."""
    row = (numbers.get("joint_minus_vqa_only") or {}).get(OVERALL)
    if row is None:
        return None
    low, high = row["ci95"]
    interval = f"95 % interval {points(low)} to {points(high)}"
    figures = f"{points(row['delta'])} points ({interval}) on {row['n']:,} held-out questions"
    if low > 0:
        verdict = "Distilling geometry while training beat the same training without it"
    elif high < 0:
        verdict = "Distilling geometry while training did worse than the same training without it"
    else:
        verdict = "This run cannot tell joint training from VQA-only training"
    return f"{verdict}: {figures}."


def question_cards(arms: Sequence[Arm], bench: str, seed: int) -> list[dict[str, Any]]:
    """A few items of each sub-task, drawn by the seed and not by hand, with every arm's answer."""
    answered = {arm.name: {item.uid: item for item in arm.benches[bench]} for arm in arms if bench in arm.benches}
    shared = set.intersection(*(set(items) for items in answered.values()))
    first = next(iter(answered.values()))
    by_task: dict[str, list[Answered]] = {}
    for uid in sorted(shared):
        by_task.setdefault(first[uid].sub_task, []).append(first[uid])
    draw = random.Random(seed)
    cards = []
    for task in sorted(by_task):
        for item in draw.sample(by_task[task], min(QUESTIONS_PER_SUB_TASK, len(by_task[task]))):
            replies = {name: items[item.uid] for name, items in answered.items()}
            cards.append({"item": item, "picture": file_url(item.image) if item.image else None, "replies": replies})
    return cards


def panel_row(panel: Panel) -> dict[str, Any]:
    """A photo and its depth maps on one colour scale, that of the truth where there is one."""
    near, far = depth_range(panel.depths, "true" if "true" in panel.depths else "teacher")
    order = sorted(
        panel.depths, key=lambda name: (list(_DEPTH_LABELS).index(name) if name in _DEPTH_LABELS else 99, name)
    )
    size = panel.photo.shape[1], panel.photo.shape[0]
    maps = [
        (
            _DEPTH_LABELS.get(name, words(name)),
            picture_url(_enlarged(depth_picture(panel.depths[name], near, far), size)),
        )
        for name in order
    ]
    return {
        "name": panel.name,
        "near": near,
        "far": far,
        "maps": [("photo", picture_url(Image.fromarray(panel.photo))), *maps],
    }


def time_rows(seconds: Mapping[str, float]) -> list[tuple[str, float, float]]:
    """(stage, seconds, share of the longest); a total is not a stage."""
    stages = {name: value for name, value in seconds.items() if name != "total" and value is not None}
    longest = max(stages.values(), default=1.0) or 1.0
    return [(name, value, value / longest) for name, value in stages.items()]


def points(fraction: float) -> str:
    """A difference in points with its sign: 0.031 -> +3.1."""
    return f"{100 * fraction:+.1f}".replace("-", "−")


def p_value(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def _enlarged(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A coarse map at the photo's size with its cells left visible: smoothing would show detail that is not there."""
    return picture.resize(size, Image.Resampling.NEAREST) if picture.size != size else picture

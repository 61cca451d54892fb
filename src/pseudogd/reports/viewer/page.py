"""Data folder -> ``view.html``: pictures, drawings and questions in one file that opens offline."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pseudogd.errors import InputError
from pseudogd.reports.asked import objects_asked
from pseudogd.reports.build import json_ready
from pseudogd.reports.drawings import PLAN
from pseudogd.reports.page import environment, style
from pseudogd.reports.viewer import layers
from pseudogd.reports.viewer.photo import failed_data, photo_data
from pseudogd.reports.viewer.sample import Choice, Sample, choose, finished
from pseudogd.store.dataset import Store
from pseudogd.store.shards import write_atomic
from pseudogd.vqa.scene import SceneSettings

PAGE = "view.html"
SCRIPTS = ("viewer_base.js", "viewer_filter.js", "viewer_stage.js", "viewer_panel.js", "viewer_main.js")
MOST_LEDGER = 500
_TEMPLATES = Path(__file__).parents[1] / "templates"


def build_view(
    data: str | Path, out: str | Path | None = None, choice: Choice | None = None, *, side: int = layers.SIDE
) -> Path:
    """Write the page of a data folder, as ``DATA/view.html`` or to ``out`` (a file, or a folder); returns its path.

    Needs the geometry stage alone; objects and questions are shown as far as they have been made. ``side``: longest
    side of the photos on the page. Raises InputError where nothing is there that ``choice`` asks for.
    """
    low, high = layers.SIDES
    if not low <= side <= high:
        raise InputError(f"side={side}: photos on the page are between {low} and {high} pixels long")
    store = Store(data)
    sample = choose(store, choice or Choice())
    target = Path(data) / PAGE if out is None else Path(out)
    if target.is_dir() or (out is not None and target.suffix.lower() not in (".html", ".htm")):
        target = target / PAGE
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(target, render(store, sample, side).encode("utf-8"))
    return target


def render(store: Store, sample: Sample, side: int = layers.SIDE) -> str:
    """The page as text."""
    script = Markup("(() => {{\n'use strict';\n{}}})();\n").format(
        Markup("\n".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in SCRIPTS))
    )
    content = page_data(store, sample, side)
    return (
        environment()
        .get_template("viewer.html.j2")
        .render(
            title=store.root.resolve().name,
            style=style("viewer.css"),
            script=script,
            digest=base64.b64encode(hashlib.sha256(str(script).encode("utf-8")).digest()).decode("ascii"),
            content=script_json(content),
        )
    )


def page_data(store: Store, sample: Sample, side: int) -> dict[str, Any]:
    """All that the page's script reads, as plain values."""
    settings = SceneSettings()
    if finished(store, "questions"):
        settings = SceneSettings(**store.settings("questions")["scene"])
    reasons: dict[str, list[str]] = {}
    for row in sample.ledger:
        reasons.setdefault(row["image"], []).append(f"{row['stage']}: {row['reason']}")
    has_objects = finished(store, "objects")
    photos = [
        photo_data(
            store,
            photo,
            objects_asked(store, photo) if has_objects else [],
            sample.questions.get(photo["image_id"], []),
            settings,
            reasons.get(photo["path"], []),
            side,
        )
        for photo in sample.photos
    ]
    photos += [failed_data(store, path, reasons.get(path, []), side) for path in sample.failed]
    _rank_margins([question for photo in photos for question in photo["questions"]])
    return {
        "title": store.root.resolve().name,
        "plan": PLAN,
        "totals": sample.totals,
        "stages": [stage for stage in ("geometry", "objects", "questions") if finished(store, stage)],
        "ledger": sample.ledger[:MOST_LEDGER],
        "ledgerTotal": len(sample.ledger),
        "answers": answers(photos),
        "legend": layers.scale_colours(),
        "palettes": layers.full_palettes(),
        "photos": photos,
    }


def answers(photos: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    """[what, {answer: count}] of letters and of yes/no on the page: a prior would show here."""
    questions = [question for photo in photos for question in photo["questions"]]
    letters = Counter(question["answer"] for question in questions if "options" in question)
    claims = Counter(question["answer"] for question in questions if question["format"] == "yesno")
    named = (("letters", letters), ("yes/no", claims))
    return [[name, dict(sorted(counted.items()))] for name, counted in named if counted]


def _rank_margins(questions: Sequence[dict[str, Any]]) -> None:
    """``rank``: the share in percent of questions with the same unit of margin that have a smaller margin.

    Margins of different tasks have different units; the place among its own is what can be compared.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for question in questions:
        if isinstance(question.get("margin"), (int, float)):
            groups.setdefault(question.get("marginUnit") or question["task"], []).append(question)
    for group in groups.values():
        ordered = sorted(question["margin"] for question in group)
        first = {margin: place for place, margin in reversed(list(enumerate(ordered)))}
        for question in group:
            question["rank"] = round(100 * first[question["margin"]] / max(len(ordered) - 1, 1))


def script_json(value: Any) -> Markup:
    """JSON that is safe inside a script element: no ``<``, ``>`` or ``&``, and nothing beyond ASCII."""
    text = json.dumps(json_ready(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)

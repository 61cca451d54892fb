"""What `pseudogd calibrate` found -> calibration.html."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pseudogd.reports.margin_curves import ratio_svg, share_svg
from pseudogd.reports.margins import margin_unit
from pseudogd.reports.page import environment, style
from pseudogd.store.shards import write_atomic

PAGE = "calibration.html"
ENOUGH = 30
"""Facts of a form from which a curve is drawn."""


def write_calibration_page(figures: Mapping[str, Any], out: Path) -> Path:
    """Write the page of what calibration.json holds into `out`; returns its path."""
    write_atomic(out / PAGE, render_calibration_page(figures).encode("utf-8"))
    return out / PAGE


def render_calibration_page(figures: Mapping[str, Any]) -> str:
    """The page: no script, no link to anything outside of itself, everything that came from a file escaped."""
    pages = environment()
    pages.filters |= {"percent": percent, "interval": interval}
    bins = figures["depth"].get("by_distance")
    return pages.get_template("calibration.html.j2").render(
        style=style("report.css", "audit.css", "calibration.css"),
        found=figures,
        depth=figures["depth"],
        left_out=figures["left_out"],
        distance=ratio_svg(bins) if bins else None,
        held=held_rows(figures["held_out"]) if "held_out" in figures else None,
        proposed=proposal_rows(figures) if "proposed" in figures else None,
        curves=curve_groups(figures) if "forms" in figures else None,
        ruled=ruled_rows(figures.get("tasks", {})),
    )


def held_rows(held: Mapping[str, Any]) -> dict[str, Any]:
    """The held-out check: rows that tell, on one axis, and the tasks of too few photos."""
    told = {task: row for task, row in {"all": held["all"], **held["tasks"]}.items() if row["verdict"] != "few"}
    lows = [row["held"]["interval"][0] for row in told.values()]
    floor = max(0.0, math.floor(20 * min([held["wanted"] - 0.05, *lows])) / 20)
    span = 1.0 - floor

    def place(value: float) -> float:
        return round(100 * (value - floor) / span, 2)

    rows = []
    for task, row in told.items():
        low, high = row["held"]["interval"]
        where = {"left": place(low), "width": round(place(high) - place(low), 2), "dot": place(row["held"]["share"])}
        rows.append({"task": task, **row, **where})
    few = {task: row for task, row in held["tasks"].items() if row["verdict"] == "few"}
    return {"rows": rows, "few": few, "floor": floor, "mark": place(held["wanted"]), "all": held["all"]}


def proposal_rows(figures: Mapping[str, Any]) -> dict[str, Any]:
    """What is proposed: numbers of the scene, least margins, and the forms that are refused with the reason."""
    proposed, forms = figures["proposed"], figures["forms_with_proposed_depth_sigma"]
    least = [
        {"form": form, "margin": margin, "unit": _unit(figures, form), **_before_and_after(forms.get(form), margin)}
        for form, margin in proposed.get("least_margin", {}).items()
    ]
    without = [
        {"form": form, "now": forms.get(form), "why": _why(forms.get(form))} for form in proposed.get("without", [])
    ]
    few = [{"form": form, "now": forms.get(form)} for form in figures["too_few"]]
    return {"scene": proposed.get("scene", {}), "least": least, "without": without, "few": few}


def curve_groups(figures: Mapping[str, Any]) -> dict[str, Any]:
    """``tasks``: the curves of their forms; ``few``: forms of too few facts for one."""
    least, without = figures["proposed"].get("least_margin", {}), figures["proposed"].get("without", [])
    tasks: dict[str, list[dict[str, Any]]] = {}
    few = []
    for form, now in figures["forms"].items():
        then = figures["forms_with_proposed_depth_sigma"].get(form)
        lines = [
            points if _count(points) >= ENOUGH else () for points in (now["by_margin"], (then or now)["by_margin"])
        ]
        one = {"form": form, "now": now, "then": then}
        if not any(lines):
            few.append(one)
            continue
        svg = share_svg(
            f"right answers of {form} by margin", lines[0], lines[1] if then else (), figures["wanted"], least.get(form)
        )
        more = {"svg": svg, "unit": _unit(figures, form), "chosen": least.get(form), "refused": form in without}
        tasks.setdefault(form.split(".")[0], []).append({**one, **more})
    return {"tasks": tasks, "few": few}


def ruled_rows(tasks: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tasks with a rule of thumb of the flat picture: all facts, and those for which the rule gives a wrong answer."""
    name = "where_the_flat_rule_is_wrong"
    return [{"task": task, "all": share, "wrong": share[name]} for task, share in tasks.items() if name in share]


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def interval(ends: Sequence[float]) -> str:
    return f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f}"


def _before_and_after(form: Mapping[str, Any] | None, margin: float) -> dict[str, Any]:
    """A form's share without its least margin, and that of the first point of its curve from there on."""
    points = [] if form is None else [point for point in form["by_margin"] if point["margin"] >= margin - 1e-9]
    return {"now": form, "then": points[0] if points else None}


def _why(form: Mapping[str, Any] | None) -> str:
    if form is None or not form["count"]:
        return "left out before"
    if form["count"] >= ENOUGH:
        return "at no margin right often enough"
    return "of too few facts for a margin, and surely below what is wanted, alone or with its task's other rare forms"


def _count(points: Sequence[Mapping[str, Any]]) -> int:
    return points[0]["count"] if points else 0


def _unit(figures: Mapping[str, Any], form: str) -> str:
    said = figures["forms"].get(form, {}).get("margin_unit")
    return margin_unit({"form": form, **({"margin_unit": said} if said else {})})

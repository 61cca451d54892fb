"""Compose the picture at the top of the README from a finished demo run.

    python tools/make_picture.py runs/demo --out docs/idea.png

Photo, the teacher's depth of it, a question made from that depth with its evidence seen from above, what a linear probe
reads off the student's vision tower before and after joint training, and the measured accuracies. Every part comes
from the run's own files (panels/*.npz, report.json, teacher_check/, bench/); a part whose files are missing says so in
its place.
"""

from __future__ import annotations

import argparse
import json
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import patches
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pseudogd.errors import InputError
from pseudogd.reports import names
from pseudogd.reports.pictures import depth_picture, depth_range, load_panel
from pseudogd.reports.summary import Panel

ARMS = ("base", "vqa_only", "joint")
INK, MUTED, SIDE = "#1f2937", "#6b7280", 7
ROLE_COLOURS = {"stand": "#0f7b6c", "facing": "#8b3fb8", "away": "#8b3fb8", "asked": "#d9480f"}
ROLE_WORDS = {"stand": "stand here", "facing": "face it", "away": "turn your back to it", "asked": "where is it?"}


@dataclass(frozen=True)
class Asked:
    """A hypothetical question about a panel's photo, with its answer and evidence as the synth stage writes them."""

    text: str
    answer: str
    value: float
    margin: float
    evidence: Mapping[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a finished `pseudogd demo`")
    parser.add_argument("--out", type=Path, default=Path("docs/idea.png"))
    parser.add_argument(
        "--panel", type=int, help="which of panels/*.npz; by default the one with the clearest question"
    )
    parser.add_argument("--dpi", type=int, default=110)
    args = parser.parse_args()
    panels = [load_panel(path) for path in sorted((args.run / "panels").glob("*.npz"))]
    if not panels:
        raise SystemExit(f"{args.run}: no panels/*.npz; finish `pseudogd demo --out {args.run}` first")
    asked = [clearest_question(args.run, panel) for panel in panels]
    chosen = args.panel if args.panel is not None else max(range(len(panels)), key=lambda k: _clearness(asked[k]))
    if not 0 <= chosen < len(panels):
        raise SystemExit(f"--panel {chosen}: there are {len(panels)} panels, counted from 0")
    figure = compose(panels[chosen], asked[chosen], _read(args.run / "report.json"))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out, dpi=args.dpi, facecolor="white", metadata={"Software": None})
    print(f"{args.out}: panel {chosen} of {len(panels)}")


def compose(panel: Panel, asked: Asked | None, report: Mapping[str, Any]) -> Figure:
    """The whole figure."""
    figure = Figure(figsize=(12.4, 7.9))
    grid = figure.add_gridspec(
        2, 3, left=0.02, right=0.985, top=0.955, bottom=0.06, wspace=0.13, hspace=0.36, width_ratios=(1, 1, 1.25)
    )
    axes = [figure.add_subplot(cell) for cell in grid]
    span = depth_range(panel.depths, "teacher")
    draw_photo(axes[0], panel, asked)
    draw_depth(axes[1], panel, "teacher", "2  pseudo depth of a frozen teacher", _teacher_note(report), span)
    draw_question(axes[2], asked)
    for place, (arm, title) in enumerate((("base", "4  student's depth before"), ("joint", "5  after joint training"))):
        draw_depth(axes[3 + place], panel, arm, title, _probe_note(report, arm), span)
    draw_result(axes[5], report)
    for left, right in ((0, 1), (1, 2), (3, 4)):
        _arrow(figure, axes[left], axes[right])
    return figure


def draw_photo(ax: Axes, panel: Panel, asked: Asked | None) -> None:
    ax.imshow(panel.photo, interpolation="lanczos")
    _frame(ax, "1  an ordinary photo", "no depth sensor, no 3D scan")
    for thing in asked.evidence["objects"] if asked else ():
        x, y, width, height = thing["bbox"]
        colour = ROLE_COLOURS.get(thing["role"], INK)
        ax.add_patch(patches.Rectangle((x - 0.5, y - 0.5), width, height, fill=False, lw=2.2, ec=colour))


def draw_depth(ax: Axes, panel: Panel, name: str, title: str, note: str, span: tuple[float, float]) -> None:
    if name not in panel.depths:
        _missing(ax, title, f"this run kept no depth of {name!r}")
        return
    height, width = panel.photo.shape[:2]
    ax.imshow(depth_picture(panel.depths[name], *span), extent=(0, width, height, 0), interpolation="nearest")
    _frame(ax, title, note)


def draw_question(ax: Axes, asked: Asked | None) -> None:
    """The question's objects seen from above, with the angle that is its answer."""
    title = "3  spatial question with its evidence"
    if asked is None:
        _missing(ax, title, "no hypothetical question about this photo")
        return
    things = {thing["role"]: thing for thing in asked.evidence["objects"]}
    places = {role: np.array(thing["centre"])[[0, 2]] for role, thing in things.items()}
    stand, other, target = places["stand"], places.get("facing", places.get("away")), places["asked"]
    forward = (other - stand) * (1 if "facing" in places else -1)
    forward = forward / np.linalg.norm(forward)
    points = np.array([[0.0, 0.0], *places.values()])
    centre, half = (points.min(0) + points.max(0)) / 2, max(0.62 * float(np.ptp(points, axis=0).max()), 0.8)
    _plan(ax, stand, forward, target, half)
    _camera(ax, half)
    for role, place in places.items():
        ax.scatter(*place, s=120, color=ROLE_COLOURS[role], zorder=4, ec="white", lw=1.2)
        below = place[1] < centre[1]
        ax.annotate(
            f"{things[role]['name']}\n{ROLE_WORDS[role]}",
            place,
            xytext=(0, -12 if below else 12),
            textcoords="offset points",
            ha="center",
            va="top" if below else "bottom",
            color=ROLE_COLOURS[role],
            fontsize=8,
            zorder=5,
        )
    height = 1.25 * half
    width = height * _shape(ax)
    ax.set_xlim(centre[0] - width, centre[0] + width)
    ax.set_ylim(centre[1] - height, centre[1] + height)
    sigma = asked.evidence.get("sigma")
    error = "" if sigma is None else f", error {sigma:.0f}°"
    note = f"theta = {asked.value:.0f}° (right is positive), {asked.margin:.0f}° from the sector's edge{error}"
    _frame(ax, title, f"{textwrap.fill(asked.text, 70)}  →  {asked.answer}\n{note}")


def _plan(ax: Axes, stand: np.ndarray, forward: np.ndarray, target: np.ndarray, half: float) -> None:
    """Sector edges around where one stands, the facing arrow, the line to what is asked for, and the angle between."""
    ax.set_facecolor("#f8fafc")
    for turn in (45, 135, 225, 315):
        edge = _turned(forward, math.radians(turn)) * 4 * half
        ax.plot(*zip(stand, stand + edge), color="#cbd5e1", lw=1, ls=(0, (4, 3)), zorder=1)
    head = stand + forward * 0.62 * half
    style = {"arrowstyle": "-|>", "lw": 2.4, "color": ROLE_COLOURS["stand"], "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", head, stand, arrowprops=style, zorder=3)
    ax.plot(*zip(stand, target), color=ROLE_COLOURS["asked"], lw=1.6, zorder=2)
    begin = math.degrees(math.atan2(forward[1], forward[0]))
    end = math.degrees(math.atan2(*(target - stand)[::-1]))
    low, high = (end, begin) if (begin - end) % 360 <= 180 else (begin, end)
    arc = patches.Arc(stand, 0.5 * half, 0.5 * half, theta1=low, theta2=high, color=ROLE_COLOURS["asked"], lw=1.6)
    ax.add_patch(arc)


def _shape(ax: Axes) -> float:
    """Width over height of the axes on paper: a plan must have one scale."""
    _, _, width, height = ax.get_position().bounds
    page_width, page_height = ax.get_figure().get_size_inches()
    return width * page_width / (height * page_height)


def _turned(direction: np.ndarray, angle: float) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([c * direction[0] - s * direction[1], s * direction[0] + c * direction[1]])


def _camera(ax: Axes, half: float) -> None:
    size = 0.07 * half
    ax.add_patch(patches.Polygon([(0, 0), (-size, 2 * size), (size, 2 * size)], closed=True, color=MUTED, zorder=3))
    ax.annotate("camera", (0, 0), xytext=(8, 0), textcoords="offset points", va="center", fontsize=8, color=MUTED)


def draw_result(ax: Axes, report: Mapping[str, Any]) -> None:
    """Accuracies with their intervals, and the paired difference."""
    title, arms = "6  measured on rooms that no model has seen", report.get("arms") or {}
    shown = [arm for arm in ARMS if (arms.get(arm) or {}).get("accuracy")]
    if not shown:
        _missing(ax, title, "report.json holds no accuracies")
        return
    groups = _groups(report, arms[shown[-1]]["accuracy"])
    width = 0.8 / len(shown)
    for index, arm in enumerate(shown):
        values = np.array([100 * arms[arm]["accuracy"].get(group, math.nan) for group in groups])
        ends = np.array([[100 * v for v in arms[arm].get("ci95", {}).get(g, (math.nan, math.nan))] for g in groups])
        places = np.arange(len(groups)) + (index - (len(shown) - 1) / 2) * width
        ax.bar(places, values, width * 0.92, color=names.colour(arm, index), label=names.label(arm))
        spread = np.abs(ends.T - values)
        ax.errorbar(places, values, yerr=np.nan_to_num(spread), fmt="none", ecolor=INK, elinewidth=1, capsize=2)
        for place, value, top in zip(places, values, np.nan_to_num(ends[:, 1], nan=0.0)):
            ax.text(place, max(value, top) + 1.2, f"{value:.0f}", ha="center", va="bottom", fontsize=8, color=INK)
    _chance(ax, arms[shown[-1]], groups)
    ax.set_xticks(range(len(groups)), [_short(group) for group in groups], fontsize=8.5)
    ax.set_ylim(0, 114)
    ax.set_yticks(range(0, 101, 20))
    ax.set_ylabel("accuracy, %", fontsize=8.5, color=MUTED)
    ax.tick_params(axis="y", labelsize=8, colors=MUTED)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(fontsize=8, frameon=False, ncols=len(shown) + 1, loc="upper left", borderaxespad=0.1)
    ax.set_title(f"{title}\n", fontsize=11, color=INK, loc="left", fontweight="bold", pad=1)
    ax.text(0, 1.02, difference_line(report), transform=ax.transAxes, fontsize=8.5, color=MUTED, va="bottom")


def _short(group: str) -> str:
    """A sub-task's name in lines of at most one word, each short enough to stand under its bars."""
    return (
        names.words(group)
        .replace("Localization", "Local-\nization")
        .replace("Hypothetical", "Hypo-\nthetical")
        .replace(" ", "\n")
    )


def _groups(report: Mapping[str, Any], accuracy: Mapping[str, float]) -> Sequence[str]:
    return ["overall", *sorted(name for name in accuracy if name != "overall")][:SIDE]


def _chance(ax: Axes, arm: Mapping[str, Any], groups: Sequence[str]) -> None:
    random = (arm.get("baselines") or {}).get("random") or {}
    for place, group in enumerate(groups):
        if group in random:
            line = [100 * random[group]] * 2
            label = "chance" if place == 0 else None
            ax.plot((place - 0.42, place + 0.42), line, color=INK, lw=1.2, ls=":", zorder=3, label=label)


def difference_line(report: Mapping[str, Any]) -> str:
    """The paired difference in words; empty where the run has none."""
    row = (report.get("joint_minus_vqa_only") or {}).get("overall")
    if not row:
        return ""
    low, high = (100 * value for value in row["ci95"])
    count = f", n = {row['n']:,}" if "n" in row else ""
    seed = "" if report.get("seed") is None else f", seed {report['seed']}"
    return f"joint − VQA only: {100 * row['delta']:+.1f} points [{low:+.1f}, {high:+.1f}]{count}{seed}"


def clearest_question(run: Path, panel: Panel) -> Asked | None:
    """The hypothetical question with the widest margin that the teacher's depth gives about a panel's photo, if any."""
    from pseudogd.objects.coco import CocoSource
    from pseudogd.store.dataset import Store
    from pseudogd.store.photos import load_photo
    from pseudogd.vqa.build import build_scene
    from pseudogd.vqa.settings import SynthSettings
    from pseudogd.vqa.synth import synthesise

    annotations = sorted((run / "bench").glob("*/rooms/annotations.json"))
    try:
        store = Store(run / "teacher_check")
        rows = store.photos().to_pylist()
    except InputError:
        return None
    source = CocoSource(annotations[0]) if annotations else None
    for row in rows:
        if source is None or (row["height"], row["width"]) != panel.photo.shape[:2]:
            continue
        if not np.array_equal(np.asarray(load_photo(store.photo_path(row["image_id"]))), panel.photo):
            continue
        size = (row["width"], row["height"])
        objects = source.objects_for(row["path"], *size)
        scene = build_scene(store.geometry(row["image_id"]), objects, image_id=row["image_id"], size=size)
        wanted = SynthSettings(
            tasks={"hypothetical": 24.0}, formats={"open": 1.0}, wordings="plain", numbers="fixed", fair=False
        )
        found = [
            Asked(question.text, question.answer, question.value, question.margin, question.evidence)
            for question in synthesise(scene, settings=wanted)
        ]
        return max(found, key=_clearness, default=None)
    return None


def _clearness(asked: Asked | None) -> float:
    """Margin in degrees; more where the picture as a map misleads, and where all things are large."""
    if asked is None:
        return -1.0
    turned = not (asked.evidence.get("shortcut") or {}).get("right", True)
    faces = "facing" in {thing["role"] for thing in asked.evidence["objects"]}
    smallest = min(thing["bbox"][2] * thing["bbox"][3] for thing in asked.evidence["objects"])
    return asked.margin + 20.0 * turned + 10.0 * faces + 1.5 * math.sqrt(smallest)


def _probe_note(report: Mapping[str, Any], arm: str) -> str:
    row = (report.get("depth_probe") or {}).get(arm) or {}
    known = ", ".join(
        f"{label} {row[key]:.2f}" for key, label in (("abs_rel", "AbsRel"), ("delta1", "δ1")) if key in row
    )
    return f"linear probe of its vision tower{f': {known}' if known else ''}"


def _teacher_note(report: Mapping[str, Any]) -> str:
    row = report.get("teacher") or {}
    known = ", ".join(
        f"{label} {row[key]:.2f}" for key, label in (("abs_rel", "AbsRel"), ("delta1", "δ1")) if key in row
    )
    return f"bright is near; written to disk once{f'; {known}' if known else ''}"


def _frame(ax: Axes, title: str, note: str) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_color("#cbd5e1")
    ax.set_title(title, fontsize=11, color=INK, loc="left", fontweight="bold", pad=5)
    ax.text(0, -0.025, note, transform=ax.transAxes, fontsize=8.5, color=MUTED, va="top")


def _missing(ax: Axes, title: str, why: str) -> None:
    _frame(ax, title, "")
    ax.text(0.5, 0.5, textwrap.fill(why, 30), transform=ax.transAxes, ha="center", va="center", fontsize=9, color=MUTED)


def _arrow(figure: Figure, left: Axes, right: Axes) -> None:
    """An arrow from one picture to the next, in the gap between what is really drawn."""
    figure.draw_without_rendering()
    (_, y0, x1, y1), start = left.get_position().extents, right.get_position().extents[0]
    middle = (y0 + y1) / 2
    arrow = patches.FancyArrowPatch(
        (x1 + 0.003, middle),
        (start - 0.003, middle),
        transform=figure.transFigure,
        arrowstyle="simple",
        mutation_scale=18,
        lw=0,
        color=MUTED,
    )
    figure.add_artist(arrow)


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SystemExit(f"{path}: cannot be read ({error}); run `pseudogd report` on the run first") from error
    return value if isinstance(value, dict) else {}


if __name__ == "__main__":
    main()

"""Loss curves as inline SVG."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np

from pseudogd.reports.names import colour, label
from pseudogd.reports.summary import Arm


def series(metrics: Sequence[Mapping[str, float]], key: str) -> tuple[np.ndarray, np.ndarray]:
    """(steps, values) of one key of ``metrics.jsonl``, rows without it left out, in order of step."""
    rows = sorted(
        (float(row["step"]), float(row[key])) for row in metrics if "step" in row and _is_number(row.get(key))
    )
    steps = np.array([step for step, _ in rows])
    return steps, np.array([value for _, value in rows])


def smooth(values: np.ndarray, share: float = 0.05) -> np.ndarray:
    """Centred running mean over ``share`` of the curve; windows shrink at the ends, so that no value is made up."""
    half = int(len(values) * share / 2)
    if half == 0:
        return values
    total = np.concatenate([[0.0], np.cumsum(values)])
    left = np.maximum(np.arange(len(values)) - half, 0)
    right = np.minimum(np.arange(len(values)) + half + 1, len(values))
    return (total[right] - total[left]) / (right - left)


def curve_svg(title: str, lines: Mapping[str, tuple[np.ndarray, np.ndarray, str]]) -> str:
    """One small figure, {label: (steps, values, colour)}, as an ``<svg>`` element with real text; deterministic."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": title, "font.family": "sans-serif"}):
        figure = Figure(figsize=(4.7, 2.9), layout="constrained")
        axes = figure.subplots()
        for name, (steps, values, tint) in lines.items():
            axes.plot(steps, values, color=tint, alpha=0.2, linewidth=0.8)
            axes.plot(steps, smooth(values), color=tint, linewidth=1.8, label=name)
        axes.set_title(title, fontsize=11, loc="left")
        axes.set_xlabel("step", fontsize=9)
        axes.tick_params(labelsize=9)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e5e7eb", linewidth=0.8)
        axes.legend(fontsize=9, frameon=False)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def loss_curves(arms: Sequence[Arm]) -> list[str]:
    """The language loss of every trained arm in one figure, the geometry loss and its parts in a second."""
    figures = []
    language = _lines(arms, ("lm_loss", "loss"))
    if language:
        figures.append(curve_svg("Language loss", language))
    geometry = _lines(arms, ("geometry_loss",))
    if geometry:
        figures.append(curve_svg("Geometry loss", geometry))
    return figures


def _lines(arms: Sequence[Arm], keys: Sequence[str]) -> dict[str, tuple[np.ndarray, np.ndarray, str]]:
    lines = {}
    for index, arm in enumerate(arms):
        for key in keys:
            steps, values = series(arm.metrics, key)
            if len(steps) > 1:
                lines[label(arm.name)] = (steps, values, colour(arm.name, index))
                break
    return lines


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and bool(np.isfinite(value))

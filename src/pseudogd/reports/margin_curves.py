"""Curves of a calibration as inline SVG: right answers by margin, told depth by true depth."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

WIDTH, HEIGHT = 260, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 36, 8, 8, 20
_HEADROOM = 0.05
"""Of a share's axis below the wanted share, at least."""

Place = Callable[[float], float]
Point = tuple[float, float]


def share_svg(
    title: str,
    now: Sequence[Mapping[str, Any]],
    then: Sequence[Mapping[str, Any]],
    wanted: float,
    chosen: float | None,
) -> Markup:
    """Share of right answers among facts with at least a margin (points of `vqa.calibration.curve`): ``then`` with its
    interval, ``now`` thin beside it, the ``wanted`` share and the ``chosen`` margin."""
    every = [*now, *then]
    low = min([wanted - _HEADROOM, *(point["share"] for point in every)])
    floor = max(0.0, math.floor(20 * low + 1e-9) / 20)
    margins = [point["margin"] for point in every] + ([] if chosen is None else [chosen])
    x = _scale(min(margins), max(margins), _LEFT, WIDTH - _RIGHT)
    y = _scale(floor, 1.0, HEIGHT - _BOTTOM, _TOP)
    parts = [_line("wanted", [(_LEFT, y(wanted)), (WIDTH - _RIGHT, y(wanted))])]
    if then:
        lower = [(x(p["margin"]), y(max(p["interval"][0], floor))) for p in then]
        upper = [(x(p["margin"]), y(p["interval"][1])) for p in then]
        parts.append(_band([*upper, *reversed(lower)]))
    if now:
        parts.append(_line("now", [(x(p["margin"]), y(p["share"])) for p in now]))
    if then:
        parts.append(_line("then", [(x(p["margin"]), y(p["share"])) for p in then]))
    if chosen is not None:
        parts.append(_line("chosen", [(x(chosen), _TOP), (x(chosen), HEIGHT - _BOTTOM)]))
    ticks = [(y(value), f"{100 * value:.0f} %") for value in (floor, 1.0)]
    if min(wanted - floor, 1.0 - wanted) > 0.15 * (1.0 - floor):
        ticks.append((y(wanted), f"{100 * wanted:.4g} %"))
    return _figure(title, parts, ticks, [(x(end), f"{end:.3g}") for end in (min(margins), max(margins))])


def ratio_svg(bins: Sequence[Mapping[str, Any]]) -> Markup:
    """Told over true depth (median, and 16 to 84 % of pixels) by true depth in metres."""
    ends = [value for bin_ in bins for value in bin_["ratio"]] + [1.0]
    low, high = math.floor(10 * min(ends)) / 10, math.ceil(10 * max(ends)) / 10
    x = _scale(math.log(bins[0]["at"]), math.log(bins[-1]["at"]), _LEFT, WIDTH - _RIGHT)
    y = _scale(low, max(high, low + 0.1), HEIGHT - _BOTTOM, _TOP)
    across = [x(math.log(bin_["at"])) for bin_ in bins]
    lower, middle, upper = ([(u, y(bin_["ratio"][k])) for u, bin_ in zip(across, bins)] for k in range(3))
    parts = [_line("wanted", [(_LEFT, y(1.0)), (WIDTH - _RIGHT, y(1.0))]), _band([*upper, *reversed(lower)])]
    parts += [_line("then", middle), *(_dot(*point) for point in middle)]
    ticks = [(y(value), f"{value:.1f}") for value in (low, 1.0, high) if value == 1.0 or abs(y(value) - y(1.0)) > 10]
    feet = [(x(math.log(bin_["at"])), f"{bin_['at']:.3g} m") for bin_ in (bins[0], bins[-1])]
    return _figure("told depth over true depth, by true depth", parts, ticks, feet)


def _scale(low: float, high: float, start: float, end: float) -> Place:
    span = (high - low) or 1.0
    return lambda value: round(start + (value - low) / span * (end - start), 1)


def _figure(title: str, parts: Sequence[Markup], ticks: Sequence[tuple[float, str]], feet: Sequence[Any]) -> Markup:
    rows = [Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(_LEFT - 4, v + 3.5, s) for v, s in ticks]
    anchors = ("start", "end")
    rows += [
        Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(u, HEIGHT - 6, anchor, said)
        for (u, said), anchor in zip(feet, anchors)
        if anchor == "start" or feet[0] != feet[-1]
    ]
    axis = _line("axis", [(_LEFT, _TOP), (_LEFT, HEIGHT - _BOTTOM), (WIDTH - _RIGHT, HEIGHT - _BOTTOM)])
    return Markup('<svg class="curve" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, title, Markup("").join([axis, *parts, *rows])
    )


def _line(kind: str, points: Sequence[Point]) -> Markup:
    """A line; a lone point is a dot."""
    if len(points) == 1:
        return _dot(*points[0])
    return Markup('<polyline class="{}" points="{}"/>').format(kind, " ".join(f"{u},{v}" for u, v in points))


def _band(points: Sequence[Point]) -> Markup:
    return Markup('<polygon class="band" points="{}"/>').format(" ".join(f"{u},{v}" for u, v in points))


def _dot(u: float, v: float) -> Markup:
    return Markup('<circle class="dot" cx="{}" cy="{}" r="2.5"/>').format(u, v)

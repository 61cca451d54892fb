"""Scenes and evidence as SVG: outlines of things on the photo, and where they stand seen from above.

Two coordinate systems: the *photo's* pixels, and the *plan*, a square of `PLAN` units in which the camera looks up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from pseudogd.vqa.scene import Q50, Scene, SceneObject

PLAN = 240.0
COLOURS = (
    *("#e6194b", "#1f9d3a", "#2f55d4", "#d9780f", "#8e24aa", "#0b8fa6", "#c2187e", "#6b7d0a"),
    *("#8a4b1f", "#128273", "#5b6675", "#b59400", "#5e35b1", "#37474f", "#a3524f", "#3f7fbf"),
)
RIGHT, WRONG, AXIS = "#0f8a4a", "#c0322b", "#1b2330"
_PLAN_DOTS = 1200
_FAR_FACTOR = 1.6

Array = NDArray[np.float64]


def colour_of(index: int) -> str:
    """Colour of a photo's ``index``-th object; the same in all drawings of that photo."""
    return COLOURS[index % len(COLOURS)]


# ---------------------------------------------------------------- on the photo
def outline(thing: SceneObject, size: tuple[int, int]) -> Markup:
    """Outline of a mask as SVG path data in pixels of the photo (width, height); a rectangle for a bare box."""
    if thing.boxes_only:
        x, y, w, h = thing.bbox
        return Markup("M{:.0f} {:.0f}h{:.0f}v{:.0f}h{:.0f}z").format(x, y, w, h, -w)
    from matplotlib.figure import Figure

    height, width = thing.mask.shape
    padded = np.pad(thing.mask, 1).astype(np.float32)
    x = (np.arange(-1, width + 1) + 0.5) * size[0] / width
    y = (np.arange(-1, height + 1) + 0.5) * size[1] / height
    # Without smoothing: half-way between a pixel inside and one outside.
    paths = Figure().subplots().contour(x, y, padded, [0.5]).get_paths()
    loops = [np.asarray(loop) for path in paths for loop in path.to_polygons(closed_only=False)]
    return Markup("").join(_loop(loop) for loop in loops if len(loop) > 3)


def _loop(points: Array) -> Markup:
    whole = np.rint(points).astype(int)
    kept = whole[np.r_[True, (np.diff(whole, axis=0) != 0).any(axis=1)]]
    return Markup("M" + "L".join(f"{x} {y}" for x, y in kept) + "z")


def name_tags(things: Iterable[tuple[SceneObject, str, str]], size: tuple[int, int], letters: float) -> Markup:
    """(thing, text, colour) each at the middle of its mask, moved where one text would cover another or be cut off.

    ``letters``: size of the text as share of the photo's width.
    """
    width, height = size
    letter = letters * width
    taken: list[tuple[float, float, float]] = []
    tags = []
    for thing, text, colour in things:
        half = 0.33 * letter * len(text) + 2
        x = min(max(float(thing.u[Q50]) * width, half), max(width - half, half))
        y = min(max(float(thing.v[Q50]) * height, letter), height - 0.4 * letter)
        for step in (0, 1, -1, 2, -2, 3, -3, 4, -4):
            moved = min(max(y + step * 1.1 * letter, letter), height - 0.4 * letter)
            if all(abs(moved - b) > letter or abs(x - a) > half + h for a, b, h in taken):
                y = moved
                break
        taken.append((x, y, half))
        tags.append(_text(x, y, text, colour, letter))
    return Markup("").join(tags)


def photo_points(points: Iterable[tuple[float, float, str, bool]], size: tuple[int, int]) -> Markup:
    """(x, y, text, is right) in pixels: a disc with a letter each."""
    return Markup("").join(_disc(x, y, text, right, size[0] / 30) for x, y, text, right in points)


def photo_line(start: Array, end: Array, width: int) -> Markup:
    """A line between two places in the photo's pixels."""
    return _line(start, end, AXIS, width / 130, halo=True)


# ---------------------------------------------------------------- from above
class Plan:
    """The photo's space seen from above: x right, z forward, at one scale, with the camera at the lower end."""

    def __init__(self, scene: Scene):
        scene.require("bearing")
        assert scene.points is not None
        self.scene = scene
        flat = scene.points[..., ::2]
        # Things and floor alone would do for the frame; walls give the eye something to hold on to.
        known = flat[np.isfinite(flat).all(axis=-1)].astype(np.float64)
        middles = scene.centres[:, ::2] if len(scene) else np.zeros((0, 2))
        reach = float(np.quantile(known[:, 1], 0.9))
        if len(middles):
            reach = min(max(reach, 1.15 * float(middles[:, 1].max())), _FAR_FACTOR * float(middles[:, 1].max()))
        near = known[known[:, 1] < reach]
        ends = np.quantile(near, [0.02, 0.98], axis=0) if len(near) else np.array([[-1.0, 0.0], [1.0, reach]])
        corners = np.concatenate([ends, middles, [[0.0, 0.0], [0.0, reach]]])
        low, high = corners.min(axis=0), corners.max(axis=0)
        self.unit = 0.86 * PLAN / max(float((high - low).max()), 1e-6)
        self.middle = (low + high) / 2

    def place(self, point: Sequence[float] | Array) -> Array:
        """Plan coordinates of (3,) points (x, y, z) or (2,) places (x, z) of the scene's frame."""
        flat = np.asarray(point, dtype=np.float64)
        flat = flat[..., ::2] if flat.shape[-1] == 3 else flat
        return (flat - self.middle) * self.unit * np.array([1.0, -1.0]) + PLAN / 2

    def ground(self) -> Markup:
        """Dots of everything seen (things in their colours), the camera with its field of view, and a scale."""
        assert self.scene.points is not None
        height, width = self.scene.depth.shape
        step = max(1, int(math.sqrt(height * width / _PLAN_DOTS)))
        flat = self.scene.points[step // 2 :: step, step // 2 :: step, ::2]
        labels = self.scene.labels[step // 2 :: step, step // 2 :: step]
        known = np.isfinite(flat).all(axis=-1)
        parts = [self._view()]
        for label in range(-1, len(self.scene)):
            dots = self.place(flat[known & (labels == label)].astype(np.float64))
            colour = "#b6bec9" if label < 0 else colour_of(label)
            inside = dots[((dots > 0) & (dots < PLAN)).all(axis=1)]
            path = "".join(f"M{x:.0f} {y:.0f}h0" for x, y in inside)
            parts.append(Markup('<path class="dots" d="{}" stroke="{}"/>').format(path, colour))
        return Markup("").join(parts) + self._scale()

    def _view(self) -> Markup:
        camera = self.scene.geometry.camera
        assert camera is not None
        eye = self.place([0.0, 0.0])
        rays = (np.array([0.0, camera.width - 1.0]) - camera.cx) / camera.fx
        # The outer rays lean with the camera, but seen from above they keep left and right.
        lines = [_line(eye, eye + 2 * PLAN * np.array([ray, -1.0]), "#d5dbe3", 1) for ray in rays]
        body = Markup('<path d="M{:.1f} {:.1f}l-5 8h10z" fill="{}"/>').format(eye[0], eye[1] - 2, AXIS)
        return Markup("").join(lines) + body

    def _scale(self) -> Markup:
        """A bar of a round length; in metres only if the depth is."""
        length = 10.0 ** math.floor(math.log10(0.4 * PLAN / self.unit))
        length *= max(f for f in (1, 2, 5) if f * length * self.unit <= 0.4 * PLAN)
        words = f"{length:g} m" if self.scene.supports("metric") else f"{length:g} (no metres)"
        end = np.array([8 + length * self.unit, PLAN - 8])
        return _line(np.array([8.0, PLAN - 8]), end, AXIS, 2) + _text(8, PLAN - 13, words, AXIS, 11, anchor="start")

    def things(self, named: Iterable[tuple[Sequence[float] | Array, str, str]], letter: float) -> Markup:
        """(centre, text, colour): a disc and a text each; ``letter`` is the size of the text in plan units."""
        taken: list[tuple[float, float, float]] = []
        marks = []
        dot = Markup('<circle cx="{:.1f}" cy="{:.1f}" r="4.5" fill="{}" stroke="#fff" stroke-width="1.2"/>')
        for centre, text, colour in named:
            x, y = self.place(centre)
            half = 0.33 * letter * len(text)
            where = min(max(x, half), PLAN - half)
            levels = [min(max(y + step * letter, letter), PLAN - 3) for step in (-0.7, 1.5, -1.8, 2.6, -2.9, 3.7, -4)]
            free = (
                level
                for level in levels
                if all(abs(level - b) > letter or abs(where - a) > half + h for a, b, h in taken)
            )
            level = next(free, levels[0])
            taken.append((where, level, half))
            marks.append(dot.format(x, y, colour) + _text(where, level, text, colour, letter))
        return Markup("").join(marks)

    def line(self, start: Sequence[float] | Array, end: Sequence[float] | Array, colour: str = AXIS) -> Markup:
        return _line(self.place(start), self.place(end), colour, 2)

    def facing(self, stand: Sequence[float], toward: Sequence[float], away: bool, asked: Sequence[float]) -> Markup:
        """Arrow of the gaze at ``stand``, the borders of its four sectors, and a line to what is asked about."""
        at, to, goal = (self.place(point) for point in (stand, toward, asked))
        gaze = to - at
        gaze = gaze / (np.linalg.norm(gaze) or 1.0) * (-1 if away else 1)
        side = np.array([-gaze[1], gaze[0]])
        borders = [
            _line(at, at + 0.36 * PLAN * (gaze * math.cos(a) + side * math.sin(a)), "#8791a0", 1, dashed=True)
            for a in np.radians([45, 135, 225, 315])
        ]
        tip = at + 46 * gaze
        corners = (tip, tip - 11 * gaze + 6 * side, tip - 11 * gaze - 6 * side)
        head = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in corners) + "z"
        arrow = _line(at, tip - 8 * gaze, AXIS, 3) + Markup('<path d="{}" fill="{}"/>').format(head, AXIS)
        return Markup("").join(borders) + _line(at, goal, RIGHT, 1.6) + arrow

    def points(self, points: Sequence[tuple[Sequence[float], str, bool]]) -> Markup:
        """(place, letter, is right) of marked points."""
        places = [(np.clip(self.place(place), 9, PLAN - 9), text, right) for place, text, right in points]
        return Markup("").join(_disc(x, y, text, right, 8) for (x, y), text, right in places)


def _disc(x: float, y: float, text: str, right: bool, radius: float) -> Markup:
    disc = Markup('<circle cx="{:.1f}" cy="{:.1f}" r="{:.1f}" fill="{}" stroke="#fff" stroke-width="{:.1f}"/>')
    colour = RIGHT if right else WRONG
    letter = Markup('<text class="plain" x="{:.1f}" y="{:.1f}" font-size="{:.1f}" text-anchor="middle">{}</text>')
    return disc.format(x, y, radius, colour, 0.15 * radius) + letter.format(x, y + 0.5 * radius, 1.4 * radius, text)


def _line(start: Array, end: Array, colour: str, width: float, *, dashed: bool = False, halo: bool = False) -> Markup:
    ends = Markup('x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"').format(*start, *end)
    line = Markup('<line {} stroke="{}" stroke-width="{:.1f}"{}/>').format(
        ends, colour, width, Markup(' stroke-dasharray="4 4"') if dashed else ""
    )
    under = Markup('<line {} stroke="#fff" stroke-width="{:.1f}"/>').format(ends, 2.2 * width) if halo else Markup("")
    return under + line


def _text(x: float, y: float, text: str, colour: str, size: float, anchor: str = "middle") -> Markup:
    return Markup(
        '<text x="{:.1f}" y="{:.1f}" font-size="{:.1f}" text-anchor="{}" fill="{}" stroke-width="{:.1f}">{}</text>'
    ).format(x, y, size, anchor, colour, 0.28 * size, escape(text))

"""The drawing vocabulary: points, boxes, segments, arrows, polygons, angles and text, on the picture and from above.

A task may put such items under ``draw`` in its evidence (see docs/viewer.md); the viewer's own drawings of the other
evidence are made of the same items. A place is given in the picture or in the scene, and is drawn in both views where
depth, camera and floor allow to carry it over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pseudogd.reports.drawings import PLAN, Plan
from pseudogd.vqa.scene import Scene

SPACES = ("picture", "pixels", "ground")
"""Percent of the picture, as in questions; its pixels; the scene's frame."""
TONES = ("main", "right", "wrong", "help")
MOST_ITEMS, MOST_TEXT = 200, 120
_NEAR = 0.05  # what is nearer than this share of a metre cannot be projected
Vector = NDArray[np.float64]
Mark = dict[str, Any]


class NotDrawn(ValueError):
    """Why an item cannot be drawn, in a few words."""


@dataclass(frozen=True, eq=False)
class Spot:
    """One place: ``space`` (3,) in the scene's frame, ``flat`` (2,) x and z of it, ``picture`` (2,) pixels."""

    space: Vector | None = None
    flat: Vector | None = None
    picture: Vector | None = None


class Canvas:
    """Turns items into marks of one photo: JSON with ``p`` (picture, pixels) and ``g`` (plan) coordinates."""

    def __init__(self, scene: Scene, size: tuple[int, int], plan: Plan | None):
        self.scene, self.size, self.plan = scene, size, plan
        self.index = {thing.object_id: k for k, thing in enumerate(scene.objects)}

    # ------------------------------------------------------------ places
    def spot(self, value: Any, where: str) -> Spot:
        """A place from its coordinates (or the id of an object: its centre). Raises NotDrawn."""
        if isinstance(value, str):
            return self._of_object(value)
        numbers = vector(value)
        if numbers is None or len(numbers) not in ((2, 3) if where == "ground" else (2,)):
            raise NotDrawn(f"{where}: {str(value)[:60]} is no place")
        if where == "ground":
            return self.in_space(numbers)
        if where not in SPACES:
            raise NotDrawn(f"in={where!r} is none of {', '.join(SPACES)}")
        pixels = numbers * np.array(self.size) / 100 if where == "picture" else numbers
        space = self._lifted(pixels)
        return Spot(space, None if space is None else space[::2], pixels)

    def in_space(self, numbers: Vector) -> Spot:
        """A place of the scene's frame: (x, y, z), or (x, z) on the floor."""
        if len(numbers) == 3:
            return Spot(numbers, numbers[::2], self._projected(numbers))
        ground = self.scene.ground
        if ground is None or abs(ground.normal[1]) < 1e-6:
            return Spot(flat=numbers)
        rest = ground.normal[0] * numbers[0] + ground.normal[2] * numbers[1] + ground.offset
        space = np.array([numbers[0], -rest / ground.normal[1], numbers[1]])
        return Spot(space, numbers, self._projected(space))

    def _of_object(self, object_id: str) -> Spot:
        if object_id not in self.index:
            raise NotDrawn(f"no object {object_id[:40]!r} in this photo")
        thing = self.scene.objects[self.index[object_id]]
        if thing.centre is not None:
            return self.in_space(thing.centre)
        x, y, w, h = thing.bbox
        return Spot(picture=np.array([x + w / 2, y + h / 2]))

    def _projected(self, space: Vector) -> Vector | None:
        camera = self.scene.geometry.camera
        if camera is None:
            return None
        seen = space if self.scene.rotation is None else space @ self.scene.rotation
        if seen[2] <= _NEAR * self.scene.unit:
            return None
        return np.asarray(camera.project(seen) + 0.5)  # the middle of the first pixel is half a pixel from the edge

    def _lifted(self, pixels: Vector) -> Vector | None:
        points = self.scene.points
        if points is None:
            return None
        height, width = points.shape[:2]
        column, row = (pixels / np.array(self.size) * (width, height)).astype(int)
        if not (0 <= column < width and 0 <= row < height and np.isfinite(points[row, column]).all()):
            return None
        return points[row, column].astype(np.float64)

    # ------------------------------------------------------------ marks
    def mark(self, kind: str, spots: Sequence[Spot], label: str = "", **more: Any) -> Mark:
        """One mark through these places, in whichever view they all can be placed. Raises NotDrawn if in neither."""
        found: Mark = {"k": kind, **{key: value for key, value in more.items() if value is not None}}
        if label:
            found["l"] = label[:MOST_TEXT]
        is_line = kind in ("segment", "arrow")
        shown = self._clipped(spots) if is_line else spots
        if all(spot.picture is not None for spot in shown):
            places = [spot.picture for spot in shown if spot.picture is not None]
            found["p"] = [_rounded(place) for place in (_inside(places, self.size) if is_line else places)]
        if self.plan is not None and all(spot.flat is not None for spot in spots):
            places = [self.plan.place(spot.flat) for spot in spots if spot.flat is not None]
            found["g"] = [_rounded(place) for place in (_inside(places, (PLAN, PLAN)) if is_line else places)]
        if "p" not in found and "g" not in found:
            raise NotDrawn("neither in the picture nor in the view from above")
        return found

    def _clipped(self, spots: Sequence[Spot]) -> Sequence[Spot]:
        """A line of which one end is behind the camera, cut where it becomes visible."""
        if len(spots) != 2 or any(spot.space is None for spot in spots):
            return spots
        hidden = [spot.picture is None for spot in spots]
        if hidden[0] == hidden[1]:
            return spots
        ends = [np.asarray(spot.space) for spot in spots]
        outside, inside = (0, 1) if hidden[0] else (1, 0)
        turn = np.eye(3) if self.scene.rotation is None else self.scene.rotation
        depths = [float((end @ turn)[2]) for end in ends]
        limit = 2 * _NEAR * self.scene.unit
        if depths[inside] <= limit:
            return spots
        share = (limit - depths[outside]) / (depths[inside] - depths[outside])
        cut = ends[outside] + share * (ends[inside] - ends[outside])
        new = list(spots)
        new[outside] = Spot(cut, cut[::2], self._projected(cut))
        return new

    def arc(self, at: Spot, start: Spot, end: Spot, label: str = "", **more: Any) -> Mark:
        """The angle at a place from one direction to another, the short way round, level through the place."""
        if at.flat is None or start.flat is None or end.flat is None:
            raise NotDrawn("an angle needs three places with depth")
        first, second = start.flat - at.flat, end.flat - at.flat
        reach = 0.45 * min(np.hypot(*first), np.hypot(*second))
        if reach <= 0:
            raise NotDrawn("an angle between places that coincide")
        begin = math.atan2(first[0], first[1])
        turn = (math.atan2(second[0], second[1]) - begin + math.pi) % (2 * math.pi) - math.pi
        bearings = begin + turn * np.linspace(0, 1, max(3, int(abs(turn) / 0.15) + 2))
        flat = at.flat + reach * np.stack([np.sin(bearings), np.cos(bearings)], axis=1)
        spots = [
            Spot(flat=place) if at.space is None else self.in_space(np.array([place[0], at.space[1], place[1]]))
            for place in flat
        ]
        return self.mark("line", spots, label, **more)

    def item(self, entry: Any) -> Mark:
        """The mark of one item of the vocabulary. Raises NotDrawn with the reason."""
        if not isinstance(entry, Mapping):
            raise NotDrawn(f"{str(entry)[:60]} is no item")
        kind = str(entry.get("kind"))
        if kind not in _KINDS:
            raise NotDrawn(f"kind={kind[:40]!r} is none of {', '.join(_KINDS)}")
        where = str(entry.get("in", "picture"))
        if where not in SPACES:
            raise NotDrawn(f"in={where[:40]!r} is none of {', '.join(SPACES)}")
        tone = entry.get("tone", "main")
        more = {"t": tone if tone in TONES else "main", "o": self.index.get(str(entry.get("object")))}
        if entry.get("dashed"):
            more["d"] = 1
        return _KINDS[kind](self, entry, where, str(entry.get("label") or ""), more)

    def items(self, entries: Any) -> tuple[list[Mark], list[str]]:
        """Marks of a list of items, and the reason for each that is not drawn."""
        marks: list[Mark] = []
        reasons: list[str] = []
        for entry in entries if isinstance(entries, list) else [entries]:
            if len(marks) + len(reasons) >= MOST_ITEMS:
                reasons.append(f"more than {MOST_ITEMS} items")
                break
            try:
                marks.append(self.item(entry))
            except NotDrawn as reason:
                reasons.append(str(reason))
        return marks, reasons


# ---------------------------------------------------------------- one function a kind
def _point(canvas: Canvas, entry: Mapping[str, Any], where: str, label: str, more: Mark) -> Mark:
    return canvas.mark("point", [canvas.spot(entry.get("at"), where)], label, **more)


def _text(canvas: Canvas, entry: Mapping[str, Any], where: str, label: str, more: Mark) -> Mark:
    if not label:
        raise NotDrawn("text without a label")
    return canvas.mark("text", [canvas.spot(entry.get("at"), where)], label, **more)


def _ends(canvas: Canvas, entry: Mapping[str, Any], where: str, label: str, more: Mark) -> Mark:
    spots = [canvas.spot(entry.get(key), where) for key in ("from", "to")]
    return canvas.mark(str(entry["kind"]), spots, label, **more)


def _polygon(canvas: Canvas, entry: Mapping[str, Any], where: str, label: str, more: Mark) -> Mark:
    corners = entry.get("at")
    if not isinstance(corners, list) or not 3 <= len(corners) <= MOST_ITEMS:
        raise NotDrawn("a polygon needs three corners or more")
    return canvas.mark("polygon", [canvas.spot(corner, where) for corner in corners], label, **more)


def _box(canvas: Canvas, entry: Mapping[str, Any], where: str, label: str, more: Mark) -> Mark:
    """In the picture [x0, y0, x1, y1]; on the ground a centre, ``size`` [width, depth] and ``yaw`` in degrees."""
    at = vector(entry.get("at"))
    if where != "ground":
        if at is None or len(at) != 4:
            raise NotDrawn("a box in the picture is [x0, y0, x1, y1]")
        if where == "picture":
            at = at * np.array([*canvas.size, *canvas.size]) / 100
        return canvas.mark("polygon", [Spot(picture=np.array(corner)) for corner in _corners(*at)], label, **more)
    size, yaw = vector(entry.get("size")), vector([entry.get("yaw", 0.0)])
    if at is None or len(at) not in (2, 3) or size is None or len(size) not in (2, 3) or yaw is None:
        raise NotDrawn("a box on the ground needs at, size and (0 by default) yaw")
    angle = math.radians(float(yaw[0]))
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    w, d = size[0] / 2, size[-1] / 2
    flat = [at[[0, -1]] + turn @ np.array(corner) for corner in _corners(-w, -d, w, d)]
    places = flat if len(at) == 2 else [np.array([x, at[1], z]) for x, z in flat]
    return canvas.mark("polygon", [canvas.in_space(place) for place in places], label, **more)


def _corners(x0: float, y0: float, x1: float, y1: float) -> list[list[float]]:
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]


def _angle(canvas: Canvas, entry: Mapping[str, Any], where: str, label: str, more: Mark) -> Mark:
    at, start, end = (canvas.spot(entry.get(key), where) for key in ("at", "from", "to"))
    return canvas.arc(at, start, end, label, **more)


_KINDS: dict[str, Callable[[Canvas, Mapping[str, Any], str, str, Mark], Mark]] = {
    "point": _point,
    "box": _box,
    "segment": _ends,
    "arrow": _ends,
    "polygon": _polygon,
    "angle": _angle,
    "text": _text,
}
KINDS = tuple(_KINDS)


def vector(value: Any) -> Vector | None:
    """A list of finite numbers as an array; None for anything else."""
    if not isinstance(value, (list, tuple)) or not value:
        return None
    if any(isinstance(number, bool) or not isinstance(number, (int, float)) for number in value):
        return None
    numbers = np.array(value, dtype=np.float64)
    return numbers if np.isfinite(numbers).all() and (abs(numbers) < 1e7).all() else None


def _inside(ends: Sequence[Vector], size: tuple[float, float]) -> Sequence[Vector]:
    """The part of a line that a drawing shows, so that the head of an arrow is seen (Liang and Barsky, 1984).

    As it is where no part is inside.
    """
    start, step = ends[0], ends[-1] - ends[0]
    first, last = 0.0, 1.0
    for at, by, most in zip(start, step, size):
        if by == 0:
            if not 0 <= at <= most:
                return ends
            continue
        low, high = sorted((-at / by, (most - at) / by))
        first, last = max(first, low), min(last, high)
    return [start + first * step, start + last * step] if first < last else ends


def _rounded(place: Any) -> list[float]:
    return [round(float(number), 1) for number in place]

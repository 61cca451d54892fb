"""Furniture and things as small sets of convex parts, in metres, true to life.

A part is a primitive (box, cylinder, ball, frustum) with a place and a size in the object's own frame: x right,
h up from the surface it stands on, z towards its front. Triangle templates come from trimesh and are made once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

MAIN, SECOND = 0, 1  # colour slots: the named colour of the object, and a neutral one


@dataclass(frozen=True)
class Part:
    """One primitive: `kind`, centre (x, h, z), size (w, h, d) in metres, colour slot."""

    kind: str
    center: tuple[float, float, float]
    size: tuple[float, float, float]
    slot: int = MAIN


@dataclass(frozen=True)
class Kind:
    """A category: `build(w, h, d, rng)` gives parts that fill the box w x h x d standing on h = 0."""

    name: str
    size: tuple[tuple[float, float], tuple[float, float], tuple[float, float]]  # ranges of w, h, d in metres
    build: Callable[..., list[Part]]
    place: str  # "wall" (back to a wall), "floor", or "small" (floor or on top of something)
    top: bool = False  # things may stand on it


@cache
def template(kind: str) -> np.ndarray:
    """Triangles (n, 3, 3) of a unit primitive centred at the origin, axes x, h, z."""
    import trimesh

    if kind == "box":
        mesh = trimesh.creation.box((1, 1, 1))
    elif kind == "ball":
        mesh = trimesh.creation.icosphere(subdivisions=2, radius=0.5)
    else:
        mesh = trimesh.creation.cylinder(radius=0.5, height=1.0, sections=18)
    triangles = np.asarray(mesh.triangles, dtype=np.float32)
    if kind in ("cylinder", "frustum"):
        triangles = triangles[..., [0, 2, 1]]  # trimesh's axis is z, ours is h
    if kind == "frustum":  # narrower at the top
        narrow = np.where(triangles[..., 1:2] > 0, 0.6, 1.0)
        triangles = triangles * np.concatenate([narrow, np.ones_like(narrow), narrow], -1)
    return triangles.astype(np.float32)


def part_triangles(part: Part) -> np.ndarray:
    """Triangles (n, 3, 3) of one part in its object's frame, metres."""
    return template(part.kind) * np.float32(part.size) + np.float32(part.center)


def _legs(w: float, h: float, d: float, t: float, slot: int = SECOND) -> list[Part]:
    x, z = (w - t) / 2, (d - t) / 2
    return [Part("box", (sx * x, h / 2, sz * z), (t, h, t), slot) for sx in (-1, 1) for sz in (-1, 1)]


def chair(w, h, d, rng):
    seat = 0.47 * h / 0.9
    parts = _legs(w, seat, d, 0.05, SECOND)
    parts.append(Part("box", (0, seat, 0), (w, 0.07, d)))
    parts.append(Part("box", (0, (seat + h) / 2, -d / 2 + 0.03), (w, h - seat, 0.06)))
    return parts


def table(w, h, d, rng):
    if rng.random() < 0.3:
        return [
            Part("cylinder", (0, h - 0.03, 0), (w, 0.06, d)),
            Part("cylinder", (0, h / 2, 0), (0.09, h, 0.09), SECOND),
            Part("cylinder", (0, 0.02, 0), (0.5 * w, 0.04, 0.5 * d), SECOND),
        ]
    return [
        *_legs(w, h - 0.04, d, 0.07, SECOND if rng.random() < 0.5 else MAIN),
        Part("box", (0, h - 0.03, 0), (w, 0.06, d)),
    ]


def sofa(w, h, d, rng):
    arm, seat = 0.16, 0.44 * h / 0.85
    return [
        Part("box", (0, seat / 2 + 0.04, 0.04), (w - 2 * arm, seat, d - 0.08)),
        Part("box", (0, h / 2 + 0.04, -d / 2 + 0.11), (w - 2 * arm, h - 0.08, 0.22)),
        Part("box", (-(w - arm) / 2, 0.36 * h + 0.04, 0), (arm, 0.72 * h, d)),
        Part("box", ((w - arm) / 2, 0.36 * h + 0.04, 0), (arm, 0.72 * h, d)),
        Part("box", (0, 0.03, 0), (w - 0.1, 0.06, d - 0.1), SECOND),
    ]


def bed(w, h, d, rng):
    mattress = 0.5 * h
    parts = [
        Part("box", (0, mattress / 2 + 0.03, 0.03), (w, mattress, d - 0.06)),
        Part("box", (0, h / 2, -d / 2 + 0.03), (w, h, 0.06), SECOND),
    ]
    for x in (-0.25, 0.25) if w > 1.2 else (0.0,):
        parts.append(Part("box", (x * w, mattress + 0.07, -d / 2 + 0.3), (0.38 * w, 0.1, 0.32), SECOND))
    return parts


def shelf(w, h, d, rng):
    boards = int(rng.integers(3, 6))
    parts = [Part("box", (s * (w - 0.04) / 2, h / 2, 0), (0.04, h, d)) for s in (-1, 1)]
    parts.append(Part("box", (0, h / 2, -d / 2 + 0.03), (w - 0.02, h - 0.02, 0.02), SECOND))
    parts += [Part("box", (0, 0.03 + i * (h - 0.06) / boards, 0), (w, 0.04, d)) for i in range(boards + 1)]
    return parts


def cabinet(w, h, d, rng):
    parts = [
        Part("box", (0, h / 2 + 0.02, 0), (w, h - 0.04, d)),
        Part("box", (0, 0.03, -0.01), (w - 0.06, 0.06, d - 0.06), SECOND),
    ]
    rows = int(rng.integers(1, 4))
    for i in range(rows):
        y = (i + 0.5) * h / rows
        parts.append(Part("box", (0, y, d / 2 + 0.01), (0.3 * w, 0.03, 0.02), SECOND))
    return parts


def stool(w, h, d, rng):
    if rng.random() < 0.5:
        return [*_legs(0.7 * w, h - 0.03, 0.7 * d, 0.04), Part("cylinder", (0, h - 0.03, 0), (w, 0.06, d))]
    return [Part("cylinder", (0, h / 2, 0), (w, h, d))]


def lamp(w, h, d, rng):
    shade = 0.2 * h
    return [
        Part("cylinder", (0, 0.015, 0), (0.8 * w, 0.03, 0.8 * d), SECOND),
        Part("cylinder", (0, h / 2 - 0.05, 0), (0.04, h - 0.1, 0.04), SECOND),
        Part("frustum", (0, h - shade / 2, 0), (w, shade, d)),
    ]


def box(w, h, d, rng):
    parts = [Part("box", (0, h / 2, 0), (w, h, d))]
    if rng.random() < 0.5:
        parts.append(Part("box", (0, h / 2, 0), (0.18 * w, h + 0.006, d + 0.006), SECOND))
    return parts


def ball(w, h, d, rng):
    return [Part("ball", (0, h / 2, 0), (h, h, h))]


def cup(w, h, d, rng):
    return [Part("cylinder", (0, h / 2, 0), (w, h, w)), Part("box", (0.62 * w, h / 2, 0), (0.3 * w, 0.5 * h, 0.15 * w))]


def vase(w, h, d, rng):
    return [
        Part("ball", (0, 0.36 * h, 0), (w, 0.72 * h, w)),
        Part("cylinder", (0, 0.8 * h, 0), (0.5 * w, 0.4 * h, 0.5 * w)),
    ]


def plant(w, h, d, rng):
    """The pot carries the named colour; the leaves are always a leaf green (drawn by the renderer's slot 2)."""
    pot = 0.35 * h
    parts = [Part("frustum", (0, pot / 2, 0), (0.62 * w, -pot, 0.62 * d))]
    for _ in range(7):
        x, z = rng.uniform(-0.27, 0.27, 2)
        parts.append(
            Part(
                "ball",
                (x * w, pot + rng.uniform(0.15, 0.85) * (h - pot) * 0.8, z * d),
                (0.45 * w, 0.3 * h, 0.45 * d),
                2,
            )
        )
    return parts


def bin_(w, h, d, rng):
    return [
        Part("frustum", (0, h / 2, 0), (w, -h, d)),
        Part("cylinder", (0, h - 0.01, 0), (0.9 * w, 0.03, 0.9 * d), SECOND),
    ]


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("chair", ((0.40, 0.52), (0.80, 1.00), (0.42, 0.52)), chair, "floor"),
        Kind("table", ((0.80, 1.50), (0.70, 0.77), (0.70, 0.95)), table, "floor", top=True),
        Kind("sofa", ((1.40, 2.10), (0.75, 0.92), (0.80, 0.98)), sofa, "wall"),
        Kind("bed", ((0.90, 1.60), (0.75, 1.00), (1.90, 2.10)), bed, "wall"),
        Kind("shelf", ((0.60, 1.00), (1.20, 2.00), (0.28, 0.40)), shelf, "wall"),
        Kind("cabinet", ((0.60, 1.20), (0.70, 1.10), (0.40, 0.55)), cabinet, "wall", top=True),
        Kind("stool", ((0.32, 0.44), (0.42, 0.65), (0.32, 0.44)), stool, "floor", top=True),
        Kind("lamp", ((0.30, 0.45), (1.30, 1.75), (0.30, 0.45)), lamp, "floor"),
        Kind("box", ((0.25, 0.60), (0.20, 0.50), (0.25, 0.50)), box, "small"),
        Kind("ball", ((0.20, 0.45), (0.20, 0.45), (0.20, 0.45)), ball, "small"),
        Kind("cup", ((0.08, 0.11), (0.09, 0.14), (0.08, 0.11)), cup, "small"),
        Kind("vase", ((0.14, 0.26), (0.25, 0.45), (0.14, 0.26)), vase, "small"),
        Kind("plant", ((0.35, 0.65), (0.50, 1.20), (0.35, 0.65)), plant, "floor"),
        Kind("bin", ((0.25, 0.40), (0.30, 0.60), (0.25, 0.40)), bin_, "floor"),
    )
}

"""One room: walls, a camera and 3-8 uniquely named objects that rest on the floor or on each other.

World frame: x right, y DOWN along gravity, z forward, floor at y = 0 (so heights are -y). `Split` holds the ranges of
a distribution; the ranges of `train` and `held_out` do not overlap wherever a number can be told apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pseudogd.world import textures
from pseudogd.world.shapes import KINDS, Kind, Part, part_triangles


@dataclass(frozen=True)
class Split:
    """Ranges of one distribution. A tuple of pairs is a union of intervals."""

    name: str
    textures: tuple[str, ...]
    held_out: bool
    fov: tuple[tuple[float, float], ...]  # horizontal field of view, degrees
    height: tuple[tuple[float, float], ...]  # camera above the floor, metres
    size: tuple[tuple[float, float], ...]  # factor on the size of every object
    room: tuple[tuple[float, float], ...]  # side of the room, metres
    wall_bias: float  # chance that a piece of furniture of the "wall" kind stands at a wall
    stack: float  # chance that a small thing stands on another


TRAIN = Split(
    "train", textures.TRAIN, False,
    fov=((45, 51), (56, 62), (68, 74)), height=((0.9, 1.15), (1.35, 1.55), (1.7, 1.8)),
    size=((0.93, 1.0), (1.04, 1.08)), room=((3.4, 4.4), (5.0, 5.8)), wall_bias=0.8, stack=0.5,
)  # fmt: skip
HELD_OUT = Split(
    "held_out", textures.HELD_OUT, True,
    fov=((51, 56), (62, 68), (74, 80)), height=((1.15, 1.35), (1.55, 1.7)),
    size=((0.89, 0.93), (1.0, 1.04)), room=((4.4, 5.0), (5.8, 6.4)), wall_bias=0.35, stack=0.7,
)  # fmt: skip
SPLITS = {"train": TRAIN, "held_out": HELD_OUT}


@dataclass
class Pose:
    """Camera in the world: rotation (3, 3), rows are the camera's axes; position (3,); field of view in radians."""

    rotation: np.ndarray
    position: np.ndarray
    fov_x: float


@dataclass
class Thing:
    """A placed object. `yaw` turns its frame about the vertical: front = (sin yaw, 0, cos yaw) in the world."""

    kind: Kind
    color: str
    rgb: np.ndarray
    neutral: np.ndarray
    size: tuple[float, float, float]
    parts: list[Part]
    x: float = 0.0
    z: float = 0.0
    bottom: float = 0.0
    yaw: float = 0.0
    texture: tuple[str, float, float] = ("plain", 0.5, 0.05)
    seed: np.ndarray = field(default_factory=lambda: np.zeros(8))

    @property
    def name(self) -> str:
        return f"{self.color} {self.kind.name}"

    def corners(self, margin: float = 0.0) -> np.ndarray:
        """(4, 2) footprint in the world's x, z."""
        w, d = self.size[0] / 2 + margin, self.size[2] / 2 + margin
        local = np.array([(-w, -d), (w, -d), (w, d), (-w, d)])
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        return np.stack([c * local[:, 0] + s * local[:, 1] + self.x, -s * local[:, 0] + c * local[:, 1] + self.z], -1)

    def triangles(self) -> tuple[np.ndarray, np.ndarray]:
        """World triangles (n, 3, 3) and the colour slot of each (n,)."""
        local = [part_triangles(part) for part in self.parts]
        slots = np.concatenate([np.full(len(t), p.slot, np.int32) for t, p in zip(local, self.parts)])
        t = np.concatenate(local)
        c, s = np.float32(np.cos(self.yaw)), np.float32(np.sin(self.yaw))
        x = c * t[..., 0] + s * t[..., 2] + np.float32(self.x)
        z = -s * t[..., 0] + c * t[..., 2] + np.float32(self.z)
        return np.stack([x, -(t[..., 1] + np.float32(self.bottom)), z], -1), slots


@dataclass
class Surface:
    """Colour and pattern of the floor, the ceiling or a wall."""

    rgb: np.ndarray
    texture: tuple[str, float, float]  # kind, scale in metres, contrast
    seed: np.ndarray


@dataclass
class Room:
    """All that a renderer needs. `half` = half width and half depth, centred at the origin in x, z."""

    half: tuple[float, float]
    height: float
    pose: Pose
    things: list[Thing]
    surfaces: list[Surface]  # floor, ceiling, then walls at -x, +x, -z, +z
    light: np.ndarray  # (3,) position
    ambient: float


def within(rng: np.random.Generator, ranges: tuple[tuple[float, float], ...]) -> float:
    """Uniform over a union of intervals."""
    widths = np.array([b - a for a, b in ranges])
    a, b = ranges[rng.choice(len(ranges), p=widths / widths.sum())]
    return float(rng.uniform(a, b))


def look(rng: np.random.Generator, split: Split, half: tuple[float, float]) -> Pose:
    """A camera near the back of the room, held at 0.9-1.8 m, looking in with some pitch and slight roll."""
    height = within(rng, split.height)
    position = np.array([rng.uniform(-0.5, 0.5) * half[0], -height, -half[1] + rng.uniform(0.15, 0.5)])
    target = np.array([rng.uniform(-0.35, 0.35) * half[0], 0.0, rng.uniform(-0.1, 0.6) * half[1]])
    yaw = np.arctan2(target[0] - position[0], target[2] - position[2])
    pitch = np.radians(rng.uniform(4, 13) + 9 * (height - 0.9))  # downwards: the higher, the more
    roll = np.radians(rng.normal(0, 1.2))
    z = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    x = np.cross((0.0, 1.0, 0.0), z)
    x /= np.linalg.norm(x)
    y = np.cross(z, x)
    c, s = np.cos(roll), np.sin(roll)
    return Pose(np.stack([c * x + s * y, -s * x + c * y, z]), position, np.radians(within(rng, split.fov)))


def _overlap(a: np.ndarray, b: np.ndarray) -> bool:
    """Do two convex quadrilaterals (4, 2) overlap? Separating axes."""
    for quad in (a, b):
        edges = np.roll(quad, -1, 0)[:2] - quad[:2]
        for axis in np.stack([-edges[:, 1], edges[:, 0]], -1):
            pa, pb = a @ axis, b @ axis
            if pa.max() <= pb.min() or pb.max() <= pa.min():
                return False
    return True


def make_thing(rng: np.random.Generator, split: Split, kind: Kind, color: str) -> Thing:
    factor = within(rng, split.size)
    w, h, d = (rng.uniform(a, b) * factor for a, b in kind.size)
    if kind.name == "ball":
        w = d = h
    if kind.name in ("cup", "vase", "lamp", "stool", "bin", "plant"):
        d = w
    wood = np.array((0.42, 0.26, 0.13)) if rng.random() < 0.5 else np.full(3, rng.choice((0.08, 0.75)))
    texture = (str(rng.choice(split.textures)), float(rng.uniform(0.08, 0.4)), float(rng.uniform(0.02, 0.12)))
    return Thing(
        kind, color, textures.shade(color, rng, split.held_out), wood, (w, h, d), kind.build(w, h, d, rng),
        texture=texture, seed=rng.random(8),
    )  # fmt: skip


def _place_on_floor(rng, split: Split, thing: Thing, room_half, pose: Pose) -> None:
    """Draw a pose in the camera's wedge; pieces of the wall kind mostly stand with their back to a wall."""
    hx, hz = room_half
    w, d = thing.size[0], thing.size[2]
    if thing.kind.place == "wall" and rng.random() < split.wall_bias:
        side = rng.choice(("far", "left", "right"), p=(0.5, 0.25, 0.25))
        gap = d / 2 + rng.uniform(0.02, 0.12)
        if side == "far":
            thing.x, thing.z, thing.yaw = rng.uniform(-hx + w / 2, hx - w / 2), hz - gap, np.pi
        else:
            s = -1 if side == "left" else 1
            thing.x, thing.z, thing.yaw = s * (hx - gap), rng.uniform(-0.2 * hz, hz - w / 2), -s * np.pi / 2
        thing.yaw += rng.normal(0, 0.03)
        return
    forward, right = pose.rotation[2][[0, 2]], pose.rotation[0][[0, 2]]
    distance = rng.uniform(1.2, 2 * hz)
    lateral = rng.uniform(-0.85, 0.85) * distance * np.tan(pose.fov_x / 2)
    thing.x, thing.z = pose.position[[0, 2]] + forward / np.linalg.norm(forward) * distance + right * lateral
    thing.yaw = rng.uniform(-np.pi, np.pi)


def _fits(thing: Thing, placed: list[Thing], room_half, pose: Pose) -> bool:
    corners = thing.corners(0.01)
    if (np.abs(corners) > np.array(room_half) - 0.01).any():
        return False
    if np.hypot(*(corners.mean(0) - pose.position[[0, 2]])) < 0.9 + max(thing.size[0], thing.size[2]) / 2:
        return False
    grown = thing.corners(0.05)
    return not any(_overlap(grown, other.corners()) for other in placed if other.bottom == 0)


def _place_on_top(rng, thing: Thing, placed: list[Thing]) -> bool:
    """Stand a small thing on a table, cabinet or stool, clear of what is already there."""
    supports = [
        t for t in placed if t.kind.top and t.size[0] > thing.size[0] + 0.04 and t.size[2] > thing.size[2] + 0.04
    ]
    for support in rng.permutation(np.array(supports, dtype=object)) if supports else []:
        a = (support.size[0] - thing.size[0]) / 2 * 0.8
        b = (support.size[2] - thing.size[2]) / 2 * 0.8
        u, v = rng.uniform(-a, a), rng.uniform(-b, b)
        c, s = np.cos(support.yaw), np.sin(support.yaw)
        thing.x, thing.z = support.x + c * u + s * v, support.z - s * u + c * v
        thing.bottom, thing.yaw = support.bottom + support.size[1], rng.uniform(-np.pi, np.pi)
        mine = thing.corners(0.02)
        if not any(o.bottom == thing.bottom and _overlap(mine, o.corners()) for o in placed):
            return True
    thing.bottom = 0.0
    return False


def _surfaces(rng: np.random.Generator, split: Split) -> list[Surface]:
    """Muted floor, ceiling and walls: strong colours are left to the things with names."""
    floor_tone = rng.uniform(0.25, 0.62) * np.array((1.0, rng.uniform(0.75, 1.0), rng.uniform(0.5, 1.0)))
    wall_tone = rng.uniform(0.5, 0.85) * (1 + rng.uniform(-0.13, 0.13, 3))
    rug = str(rng.choice(split.textures))
    floor = Surface(floor_tone, (rug, float(rng.uniform(0.25, 0.7)), float(rng.uniform(0.05, 0.25))), rng.random(8))
    ceiling = Surface(np.full(3, 0.85), ("plain", 1.0, 0.02), rng.random(8))
    wall = (str(rng.choice(split.textures)), float(rng.uniform(0.2, 0.8)), float(rng.uniform(0.01, 0.09)))
    walls = [Surface(wall_tone * rng.uniform(0.92, 1.08), wall, rng.random(8)) for _ in range(4)]
    return [floor, ceiling, *walls]


def make_room(rng: np.random.Generator, split: Split) -> Room:
    """Draw one room. Same generator state, same room."""
    half = (within(rng, split.room) / 2, within(rng, split.room) / 2)
    height = float(rng.uniform(2.4, 3.0))
    pose = look(rng, split, half)
    wanted = int(rng.integers(4, 9))
    kinds = rng.choice(np.array(list(KINDS)), size=wanted, p=_shares())
    colors = rng.choice(np.array(list(textures.COLORS)), size=wanted)
    placed: list[Thing] = []
    used: set[tuple[str, str]] = set()
    order = sorted(range(wanted), key=lambda i: -np.prod([b for _, b in KINDS[kinds[i]].size]))  # large ones first
    for i in order:
        if (kinds[i], colors[i]) in used:
            continue
        thing = make_thing(rng, split, KINDS[kinds[i]], str(colors[i]))
        if thing.kind.place == "small" and rng.random() < split.stack and _place_on_top(rng, thing, placed):
            ok = True
        else:
            for _ in range(12):
                _place_on_floor(rng, split, thing, half, pose)
                if ok := _fits(thing, placed, half, pose):
                    break
        if ok:
            placed.append(thing)
            used.add((kinds[i], colors[i]))
    light = np.array([rng.uniform(-0.6, 0.6) * half[0], -height + 0.15, rng.uniform(-0.7, 0.3) * half[1]])
    return Room(half, height, pose, placed, _surfaces(rng, split), light, float(rng.uniform(0.35, 0.5)))


def _shares() -> np.ndarray:
    """How often each kind is drawn: beds and sofas fill the room, cups are often too small to be seen."""
    weights = {"bed": 0.6, "sofa": 0.9, "cup": 0.8, "table": 1.3, "chair": 1.3}
    shares = np.array([weights.get(name, 1.0) for name in KINDS])
    return shares / shares.sum()

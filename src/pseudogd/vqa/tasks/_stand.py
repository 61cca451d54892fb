"""Standing at X and facing Y, or with the back to it: turns to all things at once, and sectors of any number.

Frame as in `hypothetical`: on the ground at X, forward from X to Y (away: from Y to X), right positive. ``by_camera``
is what the camera's own view would say: whoever stands at X faces the way that the camera does. ``on_map`` is what the
flat picture says if it is taken for a map on which up is ahead.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from pseudogd.vqa.fact import rounded
from pseudogd.vqa.guards import Margins, about, in_turns
from pseudogd.vqa.scene import Q50, Q98, Array, Scene, SceneObject
from pseudogd.vqa.tasks.hypothetical import bearings, far_enough

FULL = 2 * math.pi
MOST = 0.7
FORMULA = "theta = atan2(v.r, v.f), f = unit h(Y - X), r = f x up, v = h(Z - X)"
STANCES = ("facing", "away")


@dataclass(frozen=True)
class Turns:
    """Radians, right positive. ``theta``, ``sigma`` (standard error), ``on_map``: (N, N, N) indexed by X, Y, Z where Y
    is faced; ``by_camera``: (N, N) indexed by X, Z. nan where two of them stand at one place."""

    theta: Array
    sigma: Array
    on_map: Array
    by_camera: Array


_KNOWN: WeakKeyDictionary[Scene, Turns] = WeakKeyDictionary()


def turns(scene: Scene) -> Turns:
    """All turns of a scene with gravity; several tasks of one scene share them."""
    known = _KNOWN.get(scene)
    if known is None:
        known = _KNOWN[scene] = _turns(scene)
    return known


def _turns(scene: Scene) -> Turns:
    theta, sigma = bearings(scene)
    line = scene.centres[None] - scene.centres[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        # Where up is wrong by an angle, a thing that is higher than X moves by that angle times its height over X.
        lean = (scene.settings.up_sigma * line[..., 1]) ** 2 / (line[..., 0] ** 2 + line[..., 2] ** 2)
    by_camera = np.arctan2(line[..., 0], line[..., 2]) - heading(scene)
    return Turns(theta, np.sqrt(sigma**2 + lean[:, None, :] + lean[:, :, None]), _on_map(scene), wrapped(by_camera))


def heading(scene: Scene) -> float:
    """Bearing in radians of the camera's own forward on the ground."""
    if scene.rotation is None:
        return 0.0
    return math.atan2(float(scene.rotation[0, 2]), float(scene.rotation[2, 2]))


def _on_map(scene: Scene) -> Array:
    """A thing's place on the map is where its middle column meets its lower end, nearest to the floor it stands on."""
    camera = scene.geometry.camera
    assert camera is not None  # bearings need one
    right = np.array([thing.u[Q50] for thing in scene.objects]) * camera.width
    ahead = -np.array([thing.v[Q98] for thing in scene.objects]) * camera.height
    bearing = np.arctan2(right[None] - right[:, None], ahead[None] - ahead[:, None])
    return wrapped(bearing[:, None, :] - bearing[:, :, None])


def wrapped(angle: Any) -> Any:
    """An angle or array of them in [-pi, pi)."""
    return np.remainder(angle + math.pi, FULL) - math.pi


def turn_to(scene: Scene, x: int, y: int, z: int, stance: str = "facing") -> float | None:
    """The turn in radians that brings Z straight ahead; None without gravity or where two of them coincide."""
    if not scene.has_gravity:
        return None
    stand, faced, there = (scene.centre_list[k] for k in (x, y, z))
    ahead = (faced[0] - stand[0], faced[2] - stand[2])
    asked = (there[0] - stand[0], there[2] - stand[2])
    if math.hypot(*ahead) < 1e-9 or math.hypot(*asked) < 1e-9:
        return None
    angle = math.atan2(*asked) - math.atan2(*ahead) + (math.pi if stance == "away" else 0.0)
    return (angle + math.pi) % FULL - math.pi


def sector(angle: Any, count: int) -> Any:
    """Index of the nearest of ``count`` sectors, the first centred straight ahead, then to the right: never floored."""
    return np.rint(np.asarray(angle) * (count / FULL)).astype(int) % count


def spread(scene: Scene, x: int, y: int, z: int, centre: float, reach: float) -> float:
    """Share of what is seen of Z whose turn from X facing Y is within ``reach`` of the angle ``centre``."""
    points = scene.objects[z].points
    assert points is not None
    stand, facing = scene.centres[x, ::2], scene.centres[y, ::2]
    forward = math.atan2(facing[0] - stand[0], facing[1] - stand[1])
    theirs = np.arctan2(points[:, 0] - stand[0], points[:, 2] - stand[1]) - forward
    return float((np.abs(wrapped(theirs - centre)) <= reach).mean())


@dataclass(frozen=True)
class Sectored:
    """A triple whose Z lies well inside one of ``count`` sectors, for one stance; angles in radians."""

    x: int
    y: int
    z: int
    stance: str
    sector: int
    angle: float
    sigma: float
    margin: float
    on_map: int
    by_camera: int


def in_sectors(
    scene: Scene, rng: np.random.Generator, margins: Margins, count: int, least: float, most_sigma: float = math.inf
) -> Iterator[tuple[Sectored, Sectored]]:
    """Twins (facing, away) whose angle keeps ``least`` and twice its error from the edges of its sector.

    All sectors come in turn as far as the scene has them, and so do those where the picture as a map is right and
    wrong. ``count`` must be even: the opposite of a sector is one.
    """
    if not (scene.supports("bearing") and scene.has_gravity) or len(scene) < 3:
        return
    found, width = turns(scene), FULL / count
    margin = width / 2 - np.abs(np.remainder(found.theta + width / 2, width) - width / 2)
    sigmas = margins.sigmas * (FAIR_SURER if margins.fair else 1.0)
    needed = np.maximum(least, sigmas * found.sigma)
    with np.errstate(invalid="ignore"):
        good = far_enough(scene, margins) & (margin > needed) & (found.sigma <= most_sigma)
    triples = np.argwhere(good)
    where = tuple(triples.T)
    sectors, on_map = sector(found.theta[where], count), sector(found.on_map[where], count)
    classes = [(int(a), bool(a == b)) for a, b in zip(sectors, on_map)]
    half = count // 2
    for k in in_turns(classes, rng):
        x, y, z = (int(i) for i in triples[k])
        own, mapped = int(sectors[k]), int(on_map[k])
        if spread(scene, x, y, z, own * width, width) < MOST:
            continue
        angle, sigma, room = (float(a[x, y, z]) for a in (found.theta, found.sigma, margin))
        camera = int(sector(found.by_camera[x, z], count))
        turned = angle - math.pi if angle > 0 else angle + math.pi
        yield (
            Sectored(x, y, z, "facing", own, angle, sigma, room, mapped, camera),
            Sectored(x, y, z, "away", (own + half) % count, turned, sigma, room, (mapped + half) % count, camera),
        )


FAIR_SURER = 1.5
"""Times `Margins.sigmas` where facts are drawn fairly: answers that are rare in a photo are wrong more often."""
FAIR_TWINS = 48
FAIR_ROUNDS = 12


def beside_others(
    twins: Iterable[tuple[Sectored, Sectored]], count: int, gap: int, most: int, rng: np.random.Generator
) -> Iterator[tuple[tuple[Sectored, Sectored], list[int]]]:
    """Twins with what to offer beside the sector of the one that faces: other sectors of the same photo.

    Sectors are at least ``gap`` of ``count`` apart and no more than ``most`` with the right one, which is equally
    likely to be any of them: that 12 o'clock is the most frequent hour does not tell. A photo with one alone is not
    asked.
    """
    queues: dict[int, list[tuple[Sectored, Sectored]]] = {}
    for both in islice(twins, FAIR_TWINS):
        queues.setdefault(both[0].sector, []).append(both)
    for _ in range(FAIR_ROUNDS):
        keys = sorted(key for key, queue in queues.items() if queue)
        chosen: list[int] = []
        for key in (keys[k] for k in rng.permutation(len(keys))):
            if len(chosen) < most and all(gap <= (key - other) % count <= count - gap for other in chosen):
                chosen.append(key)
        if len(chosen) < 2:
            return
        own = chosen[int(rng.integers(len(chosen)))]
        yield queues[own].pop(), [key for key in chosen if key != own]


def frame(stand: SceneObject, facing: SceneObject, stance: str) -> str:
    """The frame of a question: who is stood at, and faced or turned away from."""
    return f"stand:{stand.object_id} {'face' if stance == 'facing' else 'back'}:{facing.object_id}"


def formula(stance: str) -> str:
    """How the angle is measured."""
    return FORMULA if stance == "facing" else FORMULA.replace("h(Y - X)", "h(X - Y)")


def evidence(
    scene: Scene, x: int, y: int, asked: Sequence[int], stance: str, labels: Sequence[str] = ()
) -> dict[str, Any]:
    """Who plays which part, and what a viewer draws on the ground: where one faces, and a line to each asked thing."""
    stand, facing = scene.objects[x], scene.objects[y]
    start, ahead = scene.centres[x, ::2], scene.centres[y, ::2]
    if stance == "away":
        ahead = 2 * start - ahead
    lines: list[dict[str, Any]] = [
        {"kind": "arrow", "in": "ground", "from": rounded(start, 3), "to": rounded(ahead, 3), "label": "facing"}
    ]
    for k, z in enumerate(asked):
        label = labels[k] if k < len(labels) else scene.objects[z].name
        place = rounded(scene.centres[z, ::2], 3)
        lines.append({"kind": "segment", "in": "ground", "from": rounded(start, 3), "to": place, "label": label})
    things = [about(stand, "stand"), about(facing, stance), *(about(scene.objects[z], "asked") for z in asked)]
    return {"objects": things, "draw": lines}


def side_of(degrees: float) -> str:
    """``62 degrees to the right of straight ahead``."""
    if abs(degrees) < 0.5:
        return "straight ahead"
    return f"{abs(degrees):.0f} degrees to the {'right' if degrees > 0 else 'left'} of straight ahead"


def stance_step(x: str, y: str, stance: str) -> str:
    """The first step: what is straight ahead."""
    if stance == "facing":
        return f"Standing at the {x}, straight ahead is the direction of the {y}."
    return f"Standing at the {x} with the back to the {y}, straight ahead is the direction opposite to the {y}."

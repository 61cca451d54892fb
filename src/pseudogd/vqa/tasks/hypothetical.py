"""Standing at X and facing Y (or with the back to Y): where is Z?

Frame: on the ground at X, forward f = horizontal unit vector from X to Y (away: from Y to X), right r = f x up. With
v = horizontal vector from X to Z, theta = atan2(v.r, v.f), right positive, and the four sectors are centred at 0, 90,
180 and -90 degrees. Asked only with a camera and confident gravity, if X, Y and Z keep their distances (stand-off,
footprint of X, and twice the error of the distance), theta keeps a margin from the nearest sector edge that also
exceeds twice its propagated error, and most of the visible part of Z lies in that sector. The middle of a thing that
the picture's border cuts off is not the middle of what is seen of it: such a place has an error of its own. Every fact
has a twin with the opposite facing and answer.

Two rules of the flat picture come near. Whoever forgets to turn, and tells the side that the camera sees, is right on
at most one of two twins. Whoever turns, but takes the picture for a map on which up is ahead, is right on both or on
none: that one is the shortcut which every fact names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.fairness import in_rounds
from pseudogd.vqa.guards import Margins, about, in_turns
from pseudogd.vqa.scene import Q50, Q98, Array, Scene
from pseudogd.vqa.tasks._plan import placed
from pseudogd.vqa.words.hypothetical import AT
from pseudogd.vqa.words.hypothetical import FORMS as FORMS

QUOTA = 4
NEEDS = "bearing"

SECTORS = ("front", "right", "behind", "left")
OPPOSITE = {"front": "behind", "behind": "front", "left": "right", "right": "left"}
QUARTER = math.pi / 2
MOST = 0.7
SURER = 2.25
"""Standard errors where facts are drawn fairly: those that the flat picture answers wrongly are wrong more often."""
ROUNDS = 8
ACROSS = 0.4  # of the photos in which nothing is behind
CUT_OFF = 0.25  # metres, in any direction on the ground
FORMULA = "theta = atan2(v.r, v.f), f = unit h(Y - X), r = f x up, v = h(Z - X)"


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Facts in pairs of twins, all four answers in turn as far as the scene has them."""
    if not (scene.supports("bearing") and scene.has_gravity) or len(scene) < 3:
        return
    theta, sigma = bearings(scene)
    clear = far_enough(scene, margins)
    off = np.abs(np.remainder(theta + QUARTER / 2, QUARTER) - QUARTER / 2)
    margin = QUARTER / 2 - off
    good = clear & (margin > np.maximum(margins.sector, (SURER if margins.fair else 2.0) * sigma))
    triples = np.argwhere(good)
    sides = [SECTORS[int(k)] for k in sector_index(theta[tuple(triples.T)])]
    on_map = [SECTORS[int(k)] for k in _map_sides(scene)[tuple(triples.T)]]
    shortcuts = [side == other for side, other in zip(sides, on_map)]

    def usable(k: int) -> bool:
        x, y, z = (int(i) for i in triples[k])
        return _mostly_inside(scene, x, y, z, sides[k])

    if margins.fair:
        order = _fair_sides(sides, shortcuts, usable, rng)
    else:
        order = (k for k in in_turns(list(zip(sides, shortcuts)), rng) if usable(k))
    for k in order:
        x, y, z = (int(i) for i in triples[k])
        angle, error, room = float(theta[x, y, z]), float(sigma[x, y, z]), float(margin[x, y, z])
        both = [
            _fact(scene, (x, y, z), "facing", sides[k], angle, error, room, shortcuts[k]),
            _fact(scene, (x, y, z), "away", OPPOSITE[sides[k]], _turned(angle), error, room, shortcuts[k]),
        ]
        yield from both if rng.integers(2) else both[::-1]


def _fair_sides(
    sides: list[str], shortcuts: list[bool], usable: Callable[[int], bool], rng: np.random.Generator
) -> Iterator[int]:
    """Indices in rounds of opposite sides, each as often as its opposite.

    "Behind" is rare: most photos have none, and would be asked left and right alone. Of those only a few are asked.
    """
    order = list(in_turns(list(zip(sides, shortcuts)), rng))
    across = rng.random() < ACROSS

    def take(side: str) -> list[int]:
        k = next((k for k in order if sides[k] == side and usable(k)), None)
        if k is None:
            return []
        order.remove(k)
        return [k]

    for turn in range(ROUNDS):
        along = list(in_rounds([[take("front"), take("behind")]], rng))
        if not along and (turn or not across):
            return
        yield from along
        yield from in_rounds([[take("left"), take("right")]], rng)


def answer(scene: Scene, fact: Fact) -> str | None:
    """The sector of Z; None without gravity, or where two of the three stand at one place."""
    if not scene.has_gravity:
        return None
    stand, facing, asked = scene.centres[[scene.index(operand) for operand in fact.operands]][:, ::2]
    ahead, there = facing - stand, asked - stand
    if not (ahead.any() and there.any()):
        return None
    theta = math.atan2(there[0], there[1]) - math.atan2(ahead[0], ahead[1])
    side = SECTORS[round(theta / QUARTER) % 4]
    return side if fact.form == "hypothetical.facing" else OPPOSITE[side]


def steps(fact: Fact) -> list[str]:
    """What is ahead, and by how much the asked thing is off it."""
    ahead = "toward" if fact.form == "hypothetical.facing" else "away from"
    side = "right" if fact.value > 0 else "left"
    return [
        f"Standing at the {fact.slots['x']}, straight ahead is {ahead} the {fact.slots['y']}.",
        f"From there the {fact.slots['z']} lies {abs(fact.value):.0f} degrees to the {side} of straight ahead.",
        "Up to 45 degrees is in front, from 135 degrees on behind, between them to that side.",
    ]


def bearings(scene: Scene) -> tuple[Array, Array]:
    """theta and its standard error in radians, (N, N, N) indexed by X, Y, Z; nan where two of them coincide.

    First order: an error e of a place turns the line to it by e.n / length, n being the line's left normal; an error of
    X turns both lines.
    """
    ground = scene.centres[:, ::2]
    errors = scene.errors[:, ::2]
    line = ground[None] - ground[:, None]
    length = np.linalg.norm(line, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        bearing = np.where(length > 1e-9, np.arctan2(line[..., 0], line[..., 1]), np.nan)
        # Rate at which the bearing of a -> b grows with a step of b; a step of a turns it the other way.
        rate = np.stack([line[..., 1], -line[..., 0]], axis=-1) / (length**2)[..., None]
        from_target = np.einsum("abk,bk->ab", rate, errors)
        from_stand = np.einsum("abk,ak->ab", rate, errors)
        unseen = np.where([thing.truncated for thing in scene.objects], CUT_OFF * scene.unit, 0.0)
        around = (unseen / length) ** 2  # [a, b]: of a target b seen from a
    theta = bearing[:, None, :] - bearing[:, :, None]
    theta = np.remainder(theta + math.pi, 2 * math.pi) - math.pi
    stand = from_stand[:, None, :] - from_stand[:, :, None]
    turn = ((rate[:, None, :] - rate[:, :, None]) ** 2).sum(axis=-1) * (unseen**2)[:, None, None]
    targets = from_target**2 + around
    return theta, np.sqrt(targets[:, None, :] + targets[:, :, None] + stand**2 + turn)


def sector_index(theta: Array) -> NDArray[np.int64]:
    """Index into `SECTORS` of angles in radians, right positive."""
    return np.rint(np.asarray(theta) / QUARTER).astype(int) % 4


def far_enough(scene: Scene, margins: Margins) -> NDArray[np.bool_]:
    """(N, N, N) bool: all three differ, Y and Z keep clear of the stand at X and of each other, and none floats.

    What floats in the air has mostly been given the depth of what hides it: one such thing spoils every direction. An
    error along a line does not turn it until it is as long as the line, which then points the other way: so places are
    also farther from the stand than their own error on the line to it allows.
    """
    key = ("far enough", margins.stand_off, margins.sigmas)  # of one scene six tasks ask
    if key not in scene.memo:
        scene.memo[key] = _far_enough(scene, margins)
    far: NDArray[np.bool_] = scene.memo[key]
    return far


def _far_enough(scene: Scene, margins: Margins) -> NDArray[np.bool_]:
    ground = scene.centres[:, ::2]
    line = ground[None] - ground[:, None]
    level = np.linalg.norm(line, axis=-1)
    along = np.einsum("abk,bk->ab", line, scene.errors[:, ::2])  # error of b times the length
    turns = margins.sigmas * np.hypot(along, along.T) < level**2
    around = np.array([obj.footprint for obj in scene.objects])
    least = np.maximum(margins.stand_off * scene.unit, around)
    from_stand = (level >= least[:, None]) & turns
    apart = level >= 0.5 * margins.stand_off * scene.unit
    usable = np.array([not (obj.boxes_only or (obj.truncated and obj.occluded > 0.5)) for obj in scene.objects])
    usable &= placed(scene)
    clear = from_stand[:, :, None] & from_stand[:, None, :] & apart[None]
    return clear & usable[:, None, None] & usable[None, :, None] & usable[None, None, :]


def _mostly_inside(scene: Scene, x: int, y: int, z: int, side: str) -> bool:
    points = scene.objects[z].points
    assert points is not None
    stand, facing = scene.centres[x, ::2], scene.centres[y, ::2]
    forward = math.atan2(facing[0] - stand[0], facing[1] - stand[1])
    theirs = np.arctan2(points[:, 0] - stand[0], points[:, 2] - stand[1]) - forward
    return bool((sector_index(theirs) == SECTORS.index(side)).mean() >= MOST)


def _map_sides(scene: Scene) -> NDArray[np.int64]:
    """(N, N, N) index into `SECTORS`: the answer if the picture were a map, columns to the right and rows up ahead.

    A thing's place is where its middle column meets its lower end, which is nearest to the floor that it stands on.
    """
    camera = scene.geometry.camera
    assert camera is not None  # bearings need one
    right = np.array([obj.u[Q50] for obj in scene.objects]) * camera.width
    ahead = -np.array([obj.v[Q98] for obj in scene.objects]) * camera.height
    bearing = np.arctan2(right[None] - right[:, None], ahead[None] - ahead[:, None])
    return sector_index(bearing[:, None, :] - bearing[:, :, None])


def _turned(angle: float) -> float:
    return angle - math.pi if angle > 0 else angle + math.pi


def _fact(
    scene: Scene,
    triple: tuple[int, int, int],
    stance: str,
    side: str,
    angle: float,
    sigma: float,
    margin: float,
    shortcut: bool,
) -> Fact:
    x, y, z = (scene.objects[i] for i in triple)
    return Fact(
        task="hypothetical",
        form=f"hypothetical.{stance}",
        kind="bearing",
        frame=f"stand:{x.object_id} {'face' if stance == 'facing' else 'back'}:{y.object_id}",
        operands=(x.object_id, y.object_id, z.object_id),
        style="value",
        answer=side,
        wrong=tuple(other for other in SECTORS if other != side),
        value=math.degrees(angle),
        unit="deg",
        margin=math.degrees(margin),
        formula=FORMULA if stance == "facing" else FORMULA.replace("h(Y - X)", "h(X - Y)"),
        slots={"x": x.name, "y": y.name, "z": z.name, "at": AT[x.standable]},
        evidence={
            "objects": [about(x, "stand"), about(y, stance), about(z, "asked")],
            "sigma": rounded(math.degrees(sigma), 2),
            "shortcut": {"rule": "the picture as a map", "right": shortcut},
        },
        twin=f"{x.object_id}>{y.object_id}>{z.object_id}",
    )

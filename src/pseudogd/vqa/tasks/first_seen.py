"""Standing at X, facing Y (or with the back to it) and turning on the spot: which thing comes straight ahead first?

Frame: on the ground at X, see `hypothetical`. Turning right, a thing comes into the middle of the view after a turn of
phi = theta mod 360 degrees; turning left after -theta mod 360. The first is the one of the least phi. Asked only if the
first leads every other by a margin that also exceeds twice the error of their difference, and none of them lies so
near to straight ahead that it might already have passed. Twins have the opposite facing, where these guards hold too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins, in_turns
from pseudogd.vqa.scene import Array, Scene
from pseudogd.vqa.tasks import _stand
from pseudogd.vqa.tasks.hypothetical import far_enough
from pseudogd.vqa.words.first_seen import FORMS as FORMS
from pseudogd.vqa.words.hypothetical import AT

QUOTA = 1
NEEDS = "bearing"

MOST_THINGS = 4
MOST_GROUPS = 6
"""Of one stand and facing: groups beyond these would only repeat the same turns."""
SIGNS = {"right": 1.0, "left": -1.0}
FORMULA = "least of phi = theta mod 360 (turning right) or -theta mod 360 (left)"


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Choices among two to four things; those that the picture as a map gets wrong are preferred."""
    if not (scene.supports("bearing") and scene.has_gravity) or len(scene) < 4:
        return
    clear = far_enough(scene, margins)
    stands = [(x, y) for x, y in np.argwhere(clear.sum(axis=2) >= 2)]
    for k in rng.permutation(len(stands)):
        x, y = (int(i) for i in stands[k])
        side = ("left", "right")[int(rng.integers(2))]
        found = []
        for group in _groups(np.flatnonzero(clear[x, y]), rng):
            twins = [_draft(scene, x, y, group, stance, side, margins) for stance in _stand.STANCES]
            if any(twins):
                found.append([draft for draft in twins if draft is not None])
        if found:
            # The map is right nearly always where turns differ clearly: where it is wrong, that is what is asked.
            wrong = [twins for twins in found if not all(draft.map_right for draft in twins)] or found
            twins_of_stand = wrong[next(in_turns([len(twins[0].things) for twins in wrong], rng))]
            for draft in twins_of_stand if rng.integers(2) else twins_of_stand[::-1]:
                yield _fact(scene, x, y, draft, side)


def answer(scene: Scene, fact: Fact) -> str | None:
    """The name of the thing that comes straight ahead first; None without gravity, or where two stand at one place."""
    x, y, *things = (scene.index(operand) for operand in fact.operands)
    stance, side = fact.form.split(".")[1].split("_")
    best = None
    for z in things:
        theta = _stand.turn_to(scene, x, y, z, stance)
        if theta is None:
            return None
        phi = (SIGNS[side] * theta) % math.tau
        if best is None or phi < best[0]:
            best = (phi, scene.objects[z].name)
    return None if best is None else best[1]


def mirrored(fact: Fact) -> Fact:
    """The fact of the mirrored scene: one turns the other way."""
    stem, side = fact.form.rsplit("_", 1)
    return replace(fact, form=f"{stem}_{'left' if side == 'right' else 'right'}")


def steps(fact: Fact) -> list[str]:
    """From the turns to the first."""
    stance, side = fact.form.split(".")[1].split("_")
    told = ", ".join(f"the {name} after {phi:.0f}" for name, phi in fact.evidence["phi"])
    return [
        _stand.stance_step(fact.slots["x"], fact.slots["y"], stance),
        f"Turning {side} from there brings these straight ahead, in degrees: {told}.",
        f"The smallest turn is that to the {fact.answer}.",
    ]


def _groups(things: NDArray[np.int64], rng: np.random.Generator) -> list[tuple[int, ...]]:
    groups = [group for size in range(2, MOST_THINGS + 1) for group in combinations([int(i) for i in things], size)]
    return [groups[k] for k in rng.permutation(len(groups))[:MOST_GROUPS]]


def _order(theta: Array, side: str) -> tuple[Array, int]:
    """phi in radians, in [0, 2 pi), and which of them is the least."""
    phi = np.remainder(SIGNS[side] * theta, math.tau)
    return phi, int(np.argmin(phi))


@dataclass(frozen=True)
class _Draft:
    """What can be asked of one stand, facing and group. ``things``: indices of the group; ``phi``, ``sigma`` of each
    in radians; ``first``: which comes first; ``margin`` in radians; ``map_right``: whether the picture as a map says
    the same."""

    stance: str
    things: list[int]
    phi: Array
    sigma: Array
    first: int
    margin: float
    map_right: bool


def _draft(
    scene: Scene, x: int, y: int, group: Sequence[int], stance: str, side: str, margins: Margins
) -> _Draft | None:
    """None where it is not clear enough what comes first."""
    found = _stand.turns(scene)
    z, back = list(group), math.pi if stance == "away" else 0.0
    sigma = found.sigma[x, y, z]
    phi, first = _order(found.theta[x, y, z] + back, side)
    needed = np.maximum(margins.sector, margins.sigmas * sigma)
    ahead = np.minimum(phi, math.tau - phi)
    # The error of a difference of two turns is that of both, at most.
    behind = np.delete(phi - phi[first], first)
    apart = np.maximum(margins.sector, margins.sigmas * np.hypot(np.delete(sigma, first), sigma[first]))
    if (ahead <= needed).any() or (behind <= apart).any():
        return None
    _, on_map = _order(found.on_map[x, y, z] + back, side)
    return _Draft(stance, z, phi, sigma, first, min(float(behind.min()), float(ahead.min())), on_map == first)


def _fact(scene: Scene, x: int, y: int, draft: _Draft, side: str) -> Fact:
    z, phi, first, stance = draft.things, draft.phi, draft.first, draft.stance
    things = [scene.objects[i] for i in z]
    _, by_camera = _order(_stand.turns(scene).by_camera[x, z], side)
    order = [first, *(k for k in range(len(z)) if k != first)]
    degrees = [math.degrees(float(phi[k])) for k in order]
    stand, facing = scene.objects[x], scene.objects[y]
    return Fact(
        task="first_seen",
        form=f"first_seen.{stance}_{side}",
        kind="bearing",
        frame=_stand.frame(stand, facing, stance),
        operands=(stand.object_id, facing.object_id, *(things[k].object_id for k in order)),
        style="among",
        answer=things[first].name,
        wrong=tuple(things[k].name for k in order[1:]),
        value=degrees[0],
        unit="deg",
        margin=math.degrees(draft.margin),
        formula=f"{FORMULA}; {_stand.formula(stance)}",
        slots={"x": stand.name, "y": facing.name, "at": AT[stand.standable]},
        evidence={
            **_stand.evidence(scene, x, y, [z[k] for k in order], stance, [f"{phi:.0f} degrees" for phi in degrees]),
            "sigma": rounded([math.degrees(float(draft.sigma[k])) for k in order], 2),
            "phi": [[things[k].name, rounded(turn, 1)] for k, turn in zip(order, degrees)],
            "shortcut": {"rule": "the picture as a map", "right": draft.map_right},
            "camera_view": things[by_camera].name,
        },
        twin=f"{stand.object_id}>{facing.object_id}>{','.join(things[k].object_id for k in range(len(z)))} {side}",
    )

"""Seen from the place of X, facing Y (or with the back to it): is A left or right of B?

Frame: on the ground at X, see `hypothetical`. A is right of B if its turn theta from straight ahead is the greater one.
Asked only of two things in front of whoever stands there (within `FIELD` of straight ahead) that do not overlap from
there and whose turns differ by a margin that exceeds the errors of both. From the opposite side things change places:
where they do, the side that the camera sees is wrong, and facts where it is right and where it is wrong are asked in
turn. Nobody sees the same two things with the face to Y and with the back to it, so the twin of a fact is not the
opposite facing but the same two things seen from a place where they have changed sides, where the scene has one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.fairness import opposites
from pseudogd.vqa.guards import Margins, in_turns, nested
from pseudogd.vqa.scene import Q50, Array, Scene
from pseudogd.vqa.tasks import _stand
from pseudogd.vqa.tasks.hypothetical import far_enough
from pseudogd.vqa.words.hypothetical import AT
from pseudogd.vqa.words.telling import SIDE
from pseudogd.vqa.words.viewpoint import FORMS as FORMS

QUOTA = 1
NEEDS = "bearing"
TELLING = {"viewpoint": SIDE}

FIELD = math.radians(60.0)
MOST_PLACES = 80
SURE = 1.5
"""Times `Margins.sigmas`: an order of two things hangs on four places, and errors of depth have long tails."""
SWAP = {"left": "right", "right": "left"}


@dataclass(frozen=True)
class _View:
    """A and B (a < b) as seen from X: ``side`` of A; angles, standard error and margin in radians."""

    x: int
    y: int
    stance: str
    a: int
    b: int
    side: str
    angles: tuple[float, float]
    sigma: float
    room: float


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """What the camera sees the same way and the other way in turn, as far as there is both, and both answers.

    Drawn fairly, a photo that has not both is not asked.
    """
    if not (scene.supports("bearing") and scene.has_gravity) or len(scene) < 4:
        return
    views = list(_views(scene, rng, margins))
    camera = [_seen_by_camera(scene, view.a, view.b) for view in views]
    others: dict[tuple[int, int, str], list[int]] = {}
    for k, view in enumerate(views):
        others.setdefault((view.a, view.b, view.side), []).append(k)
    done: set[int] = set()
    as_seen = [view.side == seen for view, seen in zip(views, camera)]
    for k in opposites([[1 if same else -1] for same in as_seen], rng) if margins.fair else in_turns(as_seen, rng):
        if k in done:
            continue
        view = views[k]
        twins = [j for j in others.get((view.a, view.b, SWAP[view.side]), []) if j not in done]
        both = [k, *([twins[int(rng.integers(len(twins)))]] if twins else [])]
        done.update(both)
        swapped, name = bool(rng.integers(2)), None
        if len(both) == 2:
            name = "~".join(sorted(f"{views[j].x}>{views[j].y}" for j in both)) + f":{view.a}/{view.b}"
        for j in both:
            yield _fact(scene, views[j], swapped, camera[j], name)


def answer(scene: Scene, fact: Fact) -> str | None:
    """The side of A; None without gravity, or where something is at X."""
    x, y, a, b = (scene.index(operand) for operand in fact.operands)
    stance = fact.form.split(".")[1]
    own, other = _stand.turn_to(scene, x, y, a, stance), _stand.turn_to(scene, x, y, b, stance)
    if own is None or other is None:
        return None
    return "right" if (own - other + math.pi) % math.tau > math.pi else "left"


def steps(fact: Fact) -> list[str]:
    """From the two turns to the side."""
    name, (own, other) = fact.slots, fact.evidence["angles"]
    return [
        _stand.stance_step(name["x"], name["y"], fact.form.split(".")[1]),
        f"From there the {name['a']} lies {_stand.side_of(own)}, and the {name['b']} {_stand.side_of(other)}.",
        f"So the {name['a']} is to the {fact.answer} of the {name['b']}.",
    ]


def _views(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[_View]:
    found, clear = _stand.turns(scene), far_enough(scene, margins)
    half = _half_widths(scene)
    places = np.argwhere(clear.sum(axis=-1) >= 2)
    for k in rng.permutation(len(places))[:MOST_PLACES]:
        x, y = (int(i) for i in places[k])
        for stance in _stand.STANCES:
            theta = _stand.wrapped(found.theta[x, y] + (math.pi if stance == "away" else 0.0))
            sigma, wide = found.sigma[x, y], half[x]
            with np.errstate(invalid="ignore"):
                ahead = np.flatnonzero(clear[x, y] & (np.abs(theta) + margins.sigmas * sigma < FIELD))
            for n, b in enumerate(ahead):
                for a in ahead[:n]:
                    gap = float(theta[a] - theta[b])
                    error = math.hypot(sigma[a], sigma[b])
                    needed = max(margins.sector, SURE * margins.sigmas * error, float(wide[a] + wide[b]))
                    if abs(gap) > needed and not nested(scene.objects[a], scene.objects[b]):
                        side, angles = "right" if gap > 0 else "left", (float(theta[a]), float(theta[b]))
                        yield _View(x, y, stance, int(a), int(b), side, angles, error, abs(gap))


def _half_widths(scene: Scene) -> Array:
    """(N, N) half the angle that the ground under Z takes up, seen from X."""
    line = scene.centres[None] - scene.centres[:, None]
    level = np.hypot(line[..., 0], line[..., 2])
    around = np.array([thing.footprint for thing in scene.objects])
    return np.arctan2(around[None], np.maximum(level, 1e-9))


def _seen_by_camera(scene: Scene, a: int, b: int) -> str:
    return "right" if float(scene.objects[a].u[Q50]) > float(scene.objects[b].u[Q50]) else "left"


def _fact(scene: Scene, view: _View, swapped: bool, camera: str, twin: str | None) -> Fact:
    a, b = (view.b, view.a) if swapped else (view.a, view.b)
    own, seen = (SWAP[view.side], SWAP[camera]) if swapped else (view.side, camera)
    angles = rounded([math.degrees(angle) for angle in (view.angles[::-1] if swapped else view.angles)], 1)
    x, y, first, second = (scene.objects[i] for i in (view.x, view.y, a, b))
    return Fact(
        task="viewpoint",
        form=f"viewpoint.{view.stance}",
        kind="bearing",
        frame=_stand.frame(x, y, view.stance),
        operands=(x.object_id, y.object_id, first.object_id, second.object_id),
        style="value",
        answer=own,
        wrong=(SWAP[own],),
        value=angles[0] - angles[1],
        unit="deg",
        margin=math.degrees(view.room),
        formula=f"theta(A) - theta(B), {_stand.formula(view.stance)}",
        slots={"x": x.name, "y": y.name, "a": first.name, "b": second.name, "at": AT[x.standable]},
        evidence={
            **_stand.evidence(scene, view.x, view.y, [a, b], view.stance),
            "angles": angles,
            "sigma": rounded(math.degrees(view.sigma), 2),
            "shortcut": {"rule": "the side that the camera sees", "right": own == seen},
            "camera_view": seen,
        },
        twin=twin,
    )

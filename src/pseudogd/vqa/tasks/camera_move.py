"""The camera turns on the spot, or moves without turning, so far or to the place of X: where is A then, is it nearer?

Frame: see `_camera`. ``side``: A's middle is then left or right of the picture's middle column; ``seen``: A is then
inside the picture's borders or outside (what stands in between is not asked about); ``range``: the middle of A is then
nearer to the camera or farther from it than before. Turns need a bearing, moves need metres. ``side`` and ``range`` are
asked only of things on the side to which the camera turns or moves, and of motions of equal size as often with one
answer as with the other: then neither the way and size of the motion nor the place of A in the picture now tells the
answer, but only both together. ``seen`` is asked as often of what stays as of what leaves, also for motions of equal
size, on either side where there is both. Every answer keeps a margin that exceeds the error from A's depth; A must be
seen whole, and in ``side`` it must stay in the picture. A turn to the other side by as much sends A out of the picture
or leaves it where it was, so there are no opposite twins. To the place of X: see `_camera_to`; facts come in rounds in
which rules of thumb are right as often as wrong, and need no metres.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from pseudogd.vqa import phrasing
from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import MOSTLY_KNOWN, Margins, about, blend, in_turns
from pseudogd.vqa.scene import Q50, Scene
from pseudogd.vqa.tasks._camera import (
    Motion,
    Seen,
    error_of,
    errors_in_picture,
    half_size,
    seen_after,
    side_now,
    where,
)
from pseudogd.vqa.tasks._camera_to import to_answer, to_facts, to_steps
from pseudogd.vqa.words.camera_move import FORMS as FORMS
from pseudogd.vqa.words.camera_move import PLACES
from pseudogd.vqa.words.telling import DEPTH, SIDE

QUOTA = 1
NEEDS = "bearing"
TELLING = {"camera_move": SIDE | DEPTH}

TURNS = (10.0, 15.0, 20.0, 30.0, 40.0)
MOVES = (0.5, 1.0, 1.5, 2.0)
SIDEWAYS = ("left", "right")
INSIDE = 0.03
CLOSER = 0.6
LEAST_CHANGE = 0.04
FORMULAS = {
    "side": "side of u = fx x / z + cx from the middle column, (x, y, z) = place of A for the camera then",
    "seen": "u, v = (fx x / z + cx, fy y / z + cy) against the borders, (x, y, z) = place of A for the camera then",
    "range": "|place of A for the camera then| - |place of A now|",
}
Found = tuple[int, Motion, str, float, float]
"""Object, motion, answer, measure and margin."""


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """All kinds of question in turn; in each, all answers and ways in turn as far as the scene has them."""
    if not (scene.supports("bearing") and scene.has_gravity):
        return
    turned = [Motion("turned", way, by) for by in TURNS for way in SIDEWAYS]
    streams = [_stream(scene, rng, margins, turned, asked) for asked in ("side", "seen")]
    if scene.supports("metric"):
        moved = [Motion("moved", way, by) for by in MOVES for way in SIDEWAYS]
        ahead = [Motion("moved", "forward", by) for by in MOVES]
        streams += [_stream(scene, rng, margins, moved, asked) for asked in ("side", "range")]
        streams.append(_stream(scene, rng, margins, ahead, "seen"))
    whole = [index for index in range(len(scene)) if _is_whole(scene, index)]
    streams += [to_facts(scene, rng, margins, whole, asked) for asked in ("side", "seen", "range")]
    yield from blend(rng, *((1, stream) for stream in streams))


def answer(scene: Scene, fact: Fact) -> str | None:
    """The same, told of the middle of A alone; None without gravity."""
    if not scene.has_gravity:
        return None
    index, (motion, asked) = scene.index(fact.operands[0]), parts(fact)
    if motion.way == "to":
        return to_answer(scene, fact, asked)
    then = seen_after(scene, index, motion)
    if asked == "range":
        return "nearer" if then.distance < seen_after(scene, index, None).distance else "farther"
    if asked == "side":
        return "right" if (then.u > 0.5) == (then.z > 0) else "left"
    return "in" if then.ahead and 0 <= then.u <= 1 and 0 <= then.v <= 1 else "out"


def parts(fact: Fact) -> tuple[Motion, str]:
    """The motion, and what is asked."""
    kind, way, asked = fact.form.split(".")[1].split("_")
    return Motion(kind, way, float(fact.evidence["by"])), asked


def steps(fact: Fact) -> list[str]:
    """From the place of A now to that after the motion."""
    name, (motion, asked), then = fact.slots["a"], parts(fact), fact.evidence["then"]
    if motion.way == "to":
        return to_steps(fact, asked)
    before = (
        f"The {name} is {round(100 * fact.evidence['now'][0])} percent of the picture's width from its left border."
    )
    if motion.kind == "turned":
        effect = f"A turn to the {motion.way} moves everything in the picture to the {_other(motion.way)}."
    elif motion.way == "forward":
        effect = "Moving forward spreads everything away from the middle of the picture, most of all what is near."
    else:
        effect = f"Moving to the {motion.way} shifts what is near farther to the {_other(motion.way)} than what is far."
    if asked == "range":
        distances = [phrasing.metres(value) for value in fact.evidence["distances"]]
        change = f"Its distance changes from {distances[0]} to {distances[1]}, so it is {fact.answer} then."
        return [before, f"The camera moves {phrasing.metres(motion.by)} to the {motion.way}.", change]
    if asked == "side":
        after = (
            f"Then it is {round(100 * then[0])} percent from the left border, so {PLACES[fact.answer]} of the middle."
        )
    else:
        after = f"Then it is {where(then)}, so it is {PLACES[fact.answer]}."
    return [before, effect, after]


# ---------------------------------------------------------------- what is asked
def _stream(
    scene: Scene, rng: np.random.Generator, margins: Margins, motions: list[Motion], asked: str
) -> Iterator[Fact]:
    rule = {"side": _side, "seen": _seen, "range": _range}[asked]
    found: dict[float, dict[bool, list[Found]]] = {}
    for index in range(len(scene)):
        if _is_whole(scene, index):
            for motion in motions:
                told = rule(scene, index, motion, margins)
                if told is not None:
                    first = told[0] in (motion.way, "in", "nearer")
                    found.setdefault(motion.by, {}).setdefault(first, []).append((index, motion, *told))
    both = [kinds for kinds in found.values() if len(kinds) == 2]
    if both:
        yield from blend(rng, *((1, _evenly(scene, rng, kinds, asked)) for kinds in both))


def _is_whole(scene: Scene, index: int) -> bool:
    thing = scene.objects[index]
    seen = not (thing.boxes_only or thing.truncated or thing.cut) and thing.known >= MOSTLY_KNOWN
    return seen and thing.occluded < scene.settings.occluded


def _evenly(scene: Scene, rng: np.random.Generator, kinds: dict[bool, list[Found]], asked: str) -> Iterator[Fact]:
    """As many of one answer as of the other, for motions that are equally far: how far one goes tells nothing."""
    streams = [_dealt(scene, rng, kinds[bool(k)], asked) for k in rng.permutation(2)]
    for pair in zip(*streams):
        yield from pair


def _dealt(scene: Scene, rng: np.random.Generator, items: list[Found], asked: str) -> Iterator[Fact]:
    """Those of one answer: both ways in turn, or both what is on the side of the motion and what is not."""
    classes = [motion.way if asked == "side" else side_now(scene, index) == motion.way for index, motion, *_ in items]
    for k in in_turns(classes, rng):
        yield _fact(scene, asked, *items[k])


def _reachable(scene: Scene, index: int, motion: Motion) -> bool:
    """Whether the camera stays well before A: nobody moves it into the thing or past it."""
    return motion.kind == "turned" or motion.by <= CLOSER * float(scene.centres[index, 2])


def _side(scene: Scene, index: int, motion: Motion, margins: Margins) -> tuple[str, float, float] | None:
    now, wide = float(scene.objects[index].u[Q50]), half_size(scene, index)[0]
    least = margins.picture_edge + wide / 2
    if side_now(scene, index) != motion.way or abs(now - 0.5) < least or not _reachable(scene, index, motion):
        return None
    then = seen_after(scene, index, motion)
    room = abs(then.u - 0.5)
    if not _inside(then, INSIDE, INSIDE) or room <= max(least, margins.sigmas * error_of(scene, index, motion, "u")):
        return None
    return ("right" if then.u > 0.5 else "left"), then.u, room


def _seen(scene: Scene, index: int, motion: Motion, margins: Margins) -> tuple[str, float, float] | None:
    if not _reachable(scene, index, motion):
        return None
    then, now = seen_after(scene, index, motion), seen_after(scene, index, None)
    if not then.ahead:
        return ("out", -1.0, 1.0) if motion.kind == "turned" else None
    wide, high = half_size(scene, index, 1.2 * now.z / then.z)
    errors = [margins.sigmas * error for error in errors_in_picture(scene, index, motion)]
    across, along = wide + max(margins.picture_edge / 2, errors[0]), high + max(margins.picture_edge / 2, errors[1])
    sides = (_border(then.u), _border(then.v))
    if _inside(then, across, along):
        return "in", min(sides), min(sides[0] - wide, sides[1] - high)
    beyond = max(-across - sides[0], -along - sides[1])
    return ("out", min(sides), beyond) if beyond > 0 else None


def _range(scene: Scene, index: int, motion: Motion, margins: Margins) -> tuple[str, float, float] | None:
    now = seen_after(scene, index, None)
    if side_now(scene, index) != motion.way or not _reachable(scene, index, motion):
        return None
    then = seen_after(scene, index, motion)
    change = then.distance - now.distance
    needed = max(LEAST_CHANGE * now.distance, margins.sigmas * error_of(scene, index, motion, "distance"))
    if abs(change) <= needed or phrasing.metres(now.distance) == phrasing.metres(then.distance):
        return None
    return "nearer" if change < 0 else "farther", change, abs(change)


def _inside(then: Seen, across: float, along: float) -> bool:
    return then.ahead and across <= then.u <= 1 - across and along <= then.v <= 1 - along


def _border(share: float) -> float:
    """Distance from the nearer border, negative outside."""
    return min(share, 1 - share)


def _other(way: str) -> str:
    return "left" if way == "right" else "right"


def _fact(scene: Scene, asked: str, index: int, motion: Motion, own: str, value: float, room: float) -> Fact:
    thing, moved = scene.objects[index], motion.kind == "moved"
    now, then = seen_after(scene, index, None), seen_after(scene, index, motion)
    wrong = {"side": SIDEWAYS, "seen": ("in", "out"), "range": ("nearer", "farther")}[asked]
    view = {"side": side_now(scene, index), "seen": "in", "range": "nearer"}[asked]
    rule = {
        "side": "its side now",
        "seen": "it is in the picture now",
        "range": "it is on the side of the motion",
    }[asked]
    places = [rounded([p.u, p.v], 3) for p in (now, then)]
    evidence = {
        "objects": [about(thing, "asked")],
        "by": motion.by,
        "now": places[0],
        "then": places[1] if then.ahead else None,
        "distances": rounded([now.distance, then.distance], 3),
        "sigma": rounded(error_of(scene, index, motion, "distance" if asked == "range" else "u"), 4),
        "shortcut": {"rule": rule, "right": view == own},
        "camera_view": view,
    }
    if then.ahead and max(abs(then.u - 0.5), abs(then.v - 0.5)) < 1:
        ends = [rounded([100 * share for share in place], 1) for place in places]
        evidence["draw"] = [{"kind": "arrow", "in": "picture", "from": ends[0], "to": ends[1], "label": "then"}]
    return Fact(
        task="camera_move",
        form=f"camera_move.{motion.kind}_{motion.way}_{asked}",
        kind="metric" if moved else "bearing",
        frame=f"camera {motion.kind} {motion.way}",
        operands=(thing.object_id,),
        style="value",
        answer=own,
        wrong=tuple(other for other in wrong if other != own),
        value=value,
        unit="m of change" if asked == "range" else "share",
        margin=room,
        formula=FORMULAS[asked],
        slots={"a": thing.name, "d": phrasing.metres(motion.by) if moved else f"{motion.by:.0f} degrees"},
        evidence=evidence,
        measures={"d": motion.by} if moved else {},
    )


def mirrored(fact: Fact) -> Fact:
    """The fact of the mirrored scene."""
    kind, way, asked = fact.form.split(".")[1].split("_")
    swap = {"left": "right", "right": "left"}
    own, *others = (swap.get(key, key) for key in (fact.answer, *fact.wrong))
    form = f"camera_move.{kind}_{swap.get(way, way)}_{asked}"
    return replace(fact, form=form, answer=own, wrong=tuple(others))

"""Whether three things stand in a straight line on the ground, which of four is not in line with the others, and on
which side of the line through two things a third one stands.

Frame: gravity, seen from above. Of three places the two farthest apart are the ends; quantity: offset of the third
from the line between them, as share of its length; in line below 0.15. A place is the middle of what is seen, whose
error is a step along the viewing ray and a few centimetres anywhere, as the far side is hidden. Asked only if the
offset keeps two such errors (and twice that) from that edge, and exceeds 0.25 where the answer is "not in line".
*side*: of three that are clearly not in line, whether one is on the camera's side of the line through the other two,
from which the camera keeps as clear. Hardly any three things are in line, and few are beyond a line that the camera is
well off: either is asked only in scenes that have both answers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins, about, blend, in_turns
from pseudogd.vqa.phrasing import metres
from pseudogd.vqa.scene import Q50, Q98, Array, Scene
from pseudogd.vqa.words.collinear import FORMS as FORMS

QUOTA = 1
NEEDS = "bearing"

IN_LINE = 0.15
SHORTEST = 1.2
CLOSEST = 0.4
UNSEEN = 0.04
SURER = 2.0
MOST = 12
MOST_SIDES = 6
ORIGIN = np.zeros(2)
"""Where the camera is on the ground."""
FORMULA = "offset of the middle place from the line between the outer two, over the length of that line, from above"


@dataclass(frozen=True)
class Triple:
    """``middle``, ``ends``: indices of things; ``offset``, ``sigma``: shares of ``length``; ``said``: None: unsure."""

    ends: tuple[int, int]
    middle: int
    length: float
    offset: float
    sigma: float
    said: str | None


Triples = dict[tuple[int, ...], Triple]


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Three things in line or not, in turn, and the one of four that is not in line with the other three."""
    if not (scene.supports("bearing") and scene.has_gravity) or len(scene) < 3:
        return
    usable = [k for k, obj in enumerate(scene.objects) if not (obj.truncated or obj.cut or obj.boxes_only)]
    usable = sorted(usable[k] for k in rng.permutation(len(usable))[:MOST])
    triples: Triples = {group: _triple(scene, group, margins) for group in combinations(usable, 3)}
    yield from blend(
        rng,
        (1, _three(scene, triples, rng)),
        (1, _which(scene, triples, usable, rng)),
        (1, _side(scene, triples, margins, rng)),
    )


def answer(scene: Scene, fact: Fact) -> str | None:
    """In line or not; of four, the one whose leaving the other three in line is told best. None without gravity."""
    if not scene.has_gravity:
        return None
    ground = scene.centres[[scene.index(operand) for operand in fact.operands], ::2]
    if fact.form == "collinear.three":
        return "straight" if _offset(ground)[1] < IN_LINE else "bent"
    if fact.form == "collinear.side":
        return "near" if _across(ground[1], ground[0], ground[2]) * _across(ORIGIN, ground[0], ground[2]) > 0 else "far"
    left = [_offset(np.delete(ground, k, axis=0))[1] for k in range(4)]
    return scene.objects[scene.index(fact.operands[int(np.argmin(left))])].name


def steps(fact: Fact) -> list[str]:
    """The length of the line, how far the third is beside it, and what that means."""
    names = [entry["name"] for entry in fact.evidence["objects"]]
    share, length = fact.evidence["offset"], fact.evidence["length"]
    if fact.form == "collinear.which":
        said = f"the {names[1]}, the {names[2]} and the {names[3]}"
        return [f"Seen from above, {said} are in line.", f"The {names[0]} is far beside every line of two of them."]
    if fact.form == "collinear.side":
        where = "nearer to" if fact.answer == "near" else "farther from"
        return [
            f"Seen from above, the {names[1]} is off the line through the {names[0]} and the {names[2]}.",
            f"It is about {round(100 * share)} percent of their distance beside it.",
            f"It is {where} the camera than the line.",
        ]
    line = f"Seen from above, the line from the {names[0]} to the {names[2]}"
    if fact.evidence["lengths"] == "m":
        first = (
            f"{line} is about {metres(length)} long, and the {names[1]} is about {metres(length * share)} beside it."
        )
    else:
        first = f"{line} has the {names[1]} beside it."
    last = "so they are in line" if fact.answer == "straight" else "so they are not in line"
    return [first, f"That is about {round(100 * share)} percent of its length, {last}."]


def _across(place: Array, start: Array, end: Array) -> float:
    """Signed offset of a place from the line through two others, as share of its length."""
    line, way = end - start, place - start
    return float(line[0] * way[1] - line[1] * way[0]) / max(float(line @ line), 1e-12)


def _offset(ground: Array) -> tuple[int, float]:
    """Which of three (3, 2) places is the middle one, and its offset as share of the length of the line."""
    sides = ground[[1, 2, 0]] - ground[[2, 0, 1]]
    square = (sides**2).sum(axis=1)
    middle = int(square.argmax())
    a, b = sides[middle], sides[middle - 1]
    return middle, abs(float(a[0] * b[1] - a[1] * b[0])) / max(float(square[middle]), 1e-12)


@dataclass(frozen=True)
class Off:
    """How far a place is off the line through two others, and its error, as shares of the ``length`` between them."""

    length: float
    offset: float
    sigma: float


def _off(scene: Scene, place: int, start: int, end: int) -> Off:
    """First order: each of the three places may be a step along its viewing ray away, and a little anywhere."""
    order = [start, end, place]
    ground, errors = scene.centres[order, ::2], scene.errors[order, ::2]
    line = ground[1] - ground[0]
    length = max(math.hypot(*line), 1e-9)
    share = float((ground[2] - ground[0]) @ line) / length**2
    weights = np.array([share - 1, -share, 1.0])
    aside = weights * (errors @ np.array([line[1], -line[0]])) / length
    unseen = UNSEEN * scene.unit * weights
    sigma = math.sqrt(float((aside**2 + unseen**2).sum())) / length
    return Off(length, abs(_across(ground[2], ground[0], ground[1])), sigma)


def _triple(scene: Scene, group: tuple[int, ...], margins: Margins) -> Triple:
    ground = scene.centres[list(group), ::2]
    middle = _offset(ground)[0]
    start, end = (k for k in range(3) if k != middle)
    off = _off(scene, group[middle], group[start], group[end])
    room = SURER * margins.sigmas * off.sigma
    apart = min(math.hypot(*(ground[middle] - ground[k])) for k in (start, end))
    said = None
    if off.length > SHORTEST * scene.unit and apart > CLOSEST * scene.unit:
        if off.offset + room < IN_LINE:
            said = "straight"
        elif off.offset - room > IN_LINE and off.offset > margins.bend:
            said = "bent"
    return Triple((group[start], group[end]), group[middle], off.length, off.offset, off.sigma, said)


def _in_picture(scene: Scene, group: tuple[int, ...]) -> str:
    """The answer if the picture were a map, with feet for places."""
    height, width = scene.depth.shape
    things = [scene.objects[k] for k in group]
    feet: NDArray[np.float64] = np.array([[obj.u[Q50] * width, obj.v[Q98] * height] for obj in things])
    return "straight" if _offset(feet)[1] < IN_LINE else "bent"


def _three(scene: Scene, triples: Triples, rng: np.random.Generator) -> Iterator[Fact]:
    found = [(group, triple) for group, triple in triples.items() if triple.said is not None]
    if len({triple.said for _, triple in found}) < 2:
        return
    flat = [_in_picture(scene, group) == triple.said for group, triple in found]
    for n in in_turns([(triple.said, right) for (_, triple), right in zip(found, flat)], rng):
        _, triple = found[n]
        a, c = triple.ends if rng.integers(2) else triple.ends[::-1]
        order = (a, triple.middle, c)
        named = [scene.objects[order[k]].name for k in rng.permutation(3)]
        slots = dict(zip("abc", named))
        said = str(triple.said)
        yield _fact(
            scene, "three", order, triple, said, ("bent" if said == "straight" else "straight",), slots, flat[n]
        )


def _which(scene: Scene, triples: Triples, usable: list[int], rng: np.random.Generator) -> Iterator[Fact]:
    found = []
    for group in combinations(usable, 4):
        said = [triples[tuple(k for k in group if k != out)].said for out in group]
        if said.count("straight") == 1 and said.count("bent") == 3:
            out = group[said.index("straight")]
            rest = tuple(k for k in group if k != out)
            height, width = scene.depth.shape
            feet = np.array([[scene.objects[k].u[Q50] * width, scene.objects[k].v[Q98] * height] for k in group])
            left = [_offset(np.delete(feet, k, axis=0))[1] for k in range(4)]
            found.append(((out, *rest), triples[rest], group[int(np.argmin(left))] == out))
    for n in in_turns([entry[2] for entry in found], rng):
        order, triple, right = found[n]
        names = [scene.objects[k].name for k in order]
        yield _fact(scene, "which", order, triple, names[0], tuple(names[1:]), {}, right)


def _side(scene: Scene, triples: Triples, margins: Margins, rng: np.random.Generator) -> Iterator[Fact]:
    groups = [group for group, triple in triples.items() if triple.said == "bent"]
    height, width = scene.depth.shape
    feet = np.array([[obj.u[Q50] * width, obj.v[Q98] * height] for obj in scene.objects])
    eye = np.array([width / 2, 2.0 * height])
    found = []
    for n in rng.permutation(len(groups))[:MOST_SIDES]:
        for b in groups[n]:
            a, c = (k for k in groups[n] if k != b)
            off = _off(scene, b, a, c)
            least = margins.bend + SURER * margins.sigmas * off.sigma
            start, end = scene.centres[a, ::2], scene.centres[c, ::2]
            own = _across(ORIGIN, start, end)
            if off.length < SHORTEST * scene.unit or min(off.offset, abs(own)) < least:
                continue
            near = own * _across(scene.centres[b, ::2], start, end) > 0
            flat = (_across(feet[b], feet[a], feet[c]) * _across(eye, feet[a], feet[c]) > 0) == near
            found.append((Triple((a, c), b, off.length, off.offset, off.sigma, "bent"), near, flat))
    if len({near for _, near, _ in found}) < 2:
        return
    for n in in_turns([entry[1:] for entry in found], rng):
        triple, near, flat = found[n]
        a, c = triple.ends if rng.integers(2) else triple.ends[::-1]
        order = (a, triple.middle, c)
        slots = dict(zip("abc", (scene.objects[k].name for k in order)))
        said, other = ("near", "far") if near else ("far", "near")
        yield _fact(scene, "side", order, triple, said, (other,), slots, flat)


def _fact(
    scene: Scene,
    form: str,
    order: tuple[int, ...],
    triple: Triple,
    answer: str,
    wrong: tuple[str, ...],
    slots: dict[str, str],
    shortcut: bool,
) -> Fact:
    things = [scene.objects[k] for k in order]
    roles = ("answer", "in line", "in line", "in line") if form == "which" else ("end", "middle", "end")
    places = [rounded(scene.centres[k, ::2], 3) for k in (*triple.ends, triple.middle)]
    return Fact(
        task="collinear",
        form=f"collinear.{form}",
        kind="bearing",
        frame="gravity",
        operands=tuple(thing.object_id for thing in things),
        style="among" if form == "which" else "value",
        answer=answer,
        wrong=wrong,
        value=triple.offset,
        unit="ratio",
        margin=triple.offset if form == "side" else abs(triple.offset - IN_LINE),
        formula=FORMULA,
        slots=slots,
        evidence={
            "objects": [about(thing, role) for thing, role in zip(things, roles)],
            "offset": rounded(triple.offset, 3),
            "length": rounded(triple.length, 3),
            "lengths": "m" if scene.supports("metric") else "depth",
            "sigma": rounded(triple.sigma, 3),
            "shortcut": {"rule": "the picture as a map", "right": bool(shortcut)},
            "draw": [{"kind": "segment", "in": "ground", "from": places[0], "to": places[1]}],
        },
    )

"""One of three or four things by a condition in space, for tasks that ask where in the picture that thing is.

*nearest/farthest*: from an anchor, by the gap between closest parts with centres in the same order; *near/far camera*:
as in `nearer`; *tallest*: as in `size`. The candidates are always named: what else the picture shows does not count.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, islice
from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt

from pseudogd.geometry.types import Scale
from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins, about, in_turns, seen_well
from pseudogd.vqa.phrasing import metres
from pseudogd.vqa.scene import Q05, Q50, Q98, Scene, SceneObject
from pseudogd.vqa.tasks.nearer import near_margin
from pseudogd.vqa.tasks.size import size_margin
from pseudogd.vqa.words.conditions import ANCHORED, CONDITIONS, LARGEST

AT_ONCE = 1.5
ANCHORS = 6
GROUPS = 5
COARSE = 48
"""A mask is looked at on a grid of about this many cells a side when its innermost place is searched."""


@dataclass(frozen=True)
class Choice:
    """``order``: candidates, the one that meets the condition first; ``numbers``: their measure in that order."""

    condition: str
    anchor: int | None
    order: tuple[int, ...]
    kind: str
    margin: float
    numbers: tuple[float, ...]
    shortcut: tuple[str, bool]


def choices(scene: Scene, usable: Sequence[int], rng: np.random.Generator, margins: Margins) -> Iterator[Choice]:
    """Sure choices among the ``usable`` things, every condition and both answers of its flat shortcut in turn."""
    # Two or three comparisons must hold at once, so each keeps more of its error than one alone would have to.
    margins = replace(margins, sigmas=AT_ONCE * margins.sigmas)
    found = [*_by_camera(scene, usable, rng, margins)]
    if scene.supports("ratio") and len(scene):
        found += _by_gap(scene, usable, rng, margins)
        if scene.has_gravity:
            found += _by_height(scene, usable, rng, margins)
    for k in in_turns([(choice.condition, choice.shortcut[1]) for choice in found], rng):
        yield found[k]


def winner(scene: Scene, fact: Fact) -> int | None:
    """Which of a fact's candidates (0 is its answer) meets its condition in this scene; None where nobody can say."""
    condition = condition_of(fact)
    indices = [scene.index(operand) for operand in fact.operands]
    if condition in ANCHORED:
        anchor, *indices = indices
        numbers = [scene.gap(anchor, k) for k in indices]
    elif condition == "tallest":
        if not scene.has_gravity:
            return None
        numbers = [scene.objects[k].tall or 0.0 for k in indices]
    else:
        numbers = [float(scene.objects[k].z[Q05]) for k in indices]
    return int(np.argmax(numbers) if condition in LARGEST else np.argmin(numbers))


def condition_of(fact: Fact) -> str:
    """The condition in the name of a fact's form."""
    form = fact.form.split(".")[1]
    return next(name for name in CONDITIONS if form.endswith(name))


def _groups(usable: Sequence[int], rng: np.random.Generator) -> Iterator[tuple[int, ...]]:
    for size in (4, 3):
        groups = list(islice(combinations(usable, size), 200))
        for k in rng.permutation(len(groups))[:GROUPS]:
            yield groups[k]


def _by_camera(scene: Scene, usable: Sequence[int], rng: np.random.Generator, margins: Margins) -> Iterator[Choice]:
    depth = {k: float(scene.objects[k].z[Q05]) for k in usable}
    for condition in ("near_camera", "far_camera"):
        nearest = condition == "near_camera"
        for group in _groups(usable, rng):
            order = sorted(group, key=depth.__getitem__, reverse=not nearest)
            first, *rest = (scene.objects[k] for k in order)
            leads = [near_margin(scene, *((first, o) if nearest else (o, first)), margins) for o in rest]
            if None in leads:
                continue
            lower = [scene.objects[k].v[Q98] * (1 if nearest else -1) for k in order]
            rule = "lower in the picture is nearer"
            numbers = tuple(depth[k] for k in order)
            margin = min(lead or 0.0 for lead in leads)
            yield Choice(condition, None, tuple(order), "ordinal", margin, numbers, (rule, max(lower) == lower[0]))


def _by_gap(scene: Scene, usable: Sequence[int], rng: np.random.Generator, margins: Margins) -> Iterator[Choice]:
    table = (scene.gaps.tolist(), scene.distance_errors.tolist(), scene.distances.tolist())
    for anchor in rng.permutation(len(scene))[:ANCHORS].tolist():
        gaps, start = table[0][anchor], scene.objects[anchor]
        least = margins.closest_gap * scene.unit
        lead = partial(_surely_nearer, gaps, table[1][anchor], table[2][anchor], least, margins)
        for group in _groups([k for k in usable if k != anchor], rng):
            for condition in ANCHORED:
                order = sorted(group, key=gaps.__getitem__, reverse=condition in LARGEST)
                first, *rest = order
                leads = [lead(first, k) if condition == "nearest" else lead(k, first) for k in rest]
                if None in leads:
                    continue
                flat = [_apart(scene, start, scene.objects[k]) for k in order]
                right = (max if condition in LARGEST else min)(flat) == flat[0]
                margin = min(more or 0.0 for more in leads)
                numbers = tuple(float(gaps[k]) for k in order)
                rule = ("same order in the picture", right)
                yield Choice(condition, anchor, tuple(order), "ratio", margin, numbers, rule)


def _surely_nearer(
    gaps: list[float], spread: list[float], centres: list[float], least: float, margins: Margins, near: int, far: int
) -> float | None:
    """By how much one thing is nearer to the anchor than another, as in `localization`; None where that is not sure."""
    more = gaps[far] - gaps[near]
    enough = more > max(least, margins.sigmas * math.hypot(spread[near], spread[far]))
    return more if enough and gaps[far] > margins.closest_ratio * gaps[near] and centres[far] > centres[near] else None


def _by_height(scene: Scene, usable: Sequence[int], rng: np.random.Generator, margins: Margins) -> Iterator[Choice]:
    whole = [k for k in usable if seen_well(scene.objects[k], scene) and (scene.objects[k].tall or 0) > 0]
    for group in _groups(whole, rng):
        order = sorted(group, key=lambda k: -(scene.objects[k].tall or 0.0))
        first, *rest = (scene.objects[k] for k in order)
        leads = [size_margin(first, other, "tall", margins) for other in rest]
        if None not in leads:
            numbers = tuple(float(scene.objects[k].tall or 0.0) for k in order)
            right = all(first.bbox[3] > other.bbox[3] for other in rest)
            margin = min(lead or 0.0 for lead in leads)
            yield Choice("tallest", None, tuple(order), "ratio", margin, numbers, ("taller in the picture", right))


def _apart(scene: Scene, a: SceneObject, b: SceneObject) -> float:
    height, width = scene.depth.shape
    return math.hypot((a.u[Q50] - b.u[Q50]) * width, (a.v[Q50] - b.v[Q50]) * height)


# ---------------------------------------------------------------- places in the picture
def share(scene: Scene, obj: SceneObject) -> float:
    """Share of the picture that a thing covers."""
    return float(obj.mask.sum() / obj.mask.size)


def touchable(scene: Scene, index: int, step: int = 1, full: int = 100) -> tuple[float, float] | None:
    """A place well inside the visible mask of a thing, (x, y) of ``full``, as it will be written; None without one.

    The cell that lies farthest from the outline; that far must be more than five of 640 pixels.
    """
    mask = scene.labels == index
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    top, left = int(rows[0]), int(columns[0])
    stride = max(1, max(rows[-1] - top, columns[-1] - left) // COARSE)
    crop = np.pad(mask[top : rows[-1] + 1 : stride, left : columns[-1] + 1 : stride], 1)
    inside = distance_transform_edt(crop)
    y, x = np.unravel_index(int(inside.argmax()), inside.shape)
    height, width = mask.shape
    if inside[y, x] * stride < max(1.5, 5 / 640 * max(height, width)):
        return None
    place = (left + (x - 1) * stride + 0.5) / width * full, (top + (y - 1) * stride + 0.5) / height * full
    written = round(place[0] * step) / step, round(place[1] * step) / step
    column, row = (min(int(w / full * n), n - 1) for w, n in zip(written, (width, height)))
    around = mask[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
    return written if around.all() else None


def to_mirror(text: str, full: float) -> str:
    """A point ``(x, y)`` or a box ``[x0, y0, x1, y1]`` of the left-right mirrored picture, written the same way."""
    digits = 2 if full == 1 else 0
    numbers = [float(number) for number in re.findall(r"[\d.]+", text)]
    if len(numbers) == 4:
        numbers = [full - numbers[2], numbers[1], full - numbers[0], numbers[3]]
    else:
        numbers[0] = full - numbers[0]
    inner = ", ".join(f"{number:.{digits}f}" for number in numbers)
    return f"{text[0]}{inner}{text[-1]}"


# ---------------------------------------------------------------- facts and steps
def said_of(scene: Scene, choice: Choice, rng: np.random.Generator) -> dict[str, Any]:
    """What facts of a choice share: operands, slots, value, evidence. The list of names is in random order."""
    things = [scene.objects[k] for k in choice.order]
    start = None if choice.anchor is None else scene.objects[choice.anchor]
    entries = [] if start is None else [about(start, "anchor")]
    entries += [about(thing, "answer" if k == 0 else "other") for k, thing in enumerate(things)]
    named = [things[k].name for k in rng.permutation(len(things))]
    *head, last = [f"the {name}" for name in named]
    slots = {"list": f"{', '.join(head)} or {last}", **({} if start is None else {"a": start.name})}
    metric = scene.geometry.scale is Scale.METRIC and scene.has_camera
    affine = scene.geometry.scale is Scale.AFFINE_DISPARITY
    return {
        "kind": choice.kind,
        "operands": tuple(entry["id"] for entry in entries),
        "slots": slots,
        "value": choice.numbers[0],
        "unit": "m" if metric else "rank" if affine else "depth",
        "margin": choice.margin,
        "evidence": {
            "objects": entries,
            "numbers": rounded(list(choice.numbers), 3),
            "shortcut": {"rule": choice.shortcut[0], "right": bool(choice.shortcut[1])},
        },
    }


def steps_to(fact: Fact) -> list[str]:
    """How the thing is found among the candidates, from the numbers of the fact."""
    condition, numbers = condition_of(fact), fact.evidence["numbers"]
    names = [entry["name"] for entry in fact.evidence["objects"] if entry["role"] != "anchor"]
    quantity = {"nearest": "gap to the {a}", "farthest": "gap to the {a}", "tallest": "height"}.get(
        condition, "depth from the camera"
    ).format(**fact.slots)
    if fact.unit == "m":
        told = ", ".join(f"{metres(number)} for the {name}" for number, name in zip(numbers, names))
        first = f"The {quantity} is about {told}."
    elif fact.unit == "depth" and min(numbers) > 0:
        least = min(numbers)
        told = ", ".join(f"{number / least:.1f} times for the {name}" for number, name in zip(numbers, names))
        first = f"Measured by the smallest {quantity} of them, it is {told}."
    else:
        word = "greatest" if condition in LARGEST else "smallest"
        first = f"The {names[0]} has the {word} {quantity}; then come the {' and the '.join(names[1:])}."
    return [first, f"So it is the {names[0]} that {CONDITIONS[condition][0].format(**fact.slots)}."]

"""Which region of the picture holds the thing that meets a condition in space: a box, a quarter, a coordinate.

Never "where is the chair": the thing is one of three or four named ones, found by a condition (see `_conditions`).
*box*: ``[x0, y0, x1, y1]`` of the visible part, in percent of the picture or on a scale of 0 to 1000; *quarter*: upper
or lower, left or right; *coordinate*: ``(x, y)`` from 0 to 1 inside the visible part. Asked only of things that cover
at least a share of the picture and are seen whole, whose boxes hardly overlap; of quarters only if each candidate
keeps clear of both middle lines and not all are in one quarter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, tee

import numpy as np

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.guards import Margins, blend, seen_well
from pseudogd.vqa.scene import Q02, Q98, Scene, SceneObject
from pseudogd.vqa.tasks._conditions import Choice, choices, said_of, share, steps_to, to_mirror, touchable, winner
from pseudogd.vqa.words.region import FORMS as FORMS
from pseudogd.vqa.words.region import QUARTERS, UNITS
from pseudogd.vqa.words.telling import DEPTH, HEIGHT, SIDE, SIZE

QUOTA = 1
NEEDS = "ordinal"
TELLING = {
    name: (SIZE if name.endswith("tallest") else DEPTH) | (SIDE | HEIGHT if "quarter" in name else frozenset())
    for name in FORMS
}

OVERLAP = 0.3
OFF_MIDDLE = 0.03


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Boxes, quarters and coordinates in turn."""
    usable = [
        k
        for k, obj in enumerate(scene.objects)
        if seen_well(obj, scene) and share(scene, obj) >= margins.region_share and not obj.boxes_only
    ]
    boxes, quarters, coordinates = tee(choices(scene, usable, rng, margins), 3)
    yield from blend(
        rng,
        (1, _boxes(scene, boxes, rng)),
        (1, _quarters(scene, quarters, rng)),
        (1, _coordinates(scene, coordinates, rng)),
    )


def answer(scene: Scene, fact: Fact) -> str | None:
    """The region of the candidate that meets the condition; None for a quarter that another candidate would be in."""
    best = winner(scene, fact)
    if best is None:
        return None
    if fact.form.startswith("region.quarter"):
        return str(fact.evidence["places"][best])
    return (fact.answer, *fact.wrong)[best]


def mirrored(fact: Fact) -> Fact:
    """The fact of the left-right mirrored picture."""
    full = fact.evidence.get("full")
    if full is None:
        answer, *wrong = (_other_side(key) for key in (fact.answer, *fact.wrong))
        places = [_other_side(key) for key in fact.evidence["places"]]
        return replace(fact, answer=answer, wrong=tuple(wrong), evidence={**fact.evidence, "places": places})
    answer, *wrong = (to_mirror(text, full) for text in (fact.answer, *fact.wrong))
    return replace(fact, answer=answer, wrong=tuple(wrong))


def steps(fact: Fact) -> list[str]:
    """The measures of all candidates, the one that meets the condition, and that this is its place."""
    told = steps_to(fact)
    name = next(entry["name"] for entry in fact.evidence["objects"] if entry["role"] == "answer")
    said = QUARTERS.get(fact.answer, fact.answer)
    place = {"box": f"The box around the {name} is {said}.", "quarter": f"The {name} is in the {said} quarter."}
    return [*told, place.get(_target(fact), f"The {name} is at {said}.")]


def _target(fact: Fact) -> str:
    return fact.form.split(".")[1].split("_")[0]


def _other_side(key: str) -> str:
    side = {"left": "right", "right": "left"}
    return "_".join(side.get(part, part) for part in key.split("_"))


def _boxes(scene: Scene, found: Iterator[Choice], rng: np.random.Generator) -> Iterator[Fact]:
    for choice in found:
        things = [scene.objects[k] for k in choice.order]
        if any(_overlap(a, b) > OVERLAP for a, b in combinations(things, 2)):
            continue
        full = (100, 1000)[int(rng.integers(2))]
        texts = [box_text(_edges(scene, thing), full) for thing in things]
        yield _fact(scene, choice, "box", texts, rng, full)


def _quarters(scene: Scene, found: Iterator[Choice], rng: np.random.Generator) -> Iterator[Fact]:
    for choice in found:
        keys = [quarter(scene.objects[k]) for k in choice.order]
        if None in keys or len(set(keys)) < 2:
            continue
        texts = [str(keys[0]), *(key for key in QUARTERS if key != keys[0])]
        fact = _fact(scene, choice, "quarter", texts, rng, None)
        yield replace(fact, evidence={**fact.evidence, "places": [str(key) for key in keys]})


def _coordinates(scene: Scene, found: Iterator[Choice], rng: np.random.Generator) -> Iterator[Fact]:
    places = {}
    for choice in found:
        for k in choice.order:
            if k not in places:
                places[k] = touchable(scene, k, 100, 1)
        marks = [places[k] for k in choice.order]
        if all(mark is not None for mark in marks):
            texts = [f"({mark[0]:.2f}, {mark[1]:.2f})" for mark in marks if mark is not None]
            yield _fact(scene, choice, "coordinate", texts, rng, 1)


def _edges(scene: Scene, obj: SceneObject) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 of a thing's box as shares of the picture."""
    rows, columns = np.flatnonzero(obj.mask.any(axis=1)), np.flatnonzero(obj.mask.any(axis=0))
    height, width = obj.mask.shape
    return columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height


def box_text(edges: tuple[float, float, float, float], full: int) -> str:
    """``[x0, y0, x1, y1]`` as whole numbers of ``full``."""
    return f"[{', '.join(str(round(edge * full)) for edge in edges)}]"


def quarter(obj: SceneObject) -> str | None:
    """The quarter of the picture that holds (nearly) all of a thing; None where it comes near a middle line."""
    sides = []
    for ends, names in ((obj.v, ("upper", "lower")), (obj.u, ("left", "right"))):
        if ends[Q98] < 0.5 - OFF_MIDDLE:
            sides.append(names[0])
        elif ends[Q02] > 0.5 + OFF_MIDDLE:
            sides.append(names[1])
        else:
            return None
    return "_".join(sides)


def _overlap(a: SceneObject, b: SceneObject) -> float:
    """Share of the smaller box that lies in the other one."""
    ax, ay, aw, ah = a.bbox
    bx, by, bw, bh = b.bbox
    across, down = min(ax + aw, bx + bw) - max(ax, bx), min(ay + ah, by + bh) - max(ay, by)
    return max(across, 0.0) * max(down, 0.0) / max(min(aw * ah, bw * bh), 1e-9)


def _fact(
    scene: Scene, choice: Choice, target: str, texts: list[str], rng: np.random.Generator, full: int | None
) -> Fact:
    said = said_of(scene, choice, rng)
    evidence = dict(said.pop("evidence"))
    slots = dict(said.pop("slots"))
    if full is not None:
        evidence["full"] = full
    if target == "box":
        slots["units"] = UNITS[full or 100]
    evidence["draw"] = [
        {"kind": "box", "in": "picture", "at": [round(100 * edge, 1) for edge in _edges(scene, obj)], "label": obj.name}
        for obj in (scene.objects[k] for k in choice.order)
    ]
    return Fact(
        task="region",
        form=f"region.{target}_{choice.condition}",
        frame="camera",
        style="value" if target == "quarter" else "point",
        answer=texts[0],
        wrong=tuple(texts[1:]),
        formula=f"the one of the candidates that meets the condition {choice.condition}; its visible part",
        slots=slots,
        evidence=evidence,
        **said,
    )

"""Pointing: a place inside the thing that meets a condition in space, as (x, y) in percent or on a scale of 0 to 1000.

The thing is one of three or four named ones, found by a condition (see `_conditions`), and the place lies well inside
its visible mask. Wrong points of multiple choice lie on the other candidates, so that finding any named thing is not
enough. Asked only of things that cover at least a share of the picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.guards import Margins
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.tasks._conditions import choices, said_of, share, steps_to, to_mirror, touchable, winner
from pseudogd.vqa.words.point_in import FORMS as FORMS
from pseudogd.vqa.words.region import UNITS
from pseudogd.vqa.words.telling import DEPTH, SIZE

QUOTA = 1
NEEDS = "ordinal"
TELLING = {name: SIZE if name.endswith("tallest") else DEPTH for name in FORMS}


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Places on things, every condition in turn, in percent or on a scale of 0 to 1000 as a coin says."""
    usable = [
        k for k, obj in enumerate(scene.objects) if not obj.boxes_only and share(scene, obj) >= margins.region_share
    ]
    places: dict[tuple[int, int], tuple[float, float] | None] = {}
    for choice in choices(scene, usable, rng, margins):
        full = (100, 1000)[int(rng.integers(2))]
        for k in choice.order:
            if (k, full) not in places:
                places[k, full] = touchable(scene, k, 1, full)
        marks = [places[k, full] for k in choice.order]
        if any(mark is None for mark in marks):
            continue
        said = said_of(scene, choice, rng)
        evidence, slots = dict(said.pop("evidence")), dict(said.pop("slots"))
        texts = [f"({mark[0]:.0f}, {mark[1]:.0f})" for mark in marks if mark is not None]
        percent = [[100 * number / full for number in mark] for mark in marks if mark is not None]
        yield Fact(
            task="point_in",
            form=f"point_in.{choice.condition}",
            frame="camera",
            style="point",
            answer=texts[0],
            wrong=tuple(texts[1:]),
            formula=f"the one of the candidates that meets the condition {choice.condition}; inside its eroded mask",
            slots={**slots, "units": UNITS[full]},
            evidence={
                **evidence,
                "full": full,
                "draw": [
                    {"kind": "point", "in": "picture", "at": place, "label": scene.objects[k].name}
                    for place, k in zip(percent, choice.order)
                ],
            },
            **said,
        )


def answer(scene: Scene, fact: Fact) -> str | None:
    """The place on the candidate that meets the condition."""
    best = winner(scene, fact)
    return None if best is None else (fact.answer, *fact.wrong)[best]


def mirrored(fact: Fact) -> Fact:
    """The fact of the left-right mirrored picture."""
    answer, *wrong = (to_mirror(text, fact.evidence["full"]) for text in (fact.answer, *fact.wrong))
    return replace(fact, answer=answer, wrong=tuple(wrong))


def steps(fact: Fact) -> list[str]:
    """The measures of all candidates, the one that meets the condition, and a place on it."""
    name = next(entry["name"] for entry in fact.evidence["objects"] if entry["role"] == "answer")
    return [*steps_to(fact), f"The point {fact.answer} is on the {name}."]

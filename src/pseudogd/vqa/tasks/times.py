"""How many times as far, as tall or as wide is one thing as another? No metres are needed.

*Farther* (frame: camera): ratio of the lengths of the rays to the middles. *Taller*, *wider* (frame: gravity): ratio
of the real extents (width: level, across the line of sight), as in `size`, of things that are seen whole. Both ways
are asked, so that ratios below and above one are as frequent. Needs depth that is right up to one factor; asked only
if the ratio is not near one. The wrong options are at least a factor of 1.5 away, and farther where the propagated
error asks for it; where a factor of 2 is too little, nothing is asked.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.fairness import alternatives
from pseudogd.vqa.guards import Margins, about, blend, in_turns, pairs, seen_well
from pseudogd.vqa.phrasing import Form, meant, metres
from pseudogd.vqa.scene import Scene, SceneObject
from pseudogd.vqa.tasks._plan import well_placed
from pseudogd.vqa.tasks._written import (
    CHOICES,
    few,
    has_middle,
    ratio_grid,
    size_error,
    snapped,
    spaced,
    spacing,
    times,
    unseen,
)
from pseudogd.vqa.tasks.size import SMALLEST
from pseudogd.vqa.words.telling import DEPTH, SIZE

QUOTA = 1.0
NEEDS = "ratio"
TELLING = {"times.far": DEPTH, "times.tall": SIZE, "times.wide": SIZE}

RATIO = 1.5
LARGEST = 10.0
MOST_THINGS = 12
QUANTITIES = {
    "far": "distance of the middle from the camera",
    "tall": "real height",
    "wide": "real width across the line of sight",
}
FORMULAS = {
    "far": "|centre a| / |centre b|",
    "tall": "ratio of the extents along up (1-99% of the outline)",
    "wide": "ratio of the level extents across the line of sight (1-99% of the outline)",
}

_FAR = (
    "How many times as far from the camera is the middle of the {a} as the middle of the {b}?",
    "The distance from the camera to the middle of the {a} is how many times that to the middle of the {b}?",
    "What is the ratio of the camera's distance to the middle of the {a} to its distance to the middle of the {b}?",
    "Divide the camera's distance to the middle of the {a} by that to the middle of the {b}: what is the ratio?",
)
_TALL = (
    "How many times as tall in real size is the {a} as the {b}?",
    "The real height of the {a} is how many times that of the {b}?",
    "What is the ratio of the real height of the {a} to the real height of the {b}?",
    "Divide the real height of the {a} by the real height of the {b}: what do you get?",
)
_WIDE = (
    "Across the camera's line of sight, how many times as wide in real size is the {a} as the {b}?",
    "The real width of the {a} across the line of sight is how many times that of the {b}?",
    "What is the ratio of the real width of the {a} to that of the {b}, both across the line of sight?",
    "Divide the real width of the {a} across the line of sight by that of the {b}: what do you get?",
)
FORMS = meant(
    {f"times.{name}": Form(mc=texts, open=texts) for name, texts in (("far", _FAR), ("tall", _TALL), ("wide", _WIDE))},
    {
        "times.far": (r"camera.*middle of the \{a\}.*\{b\}|middle of the \{a\}.*camera.*\{b\}", r"tall|height|wid"),
        "times.tall": (r"(tall.*real size|real height).*\{b\}", r"wid|camera|\bfar"),
        "times.wide": (r"(?=.*line of sight).*(wide in real size|real width).*\{b\}", r"tall|height|\bfar"),
    },
)


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Ratios of distances and, with gravity, of sizes."""
    if not scene.supports("ratio"):
        return
    far = [thing for thing in scene.objects if has_middle(thing) and well_placed(scene, thing)]
    whole = [thing for thing in far if scene.has_gravity and seen_well(thing, scene)]
    yield from blend(
        rng,
        *(
            (1, _ratios(scene, things, form, rng, margins))
            for form, things in (("far", far), ("tall", whole), ("wide", whole))
        ),
    )


def answer(scene: Scene, fact: Fact) -> float | None:
    """The ratio, by the definition of the form; None where a size is not known."""
    form = fact.form.split(".")[1]
    a, b = (_measure(scene.objects[scene.index(operand)], form) for operand in fact.operands)
    return a / b if a > 0 and b > 0 else None


def steps(fact: Fact) -> list[str]:
    """The two measures and their quotient."""
    form = fact.form.split(".")[1]
    a, b = (str(entry["name"]) for entry in fact.evidence["objects"])
    first, second = fact.evidence["measures"]
    quantity = QUANTITIES[form]
    lines = [f"Compare the {quantity} of the {a} with that of the {b}."]
    if fact.evidence["metric"]:
        lines.append(f"For the {a} it is {metres(first)}, for the {b} it is {metres(second)}.")
    lines.append(f"The first divided by the second is about {fact.answer.split()[0]}.")
    return lines


def _measure(thing: SceneObject, form: str) -> float:
    if form == "far":
        return 0.0 if thing.centre is None else float(np.linalg.norm(thing.centre))
    return (thing.tall if form == "tall" else thing.wide) or 0.0


def _error(scene: Scene, thing: SceneObject, form: str) -> float:
    if form == "wide":
        return size_error(thing, form)
    if form == "tall":
        # A magazine on a desk is as tall as the lean of up makes it (as in `extent`).
        lean = scene.settings.up_sigma * (thing.wide or 0.0) / max(thing.tall or 0.0, 1e-9)
        return math.hypot(size_error(thing, form), lean)
    # Where no floor is known, nothing but depth itself says where a thing is, as of one that is lifted off the floor.
    doubt = scene.settings.lifted_doubt if scene.ground is None else 1.0
    return math.hypot(doubt * thing.sigma, unseen(thing) / max(_measure(thing, form), 1e-9))


def _ratios(
    scene: Scene, things: list[SceneObject], form: str, rng: np.random.Generator, margins: Margins
) -> Iterator[Fact]:
    things = [thing for thing in things if _measure(thing, form) > SMALLEST * scene.unit]
    things = [things[k] for k in few(rng, len(things), MOST_THINGS)]
    found = []
    for i, j in pairs(len(things)):
        ratio = _measure(things[i], form) / _measure(things[j], form)
        a, b = (things[i], things[j]) if ratio > 1 else (things[j], things[i])
        ratio, sigma = max(ratio, 1 / ratio), math.hypot(_error(scene, a, form), _error(scene, b, form))
        apart = spacing(sigma, margins, RATIO)
        if margins.size_ratio < ratio < LARGEST and apart is not None:
            found.append((a, b, ratio, sigma, apart))
    if margins.fair:
        yield from _fair_ratios(scene, form, found, rng)
        return
    # Small ratios are far more frequent than large ones: one of each in turn.
    for k in in_turns([int(math.log(ratio) / math.log(RATIO)) for *_, ratio, _, _ in found], rng):
        a, b, ratio, sigma, apart = found[k]
        if rng.integers(2):
            a, b, ratio = b, a, 1 / ratio
        wrong = spaced(snapped(ratio, ratio_grid), rng, ratio_grid, apart, 2 * LARGEST)
        yield _fact(scene, form, (a, b), ratio, sigma, apart, wrong)


def _fair_ratios(
    scene: Scene,
    form: str,
    found: list[tuple[SceneObject, SceneObject, float, float, float]],
    rng: np.random.Generator,
) -> Iterator[Fact]:
    """Ratios beside other ones of the same photo, each as likely to be asked for."""
    either = [(a, b, ratio) if rng.integers(2) else (b, a, 1 / ratio) for a, b, ratio, *_ in found]
    values = {k: snapped(ratio, ratio_grid) for k, (*_, ratio) in enumerate(either)}
    apart = max((entry[4] for entry in found), default=RATIO)
    for k, others in alternatives(values, apart, CHOICES, rng):
        a, b, ratio = either[k]
        yield _fact(scene, form, (a, b), ratio, found[k][3], apart, [values[other] for other in others])


def _fact(
    scene: Scene,
    form: str,
    things: tuple[SceneObject, SceneObject],
    ratio: float,
    sigma: float,
    apart: float,
    wrong: Sequence[float],
) -> Fact:
    written = snapped(ratio, ratio_grid)
    return Fact(
        task="times",
        form=f"times.{form}",
        kind="ratio",
        frame="camera" if form == "far" else "gravity",
        operands=tuple(thing.object_id for thing in things),
        style="number",
        answer=times(written),
        wrong=tuple(times(number) for number in wrong),
        value=ratio,
        unit="ratio",
        margin=1 / max(sigma, 1e-9),
        formula=FORMULAS[form],
        slots={"a": things[0].name, "b": things[1].name},
        evidence={
            "objects": [about(thing, role) for thing, role in zip(things, "ab")],
            "measures": rounded([_measure(thing, form) for thing in things]),
            "metric": scene.supports("metric"),
            "sigma": rounded(sigma * ratio),
            "spacing": rounded(apart, 2),
        },
    )

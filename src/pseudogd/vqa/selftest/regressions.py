"""Mistakes that public generators of spatial questions have shipped, each as a check that would see it here.

Every function returns what is wrong, a line each. The mistakes are known from the generators' sources and threads; what
they were is said in each function's docstring.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from pseudogd.geometry.types import Scale
from pseudogd.vqa import categories
from pseudogd.vqa.guards import Margins
from pseudogd.vqa.lengths import UNITS, written
from pseudogd.vqa.scene import CannotAnswer
from pseudogd.vqa.selftest.golden import CARDS, ROOMS, Block, golden
from pseudogd.vqa.selftest.run import facts_in
from pseudogd.vqa.tasks import TASKS, clock, forms

SECTOR_MARGIN = math.radians(12)


def metres_of_no_metric_depth() -> list[str]:
    """Depth without a unit was multiplied by ten and called metres."""
    flaws = []
    for scale in (Scale.UP_TO_SCALE, Scale.AFFINE_DISPARITY):
        scene = golden(CARDS, scale=scale)
        try:
            scene.require("metric")
            flaws.append(f"{scale.value}: a metric question is allowed")
        except CannotAnswer:
            pass
        flaws += [f"{f.form} is asked of {scale.value}" for t in TASKS for f in facts_in(scene, t, [0]) if f.unit == "m"
                  and f.style == "number"]  # fmt: skip
    return flaws


def height_read_from_the_width() -> list[str]:
    """The height of a pole was its horizontal extent."""
    blocks = [Block("pole", -0.8, 3.0, 0.1, 1.4), Block("plank", 0.7, 3.0, 1.4, 0.1), Block("cube", 0, 4.5, 0.5, 0.5)]
    scene, flaws = golden(blocks), []
    for thing, block in zip(scene.objects, blocks):
        for name, said, true in (("tall", thing.tall, block.height), ("wide", thing.wide, block.width)):
            if said is None or abs(said - true) > 0.05 * true + 0.03:
                flaws.append(f"the {block.name} is {true} m {name}, measured {said}")
    for fact in facts_in(scene, "size", [0]):
        if set(fact.operands) == {"0", "1"}:
            right = "pole" if fact.form.split(".")[1] in ("taller", "narrower") else "plank"
            if fact.answer != right:
                flaws.append(f"{fact.form} of pole and plank says {fact.answer}")
    return flaws


def backwards_after_gravity_alignment() -> list[str]:
    """Turning the scene to gravity flipped its depth axis: front and behind changed places."""
    flaws = []
    wanted = [block.name for block in sorted(CARDS, key=lambda block: block.z)]
    for view in ({"up_confidence": None}, {}, {"pitch_deg": 15.0}, {"pitch_deg": 15.0, "up_confidence": None}):
        scene = golden(CARDS, **view)  # type: ignore[arg-type]
        order = [thing.name for thing in sorted(scene.objects, key=lambda thing: float(thing.z[1]))]
        if order != [name for name in wanted if name in order]:
            flaws.append(f"{view}: the order of depth is {order}")
        flaws += [
            f"{view}: {t.name} lies behind the camera" for t in scene.objects if t.centre is None or t.centre[2] <= 0
        ]
    return flaws


def names_slip_after_an_empty_mask() -> list[str]:
    """One object without points shortened a list, and the names of all after it moved up."""
    whole = {thing.object_id: thing.name for thing in golden(CARDS).objects}
    unseen = [*CARDS[:2], Block("green card", 0.1, 5.0, 0.001, 0.001), *CARDS[3:]]
    fewer = {thing.object_id: thing.name for thing in golden(unseen).objects}
    wanted = {key: name for key, name in whole.items() if key != "2"}
    return [] if fewer == wanted else [f"after one object was dropped: {fewer}, not {wanted}"]


def a_direction_without_a_facing() -> list[str]:
    """A clock direction was asked without saying which way one looks, and meant the camera's."""
    turning = ("hypothetical", "clock", "octant", "turn", "first_seen", "viewpoint")
    flaws = []
    for name, form in forms().items():
        if name.split(".")[0] in turning:
            flaws += [f"{name} names no facing: {t!r}" for t in form.wordings() if not ("{y}" in t and "{x}" in t)]
    return flaws


def a_clock_hour_cut_off_instead_of_rounded() -> list[str]:
    """One degree to the right of straight ahead was one o'clock, and 29 degrees to the left twelve."""
    flaws = []
    for degree in range(-360, 360):
        said = int(clock.hour_of(math.radians(degree)))
        if not 1 <= said <= 12 or abs((degree - 30 * said + 180) % 360 - 180) > 15:
            flaws.append(f"{degree} degrees clockwise of 12 is told as {said}")
    return flaws


def categories_by_part_of_a_word() -> list[str]:
    """A list of unwanted words was matched by substring: a seat holds an "eat", a nightstand a "stand"."""
    has_none = (
        "car seat cover",
        "carpet",
        "cartoon",
        "personal computer case",
        "horseshoe",
        "dogwood",
        "ball",
        "bottle",
    )
    flaws = [f"a {name} is said to have a front" for name in has_none if categories.has_front(name)]
    flaws += [
        f"a {name} is said to have none" for name in ("red chair", "Person", "car") if not categories.has_front(name)
    ]
    return flaws


def one_unit_taken_for_another() -> list[str]:
    """A test for "meters" was passed by "centimeters"."""
    flaws = []
    for sign, unit in UNITS.items():
        for metres in np.linspace(0.4, 25, 60):
            text = written(float(metres), sign)
            number, said = text.split()
            size = UNITS[said].metres
            step = size * (0.051 if metres / size < 9.95 else 0.51)
            if said != sign or abs(float(number) * size - metres) > step:
                flaws.append(f"{metres:.3f} m in {unit.name} is written {text!r}")
    return flaws


def sectors_without_a_margin() -> list[str]:
    """Eight sectors were cut with no margin: a degree decided between two answers."""
    flaws = []
    if Margins().sector < SECTOR_MARGIN:
        flaws.append(f"the margin of sectors is {math.degrees(Margins().sector):.0f} degrees")
    for room in ROOMS:
        for fact in facts_in(room.scene(), "hypothetical", [0]):
            away = abs((fact.value + 45) % 90 - 45)
            if 45 - away < math.degrees(SECTOR_MARGIN):
                flaws.append(f"{fact.form}({', '.join(fact.operands)}) is asked at {fact.value:.1f} degrees")
    return flaws


def one_answer_far_too_often() -> list[str]:
    """57 % of the answers of one kind of question were "front"."""
    flaws, scene = [], ROOMS[0].scene(side=128)
    for task in ("hypothetical", "direction", "nearer", "size"):
        counts: dict[str, dict[str, int]] = {}
        for seed in range(40):
            for fact in facts_in(scene, task, [seed])[:6]:
                if fact.style == "value":
                    counts.setdefault(fact.form, {}).setdefault(fact.answer, 0)
                    counts[fact.form][fact.answer] += 1
        for form, answers in counts.items():
            total = sum(answers.values())
            if total >= 60 and max(answers.values()) > total * (1 / len(answers) + 0.25):
                flaws.append(f"{form}: {answers}")
    return flaws


REGRESSIONS: Mapping[str, Callable[[], list[str]]] = {
    check.__name__.replace("_", " "): check
    for check in (
        metres_of_no_metric_depth,
        height_read_from_the_width,
        backwards_after_gravity_alignment,
        names_slip_after_an_empty_mask,
        a_direction_without_a_facing,
        a_clock_hour_cut_off_instead_of_rounded,
        categories_by_part_of_a_word,
        one_unit_taken_for_another,
        sectors_without_a_margin,
        one_answer_far_too_often,
    )
}

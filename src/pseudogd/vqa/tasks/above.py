"""Directly above / directly below / neither, in the real scene.

Frame: gravity. Of two things whose heights do not overlap, the higher one is directly above the other if both overlap
on the ground plan: across the line of sight by half of the narrower one at least, along it with the middle of the
upper one over the visible part of the lower one, or so little behind it that a thing of its width may well reach
there (asked only where it is over the visible part).

Asked only with a camera and confident gravity. *Stacked*: the plans overlap by more than the propagated error along
the ray; or the upper one's lower end meets the lower one in the picture at one depth, which shows that it rests there
however wrong both depths are together. *Neither*: the plans are apart by more than the margin and the error; as many
of those as of the stacked, so that no answer is the usual one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import MOSTLY_KNOWN, Margins, about, blend, in_turns, pairs
from pseudogd.vqa.phrasing import Form, meant
from pseudogd.vqa.scene import Q02, Q10, Q50, Q90, Q98, Scene, SceneObject
from pseudogd.vqa.tasks._plan import ACROSS, TOUCHES, meeting_shares, plan_of
from pseudogd.vqa.tasks._written import capital, few, has_middle
from pseudogd.vqa.tasks.direction import height_margin
from pseudogd.vqa.words.telling import HEIGHT

QUOTA = 1.0
NEEDS = "bearing"
TELLING = {"above": HEIGHT}

FORMULA = "overlap of 5-95% extents across and along the line of sight, and of heights"
RULE = "above it in the picture"
OPPOSITE = {"above": "below", "below": "above", "neither": "neither"}
MOST_THINGS = 12
SLACK = 0.03

_ASK = (
    "In the real scene, is the {a} directly above the {b}, directly below it, or neither?",
    "In space, is the {a} directly above or directly below the {b}, or neither?",
    "Is the {a} really directly above the {b}, directly below it, or neither of the two?",
    "Where is the {a} in the real scene: directly above the {b}, directly below it, or neither?",
)


def _claims(word: str) -> tuple[str, ...]:
    return (
        f"In the real scene, is the {{a}} {word} the {{b}}?",
        f"In space, is the {{a}} {word} the {{b}}?",
        f"Is the {{a}} really {word} the {{b}}?",
    )


FORMS = meant(
    {
        "above.place": Form(
            mc=_ASK,
            open=_ASK,
            yesno={
                "above": _claims("directly above"),
                "below": _claims("directly below"),
                "neither": _claims("neither directly above nor directly below"),
            },
            answers={
                "above": "directly above it",
                "below": "directly below it",
                "neither": "neither above nor below it",
            },
        )
    },
    {"above.place": (r"\{a\}.*directly above.*directly below.*neither", r"picture|\b(left|right)\b")},
    above=r"^(?!.*neither).*directly above",
    below=r"^(?!.*neither).*directly below",
    neither=r"neither directly above nor directly below",
)


Found = list[tuple[SceneObject, SceneObject, float, bool]]


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Stacked things, and as many that are apart."""
    if not (scene.supports("bearing") and scene.has_gravity):
        return
    stacked: Found = []
    rest: Found = []
    things = [thing for thing in scene.objects if not thing.boxes_only and thing.known >= MOSTLY_KNOWN]
    things = [things[k] for k in few(rng, len(things), MOST_THINGS)]
    for i, j in pairs(len(things)):
        upper, lower = _by_height(things[i], things[j])
        screen = _on_screen(upper, lower)
        margin = stacked_margin(scene, upper, lower, margins) if _columns_meet(upper, lower) else None
        if margin is not None:
            stacked.append((upper, lower, margin, screen == "above"))
        else:
            rest.append((upper, lower, 0.0, screen == "neither"))
    yield from blend(
        rng,
        (2, (_fact(scene, *stacked[k], True, rng) for k in in_turns([entry[3] for entry in stacked], rng))),
        (1, _as_many(scene, rest, (len(stacked) + 1) // 2, margins, rng)),
    )


def answer(scene: Scene, fact: Fact) -> str | None:
    """By height and plan; None without gravity."""
    a, b = (scene.objects[scene.index(operand)] for operand in fact.operands)
    if a.height is None or b.height is None:
        return None
    upper, lower = _by_height(a, b)
    apart = _height(upper)[Q10] < _height(lower)[Q90] - SLACK * scene.unit
    if apart or not plan_of(scene, upper, lower).stacked:
        return "neither"
    return "above" if upper is a else "below"


def steps(fact: Fact) -> list[str]:
    """Whether the plans overlap, who is higher, and what follows."""
    upper, lower = (entry["name"] for entry in fact.evidence["objects"])
    if fact.answer == "neither":
        return [
            f"Seen from straight overhead, the {upper} and the {lower} would not overlap.",
            "So neither of the two is directly above or below the other.",
        ]
    told = capital(f"the {upper} is directly above the {lower}.")
    return [
        f"Seen from straight overhead, the {upper} and the {lower} would overlap.",
        f"Of the two, the {upper} is the higher one.",
        told if fact.answer == "above" else told[:-1] + f", so the {lower} is directly below the {upper}.",
    ]


def stacked_margin(scene: Scene, upper: SceneObject, lower: SceneObject, margins: Margins) -> float | None:
    """Share of the lower end that rests on the other, else overlap over its error; None where it is not sure."""
    over = _height(upper)[Q10] - _height(lower)[Q90] + SLACK * scene.unit
    if over < 0 or not has_middle(upper):
        return None
    plan = plan_of(scene, upper, lower)
    if not plan.stacked:
        return None
    meets, rests = meeting_shares(scene, upper, lower)
    if meets > TOUCHES / 5:
        # It rests there, or it is behind and its lower end is hidden.
        gap = _height(upper)[Q50] - _height(lower)[Q50]
        sure = plan.along > 0 and rests > TOUCHES and gap > margins.height_gap * scene.unit
        return rests if sure else None
    if not has_middle(lower):
        return None
    sigma = _along_error(upper, lower)
    sure = plan.along > margins.sigmas * sigma and height_margin(scene, upper, lower, margins) is not None
    return plan.along / max(sigma, 1e-9) if sure else None


def apart_margin(scene: Scene, upper: SceneObject, lower: SceneObject, margins: Margins) -> float | None:
    """How far the two are apart on the ground beyond the error (metres or the unit of the depth), or None."""
    if not (has_middle(upper) and has_middle(lower)):
        return None
    plan, gap = plan_of(scene, upper, lower), margins.plan_gap * scene.unit
    along = -plan.room - margins.sigmas * _along_error(upper, lower)
    best = max(-plan.across, along)
    return best if best > gap else None


def _height(thing: SceneObject) -> np.ndarray:
    assert thing.height is not None
    return thing.height


def _by_height(a: SceneObject, b: SceneObject) -> tuple[SceneObject, SceneObject]:
    return (a, b) if _height(a)[Q50] > _height(b)[Q50] else (b, a)


def _along_error(a: SceneObject, b: SceneObject) -> float:
    assert a.centre is not None and b.centre is not None
    return math.hypot(a.sigma * math.hypot(*a.centre[::2]), b.sigma * math.hypot(*b.centre[::2]))


def _on_screen(a: SceneObject, b: SceneObject) -> str:
    """Where a lies in the picture: above (below) b, if their columns overlap by half of the narrower one."""
    overlap = min(a.u[Q90], b.u[Q90]) - max(a.u[Q10], b.u[Q10])
    if overlap < ACROSS * min(a.u[Q90] - a.u[Q10], b.u[Q90] - b.u[Q10]):
        return "neither"
    return "above" if a.v[Q98] < b.v[Q98] and a.v[Q50] < b.v[Q50] else "neither"


def _as_many(scene: Scene, pairs: Found, count: int, margins: Margins, rng: np.random.Generator) -> Iterator[Fact]:
    """So many facts about things that are surely apart, half of them such as look stacked in the picture."""
    for k in in_turns([entry[3] for entry in pairs], rng):
        if count <= 0:
            return
        upper, lower, _, shortcut = pairs[k]
        margin = apart_margin(scene, upper, lower, margins)
        if margin is not None:
            count -= 1
            yield _fact(scene, upper, lower, margin, shortcut, False, rng)


def _columns_meet(a: SceneObject, b: SceneObject) -> bool:
    return bool(min(a.u[Q98], b.u[Q98]) > max(a.u[Q02], b.u[Q02]))


def _fact(
    scene: Scene,
    upper: SceneObject,
    lower: SceneObject,
    margin: float,
    shortcut: bool,
    stacked: bool,
    rng: np.random.Generator,
) -> Fact:
    asks_upper = bool(rng.integers(2))
    plan = plan_of(scene, upper, lower)
    a, b = (upper, lower) if asks_upper else (lower, upper)
    said = ("above" if asks_upper else "below") if stacked else "neither"
    return Fact(
        task="above",
        form="above.place",
        kind="bearing",
        frame="gravity",
        operands=(a.object_id, b.object_id),
        style="value",
        answer=said,
        wrong=tuple(other for other in OPPOSITE if other != said),
        value=float(_height(a)[Q50] - _height(b)[Q50]),
        unit="m" if scene.supports("metric") else "depth",
        margin=margin,
        formula=FORMULA,
        slots={"a": a.name, "b": b.name},
        evidence={
            "objects": [about(upper, "upper"), about(lower, "lower")],
            "plan": {"across": rounded(plan.across, 3), "along": rounded(plan.along, 3)},
            "sigma": rounded(_along_error(upper, lower), 3),
            "shortcut": {"rule": RULE, "right": shortcut},
        },
    )

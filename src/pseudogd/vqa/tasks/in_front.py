"""In front of / behind, seen from the camera.

Frame: camera. Of two things in about the same direction, the one in front is the nearer one. *Same direction*: the
10-90 % intervals of their columns overlap, or their middle columns are within 6 % of the picture's width, and no more
than a tenth of the picture's height lies between their rows; of things far apart in the picture nobody says that one
is in front of the other. Nearness as in `nearer`, with its guards. Needs depth order alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pseudogd.geometry.types import Scale
from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins, about, blend, in_turns, pairs
from pseudogd.vqa.phrasing import Form, meant, metres, pair
from pseudogd.vqa.scene import Q02, Q05, Q10, Q50, Q90, Q98, Scene, SceneObject
from pseudogd.vqa.tasks._written import capital
from pseudogd.vqa.tasks.nearer import near_margin
from pseudogd.vqa.words.telling import DEPTH

QUOTA = 1.0
NEEDS = "ordinal"
TELLING = {"in_front": DEPTH}

FORMULA = "order of the 5% quantile of z-depth, of things in one direction"
RULE = "lower in the picture is in front"
OPPOSITE = {"front": "behind", "behind": "front"}

_WHICH = (
    "Seen from the camera, which is {word}, the {a} or the {b}?",
    "From the camera's point of view, which one is {word}: the {a} or the {b}?",
    "Looking from the camera, which is {word} the other, the {a} or the {b}?",
    "As the camera sees it, which of the two is {word}, the {a} or the {b}?",
)
_CLAIM = (
    "Seen from the camera, is the {a} {word} the {b}?",
    "From the camera's point of view, is the {a} {word} the {b}?",
    "Looking from the camera, is the {a} {word} the {b}?",
    "Is the {a} {word} the {b}, as seen from the camera?",
)


def _filled(texts: tuple[str, ...], alone: str, before: str) -> tuple[str, ...]:
    words = [before if "the other" in text or "} {word} the {b}" in text else alone for text in texts]
    return tuple(text.replace("{word}", word) for text, word in zip(texts, words))


_SIDE = (
    "Seen from the camera, is the {a} in front of or behind the {b}?",
    "From the camera's point of view, is the {a} in front of the {b} or behind it?",
    "Looking from the camera, does the {a} come in front of the {b} or behind it?",
    "Is the {a} in front of the {b} or behind it, as seen from the camera?",
)
_BEHIND, _FRONT = r"\bbehind (the \{b\}|the other)|is behind,|is behind:|two is behind", r"\bin front\b"
FORMS = meant(
    {
        "in_front.which_front": pair(
            *_filled(_WHICH, "in front", "in front of"), claim=_filled(_CLAIM, "in front", "in front of")
        ),
        "in_front.which_behind": pair(*_filled(_WHICH, "behind", "behind"), claim=_filled(_CLAIM, "behind", "behind")),
        "in_front.side": Form(
            mc=_SIDE,
            open=_SIDE,
            yesno={
                "front": _filled(_CLAIM, "in front", "in front of"),
                "behind": _filled(_CLAIM, "behind", "behind"),
            },
            answers={"front": "in front of it", "behind": "behind it"},
        ),
    },
    {
        "in_front.which_front": (_FRONT, r"behind"),
        "in_front.which_behind": (_BEHIND, _FRONT),
        "in_front.side": (r"in front of.*or behind", ""),
    },
    front=r"in front of the \{b\}",
    behind=r"behind the \{b\}",
)

SAME_DIRECTION = 0.06
ROWS_APART = 0.1


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Pairs in one direction of which one is surely nearer."""
    found = []
    for i, j in pairs(len(scene)):
        a, b = scene.objects[i], scene.objects[j]
        if not in_one_direction(a, b):
            continue
        for near, far in ((a, b), (b, a)):
            margin = near_margin(scene, near, far, margins)
            if margin is not None:
                found.append((near, far, margin, bool(near.v[Q98] > far.v[Q98])))
    classes = [entry[3] for entry in found]
    yield from blend(
        rng,
        (1, (_which(scene, *found[k], rng) for k in in_turns(classes, rng))),
        (1, (_side(scene, *found[k], rng) for k in in_turns(classes, rng))),
    )


def answer(scene: Scene, fact: Fact) -> str | None:
    """Who has the nearer near face."""
    a, b = (scene.objects[scene.index(operand)] for operand in fact.operands)
    if fact.form == "in_front.side":
        return "front" if a.z[Q05] < b.z[Q05] else "behind"
    choose = min if fact.form == "in_front.which_front" else max
    return choose((a, b), key=lambda thing: float(thing.z[Q05])).name


def steps(fact: Fact) -> list[str]:
    """Distances, then what being in front means."""
    near, far = fact.evidence["objects"]
    z = fact.evidence["z05"]
    if fact.evidence["unit"] == "m":
        first = f"Its near side is {metres(z[0])} from the camera, that of the {far['name']} {metres(z[1])}."
        reason = first.replace("Its near side", f"The near side of the {near['name']}")
    elif fact.evidence["unit"] == "depth":
        reason = f"The {far['name']} is {z[1] / z[0]:.1f} times as far from the camera as the {near['name']}."
    else:
        reason = f"The {far['name']} is farther from the camera than the {near['name']}."
    told = capital(f"the {near['name']} is in front of the {far['name']}")
    return ["Both are in about the same direction from the camera.", reason, f"{told}, seen from the camera."]


def in_one_direction(a: SceneObject, b: SceneObject) -> bool:
    """Whether the camera looks the same way to see both."""
    overlap = float(min(a.u[Q90], b.u[Q90]) - max(a.u[Q10], b.u[Q10]))
    near = abs(float(a.u[Q50] - b.u[Q50])) < SAME_DIRECTION
    rows = float(max(a.v[Q02], b.v[Q02]) - min(a.v[Q98], b.v[Q98]))
    return (overlap > 0 or near) and rows < ROWS_APART


def _which(
    scene: Scene, near: SceneObject, far: SceneObject, margin: float, shortcut: bool, rng: np.random.Generator
) -> Fact:
    front = bool(rng.integers(2))
    answer, wrong = (near.name, far.name) if front else (far.name, near.name)
    form = "in_front.which_front" if front else "in_front.which_behind"
    return _fact(scene, form, (near, far), (near, far), answer, wrong, margin, shortcut)


def _side(
    scene: Scene, near: SceneObject, far: SceneObject, margin: float, shortcut: bool, rng: np.random.Generator
) -> Fact:
    # Which of the two is asked about decides the answer: a fair coin.
    asked, said = ((near, far), "front") if rng.integers(2) else ((far, near), "behind")
    return _fact(scene, "in_front.side", asked, (near, far), said, OPPOSITE[said], margin, shortcut)


def _fact(
    scene: Scene,
    form: str,
    asked: tuple[SceneObject, SceneObject],
    things: tuple[SceneObject, SceneObject],
    said: str,
    wrong: str,
    margin: float,
    shortcut: bool,
) -> Fact:
    near, far = things
    side = form == "in_front.side"
    scale = scene.geometry.scale
    return Fact(
        task="in_front",
        form=form,
        kind="ordinal",
        frame="camera",
        operands=tuple(thing.object_id for thing in asked),
        style="value" if side else "pair",
        answer=said,
        wrong=(wrong,),
        value=float(far.z[Q05] / near.z[Q05]),
        unit="ratio",
        margin=margin,
        formula=FORMULA,
        slots={"a": asked[0].name, "b": asked[1].name} if side else {},
        evidence={
            "objects": [about(near, "in front"), about(far, "behind")],
            "z05": rounded([float(near.z[Q05]), float(far.z[Q05])]),
            "unit": {Scale.METRIC: "m", Scale.UP_TO_SCALE: "depth"}.get(scale, "order"),
            "shortcut": {"rule": RULE, "right": shortcut},
        },
    )

"""Questions about the flat picture: what, which colour, how many, is there, where in the picture. Never about depth.

Turns are asked of the picture as of a map on a wall: up is ahead, whatever lies deeper in the room.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pseudogd.vqa.phrasing import LETTERS, NO, YES, multiple_choice, point
from pseudogd.vqa.words import hypothetical
from pseudogd.world.shapes import KINDS
from pseudogd.world.textures import COLORS

ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "center", "right")
REGIONS = [f"{r} {c}" for r in ROWS for c in COLUMNS]
KIND_NAMES, COLOR_NAMES = list(KINDS), list(COLORS)
ALL_NAMES = [f"{c} {k}" for c in COLOR_NAMES for k in KIND_NAMES]


@dataclass
class Thing:
    """An annotated object: names, centre of its box and a pixel inside its mask, both as shares of the picture."""

    color: str
    kind: str
    u: float
    v: float
    inside: tuple[float, float]

    @property
    def name(self) -> str:
        return f"{self.color} {self.kind}"

    @property
    def region(self) -> str:
        return REGIONS[min(2, int(self.v * 3)) * 3 + min(2, int(self.u * 3))]


def pick(rng: np.random.Generator, options):
    return options[int(rng.integers(len(options)))]


def _choice(rng, question: str, answer: str, wrong: list[str], n: int | None = None) -> tuple[str, str]:
    """Multiple choice with 2-4 options in random order, or with all of `wrong` when `n` is given as len + 1."""
    wrong = sorted({w for w in wrong if w != answer})
    n = n or int(rng.integers(2, 5))
    options = [str(w) for w in rng.permutation(wrong)[: n - 1]] + [answer]
    options = [str(o) for o in rng.permutation(options)]
    return multiple_choice(question, options), LETTERS[options.index(answer)]


def color_of(rng, things):
    single = [t for t in things if sum(o.kind == t.kind for o in things) == 1]
    if not single:
        return None
    t = pick(rng, single)
    q = pick(rng, (f"What is the color of the {t.kind}?", f"Which color has the {t.kind}?"))
    return _choice(rng, q, t.color, COLOR_NAMES) if rng.random() < 0.4 else (q, t.color)


def exists(rng, things):
    names = {t.name for t in things}
    t = pick(rng, things)
    if rng.random() < 0.5:
        name = t.name
    else:  # a near miss: one word changed
        name = f"{pick(rng, COLOR_NAMES)} {t.kind}" if rng.random() < 0.5 else f"{t.color} {pick(rng, KIND_NAMES)}"
    q = pick(rng, (f"Is there a {name} in the picture?", f"Do you see a {name}?"))
    return q, "yes" if name in names else "no"


def which_is_there(rng, things):
    names = {t.name for t in things}
    t = pick(rng, things)
    near = [f"{c} {t.kind}" for c in COLOR_NAMES] + [f"{t.color} {k}" for k in KIND_NAMES]
    pool = near if rng.random() < 0.5 else ALL_NAMES
    return _choice(rng, "Which of these is in the picture?", t.name, [n for n in pool if n not in names])


def count(rng, things):
    kind = pick(rng, things).kind if rng.random() < 0.85 else pick(rng, KIND_NAMES)
    n = sum(t.kind == kind for t in things)
    q = (
        f"How many {kind}s are in the picture?"
        if kind not in ("shelf", "box")
        else f"How many {kind}es are in the picture?"
    )
    return _choice(rng, q, str(n), [str(i) for i in range(5)]) if rng.random() < 0.4 else (q, str(n))


def side(rng, things):
    a, b = (things[i] for i in rng.permutation(len(things))[:2])
    horizontal = rng.random() < 0.5
    gap = a.u - b.u if horizontal else a.v - b.v
    if abs(gap) < 0.06:
        return None
    words = ("left", "right") if horizontal else ("above", "below")
    answer = words[int(gap > 0)]
    tails = ("to the left or to the right of", "left or right of") if horizontal else ("above or below",)
    q = f"In the picture, is the {a.name} {pick(rng, tails)} the {b.name}?"
    form = rng.random()
    if form < 0.35:
        return _choice(rng, q, answer, list(words), 2)
    if form < 0.7:
        claim = pick(rng, words)
        tail = {"left": "to the left of", "right": "to the right of"}.get(claim, claim)
        return f"In the picture, is the {a.name} {tail} the {b.name}?", "yes" if claim == answer else "no"
    return q, answer


def region(rng, things):
    t = pick(rng, things)
    q = pick(rng, (f"In which part of the picture is the {t.name}?", f"Where in the picture is the {t.name}?"))
    return _choice(rng, q, t.region, REGIONS) if rng.random() < 0.6 else (q, t.region)


def point_of(rng, things):
    """Which point is on a thing: coordinates are percent of the picture."""
    t = pick(rng, things)
    others = [point(100 * o.inside[0], 100 * o.inside[1]) for o in things if o is not t]
    while len(others) < 3:
        others.append(point(*(100 * rng.random(2))))
    own = point(100 * t.inside[0], 100 * t.inside[1])
    return _choice(rng, f"Which point (x, y in percent of the picture) is on the {t.name}?", own, others)


def at_point(rng, things):
    t = pick(rng, things)
    q = f"What is at the point {point(100 * t.inside[0], 100 * t.inside[1])}?"
    if rng.random() < 0.6 and len(things) > 1:
        return _choice(rng, q, t.name, [o.name for o in things], min(4, len(things)))
    return q, t.name


def extreme(rng, things):
    """Which of these is leftmost, rightmost, highest or lowest in the picture."""
    word, axis, sign = pick(rng, (("left", "u", -1), ("right", "u", 1), ("top", "v", -1), ("bottom", "v", 1)))
    chosen = [things[i] for i in rng.permutation(len(things))[: int(rng.integers(2, 5))]]
    chosen.sort(key=lambda t: -sign * getattr(t, axis))
    if len(chosen) < 2 or abs(getattr(chosen[0], axis) - getattr(chosen[1], axis)) < 0.06:
        return None
    q = f"Which of these is nearest to the {word} of the picture?"
    return _choice(rng, q, chosen[0].name, [t.name for t in chosen], len(chosen))


def heading(rng, things):
    """Left, right, above or below of a thing, whichever is most: the straight line from one to the other."""
    a, b = (things[i] for i in rng.permutation(len(things))[:2])
    answer = quarter(bearing(b, a), ("above", "right", "below", "left"))
    if answer is None or distance(a, b) < NEAR:
        return None
    q = f"In the picture, is the {a.name} left, right, above or below of the {b.name}?"
    return _choice(rng, q, answer, ["left", "right", "above", "below"], 4) if rng.random() < 0.6 else (q, answer)


def turn(rng, things):
    """Standing at a thing and facing another (or with the back to it): on which side is a third, as on a map."""
    if len(things) < 3:
        return None
    x, y, z = (things[i] for i in rng.permutation(len(things))[:3])
    away = rng.random() < 0.5
    angle = bearing(x, z) - bearing(x, y) + (math.pi if away else 0)
    side = quarter(angle, ("front", "right", "behind", "left"))
    if side is None or min(distance(x, y), distance(x, z), distance(y, z)) < NEAR:
        return None
    stem = pick(rng, TURNED if away else FACING).format(x=x.name, y=y.name)
    answers = hypothetical.SIDES
    if rng.random() < 0.2:
        claim = side if rng.random() < 0.5 else pick(rng, [s for s in answers if s != side])
        q = f"{stem} {hypothetical.WHERE_CLAIM[claim][0].format(z=z.name)}"
        return q, YES if claim == side else NO
    q = f"{stem} {pick(rng, hypothetical.WHERE_MC + hypothetical.WHERE_OPEN[:1]).format(z=z.name)}"
    return _choice(rng, q, answers[side], list(answers.values()), 4) if rng.random() < 0.75 else (q, answers[side])


NEAR = 0.1
FACING = (
    "In the picture, if you stand at the {x} and face the {y},",
    "In the picture, standing at the {x} and facing the {y},",
    "In the picture, if you look from the {x} at the {y},",
)
TURNED = (
    "In the picture, if you stand at the {x} and face away from the {y},",
    "In the picture, standing at the {x} with the {y} behind your back,",
    "In the picture, if you stand at the {x} with your back to the {y},",
)


def bearing(a: Thing, b: Thing) -> float:
    """Angle of the line from a to b in the picture, clockwise from straight up, in radians."""
    return math.atan2(b.u - a.u, a.v - b.v)


def distance(a: Thing, b: Thing) -> float:
    return math.hypot(b.u - a.u, b.v - a.v)


def quarter(angle: float, names: tuple[str, ...]) -> str | None:
    """Which of four names, centred at 0, 90, 180 and 270 degrees; None within 8 degrees of an edge."""
    turns_of = angle / (math.pi / 2)
    nearest = round(turns_of)
    return names[nearest % 4] if abs(turns_of - nearest) < 0.5 - 8 / 90 else None


TASKS = (
    (color_of, 1.0),
    (exists, 1.0),
    (which_is_there, 1.2),
    (count, 0.8),
    (side, 2.0),
    (region, 1.2),
    (point_of, 1.5),
    (at_point, 1.3),
    (extreme, 1.2),
    (heading, 1.2),
    (turn, 9.0),
)
SHARES = np.array([w for _, w in TASKS]) / sum(w for _, w in TASKS)


def turns(rng: np.random.Generator, things: list[Thing], n: int, choices: float = 1.0) -> list[tuple[str, str, str]]:
    """`n` (task, question, answer) about one picture with at least two things; `choices` thins out multiple choice."""
    out: list[tuple[str, str, str]] = []
    while len(out) < n:
        task = TASKS[int(rng.choice(len(TASKS), p=SHARES))][0]
        qa = task(rng, things)
        if qa is not None and ("\n" not in qa[0] or rng.random() < choices):
            out.append((task.__name__, *qa))
    return out

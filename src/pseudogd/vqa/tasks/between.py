"""Which of several things lies between two others in space.

Frame: none (it does not turn). With u the unit vector from the middle of A to the middle of B and L their distance, a
thing C has the place t = (C - A).u / L along the line and the distance d from it, in parts of L. *Between* is 0.25 to
0.75 along and at most 0.2 from the line; another thing is clearly not if it is outside 0..1 or farther than 0.45 from
the line. Both must hold by the propagated error of all three along their rays. Needs a camera, not metres.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins, about, in_turns
from pseudogd.vqa.phrasing import many, meant
from pseudogd.vqa.scene import Q50, Array, Scene
from pseudogd.vqa.tasks._plan import well_placed
from pseudogd.vqa.tasks._written import capital, few, has_middle
from pseudogd.vqa.words.telling import SIDE

QUOTA = 1.0
NEEDS = "bearing"
TELLING = {"between": SIDE | frozenset(("between",))}

FORMULA = "t = (C - A).u / L in 0.25..0.75, d = |C - A - t L u| / L at most 0.2"
RULE = "its column in the picture is between theirs, and no other's is"
MOST_THINGS = 14
WIDE, NARROW = 0.45, 0.2
ENDS = 0.25
PART = 0.15
"""How much of the length must lie between where a thing is and where it would no longer be between."""

_MC = (
    "Which of these is between the {a} and the {b} in space?",
    "Which of these lies between the {a} and the {b} in the real scene?",
    "In space, which of these do you find between the {a} and the {b}?",
    "Going straight from the {a} to the {b} in the real scene, which of these is on the way?",
)
_OPEN = (
    "Which is between the {a} and the {b} in space: {list}?",
    "Which lies between the {a} and the {b} in the real scene: {list}?",
    "In space, which do you find between the {a} and the {b}: {list}?",
    "Going straight from the {a} to the {b} in the real scene, which is on the way: {list}?",
)
FORMS = meant(
    {"between.which": many(_MC, _OPEN)},
    {"between.which": (r"between the \{a\} and the \{b\}|straight from the \{a\} to the \{b\}", r"picture|closer|far")},
)


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """One thing between two others, beside two or three that are clearly not."""
    if not scene.supports("bearing"):
        return
    good = [k for k, thing in enumerate(scene.objects) if has_middle(thing) and well_placed(scene, thing)]
    good = [good[k] for k in few(rng, len(good), MOST_THINGS)]
    if len(good) < 4:
        return
    t, d, sigma = places(scene.centres[good], scene.errors[good])
    needed = margins.sigmas * sigma
    long = np.linalg.norm(scene.centres[good][:, None] - scene.centres[good][None], axis=-1)
    inside = (np.abs(t - 0.5) <= 0.5 - ENDS) & (d <= NARROW) & (needed < PART)
    inside &= (long > 2 * margins.stand_off * scene.unit)[..., None]
    outside = np.maximum(np.abs(t - 0.5) - 0.5, d - WIDE) > np.maximum(needed, 0.02)
    found = []
    for a, b, c in np.argwhere(inside):
        if a >= b or c in (a, b):
            continue
        others = [k for k in np.flatnonzero(outside[a, b]) if k not in (a, b, c)]
        if len(others) < 2:
            continue
        chosen = [others[k] for k in rng.permutation(len(others))[:3]]
        found.append((a, b, c, chosen, _shortcut(scene, [good[k] for k in (a, b, c, *chosen)])))
    for n in in_turns([entry[4] for entry in found], rng):
        a, b, c, chosen, shortcut = found[n]
        ends = [good[a], good[b]] if rng.integers(2) else [good[b], good[a]]
        yield _fact(scene, ends, [good[c], *(good[k] for k in chosen)], float(sigma[a, b, c]), shortcut)


def answer(scene: Scene, fact: Fact) -> str | None:
    """The name of the candidate that is nearest to lying between the two."""
    a, b, *rest = (scene.index(operand) for operand in fact.operands)
    centres = scene.centres
    line = centres[b] - centres[a]
    length = float(line @ line)
    if length < 1e-12:
        return None
    step = centres[rest] - centres[a]
    t = step @ line / length
    d = np.linalg.norm(step - t[:, None] * line, axis=1) / np.sqrt(length)
    return scene.objects[rest[int(np.argmin(_excess(t, d)))]].name


def steps(fact: Fact) -> list[str]:
    """How far along the line each candidate is, and how far off it."""
    a, b, *rest = (str(entry["name"]) for entry in fact.evidence["objects"])
    lines = []
    for name, (t, d) in list(zip(rest, fact.evidence["places"]))[:3]:
        off = f"{100 * d:.0f} % of its length off it"
        if t < 0:
            lines.append(capital(f"the {name} is before the {a}, outside of that line."))
        elif t > 1:
            lines.append(capital(f"the {name} is beyond the {b}, outside of that line."))
        else:
            lines.append(capital(f"the {name} is {100 * t:.0f} % along that line and {off}."))
    return [f"Take the straight line from the {a} to the {b}.", *lines]


def places(centres: Array, errors: Array) -> tuple[Array, Array, Array]:
    """t, d and the standard error of either, (N, N, N) indexed by A, B, C; see the module. First order: a step of C
    counts in full, one of A by 1 - t, one of B by t, whichever of along and across the line it changes more."""
    line = centres[None] - centres[:, None]
    length = np.linalg.norm(line, axis=-1)
    length = np.where(length > 1e-9, length, np.inf)
    unit = line / length[..., None]
    step = centres[None] - centres[:, None]  # [a, c]
    along = np.einsum("ack,abk->abc", step, unit)
    t = along / length[..., None]
    off = step[:, None] - along[..., None] * unit[:, :, None]
    d = np.linalg.norm(off, axis=-1) / length[..., None]
    size = np.linalg.norm(errors, axis=-1)
    sigma = np.sqrt(size[None, None] ** 2 + ((1 - t) * size[:, None, None]) ** 2 + (t * size[None, :, None]) ** 2)
    return t, d, sigma / length[..., None]


def _excess(t: Array, d: Array) -> Array:
    """How far from lying between: 0 on the middle of the line."""
    return np.hypot(np.maximum(np.abs(t - 0.5) - (0.5 - ENDS), 0.0), d)


def _shortcut(scene: Scene, indices: list[int]) -> bool:
    """Whether the middle column of the answer, and of no other, lies between those of the two ends."""
    a, b, *rest = (float(scene.objects[k].u[Q50]) for k in indices)
    between = [min(a, b) < u < max(a, b) for u in rest]
    return between[0] and not any(between[1:])


def _fact(scene: Scene, ends: list[int], rest: list[int], sigma: float, shortcut: bool) -> Fact:
    a, b, c, *others = (scene.objects[k] for k in (*ends, *rest))
    start, line = scene.centres[ends[0]], scene.centres[ends[1]] - scene.centres[ends[0]]
    along = (scene.centres[rest] - start) @ line / float(line @ line)
    off = np.linalg.norm(scene.centres[rest] - start - along[:, None] * line, axis=1) / float(np.linalg.norm(line))
    return Fact(
        task="between",
        form="between.which",
        kind="bearing",
        frame="none",
        operands=tuple(thing.object_id for thing in (a, b, c, *others)),
        style="among",
        answer=c.name,
        wrong=tuple(thing.name for thing in others),
        value=float(along[0]),
        unit="share",
        margin=PART / max(sigma, 1e-9),
        formula=FORMULA,
        slots={"a": a.name, "b": b.name},
        evidence={
            "objects": [
                about(a, "end"),
                about(b, "end"),
                about(c, "answer"),
                *(about(other, "other") for other in others),
            ],
            "places": rounded(np.stack([along, off], axis=1), 3),
            "sigma": rounded(sigma, 3),
            "draw": _line(a.centre, b.centre),
            "shortcut": {"rule": RULE, "right": shortcut},
        },
    )


def _line(a: Array | None, b: Array | None) -> list[dict]:
    assert a is not None and b is not None
    return [{"kind": "segment", "in": "ground", "from": rounded(a[::2], 3), "to": rounded(b[::2], 3), "label": ""}]

"""Whether one thing fits through the gap between two others, or on top of another by its footprint.

*through*: upright and as it now faces the camera, so the level extent across the line of sight counts, against the
distance on the ground between the closest visible parts of two standing things that are side by side with nothing in
between. For a sure "no" only parts count that are not higher than the thing is tall. *on_top*: the sides of the two
yaw-fitted boxes on the ground, longer with longer and shorter with shorter; asked only where the camera looks down on
both, so that both sides are seen, and the lower one has a flat top.

Yes and no both need 15 % slack and twice the propagated error. Ratios do not need metres.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import permutations

import numpy as np

from pseudogd.vqa.fact import Fact, rounded
from pseudogd.vqa.guards import Margins, about, blend, in_turns, pairs, seen_well
from pseudogd.vqa.phrasing import metres
from pseudogd.vqa.scene import Q50, Q95, Q98, Array, Scene, SceneObject
from pseudogd.vqa.words.fits import FORMS as FORMS
from pseudogd.vqa.words.telling import SIZE

QUOTA = 1
NEEDS = "ratio"
TELLING = {"fits": SIZE}

MOST_PAIRS = 10
SIDEWAYS = 0.6
LOOKS_DOWN = 0.15
FLAT_SHARE = 0.2
SURER = 1.5
"""Extents along the line of sight are less sure than depth is, by so much."""
WITHOUT_TOP = (
    "armchair ball basin basket bath bathtub bin bottle bowl bucket bush chair couch cup flower glass jar lamp mug "
    "person plant pot sink sofa toilet tree vase"
)
_WITHOUT_TOP = frozenset(WITHOUT_TOP.split())
ABSURD = math.log(6.0)
"""Nobody asks whether a chair fits on a toy airplane."""
FORMULAS = {
    "through": "level extent of A across the line of sight : ground distance between the closest parts of B and C",
    "on_top": "sides of the yaw-fitted boxes on the ground, shorter : shorter and longer : longer",
}


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Gaps and tops, yes and no in turn."""
    if not (scene.supports("ratio") and scene.has_gravity) or len(scene) < 2:
        return
    whole = [k for k, obj in enumerate(scene.objects) if seen_well(obj, scene) and (obj.wide or 0.0) > 0]
    yield from blend(rng, (1, _through(scene, whole, rng, margins)), (1, _on_top(scene, whole, rng, margins)))


def answer(scene: Scene, fact: Fact) -> str | None:
    """Yes or no without slack; None without gravity."""
    if not scene.has_gravity:
        return None
    things = [scene.objects[scene.index(operand)] for operand in fact.operands]
    if fact.form == "fits.through":
        return "yes" if (things[0].wide or 0.0) < ground_gap(things[1], things[2]) else "no"
    small, large = (sides(thing, scene)[1] for thing in things)
    return "yes" if small[0] < large[0] and small[1] < large[1] else "no"


def steps(fact: Fact) -> list[str]:
    """The two lengths that decide and which is larger."""
    slots, numbers, fits = fact.slots, fact.evidence["sizes"], fact.answer == "yes"
    metric = fact.evidence["lengths"] == "m"
    if fact.form == "fits.through":
        wide, gap = numbers
        if metric:
            first = f"The {slots['a']} is about {metres(wide)} wide as the camera sees it."
            second = f"The {slots['b']} and the {slots['c']} are about {metres(gap)} apart at their closest."
        else:
            first = f"The gap between the {slots['b']} and the {slots['c']} is taken between their closest parts."
            second = f"It is about {gap / wide:.1f} times as wide as the {slots['a']}."
        return [first, second, f"So the {slots['a']} {'fits' if fits else 'does not fit'} through."]
    (a1, a2), (b1, b2) = numbers
    if metric:
        first = f"The base of the {slots['a']} is about {metres(a1)} by {metres(a2)}."
        second = f"The top of the {slots['b']} is about {metres(b1)} by {metres(b2)}."
    else:
        first = f"The shorter side of the {slots['a']} is about {a1 / b1:.1f} times that of the {slots['b']}."
        second = f"Its longer side is about {a2 / b2:.1f} times as long."
    return [first, second, f"So the {slots['a']} {'fits' if fits else 'does not fit'} on top."]


def ground_gap(a: SceneObject, b: SceneObject) -> float:
    """Distance on the ground between the closest visible parts, a low quantile of nearest neighbours."""
    assert a.skin is not None and b.skin is not None
    return _gap(a.skin[:, ::2], b.skin[:, ::2])[0]


def _gap(first: Array, second: Array) -> tuple[float, Array]:
    """The gap and the line across it."""
    square = ((first[:, None] - second[None]) ** 2).sum(axis=-1)
    nearest = square.min(axis=1)
    place = int(np.argsort(nearest)[min(max(1, len(first) // 50), len(first) - 1)])
    line: Array = second[square[place].argmin()] - first[place]
    return math.sqrt(float(nearest[place])), line


def sides(obj: SceneObject, scene: Scene) -> tuple[tuple[float, float], ...]:
    """(shorter, longer) side of a thing's box on the ground: at least, as estimated, and at most.

    The points of a thing keep off its outline by so many pixels at either end, as far as it is large enough.
    """
    camera = scene.geometry.camera
    assert camera is not None
    height, width = scene.depth.shape
    ends = 2 * max(1, round(0.008 * max(height, width))) * float(obj.z[Q50]) / camera.resized(width, height).fx
    one, other = sorted((float(obj.box.size[0]), float(obj.box.size[2])))
    return (one, other), (one + ends, other + ends), (one + 2 * ends, other + 2 * ends)


def _through(scene: Scene, whole: list[int], rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    standing = [k for k in whole if abs(scene.objects[k].ground_gap or math.inf) < 0.12 * scene.unit]
    couples = [(standing[i], standing[j]) for i, j in pairs(len(standing))]
    found: list[tuple[int, int, int, str, float, float, float]] = []
    for n in rng.permutation(len(couples)):
        if len({entry[1:3] for entry in found}) >= MOST_PAIRS:
            break
        i, j = couples[n]
        b, c = scene.objects[i], scene.objects[j]
        assert b.skin is not None and c.skin is not None
        gap, line = _gap(b.skin[:, ::2], c.skin[:, ::2])
        if gap < 0.05 * scene.unit or not _side_by_side(scene, i, j, line):
            continue
        for k in whole:
            if k in (i, j):
                continue
            a = scene.objects[k]
            wide = a.wide or 0.0
            if abs(math.log(gap / wide)) > ABSURD:
                continue
            error = margins.sigmas * math.hypot(float(scene.distance_errors[i, j]), b.sigma * gap, a.sigma * wide)
            if gap > margins.slack * wide + error:
                found.append((k, i, j, "yes", gap / wide, wide, gap))
            elif wide > margins.slack * gap + error and _narrow_below(scene, b, c, a.tall or 0.0, wide, margins):
                found.append((k, i, j, "no", gap / wide, wide, gap))
    flat = [
        (scene.objects[k].bbox[2] < _columns_between(scene.objects[i], scene.objects[j])) == (said == "yes")
        for k, i, j, said, *_ in found
    ]
    for n in in_turns([(entry[3], right) for entry, right in zip(found, flat)], rng):
        k, i, j, said, ratio, wide, gap = found[n]
        b, c = (i, j) if rng.integers(2) else (j, i)
        shortcut = ("as wide in the picture", flat[n])
        yield _fact(scene, "through", (k, b, c), said, ratio, [wide, gap], shortcut)


def _columns_between(b: SceneObject, c: SceneObject) -> float:
    left, right = (b, c) if b.bbox[0] < c.bbox[0] else (c, b)
    return right.bbox[0] - left.bbox[0] - left.bbox[2]


def _narrow_below(scene: Scene, b: SceneObject, c: SceneObject, tall: float, wide: float, margins: Margins) -> bool:
    """Whether also the parts that are not higher over the floor than ``tall`` leave less room than ``wide``."""
    assert scene.ground is not None
    low = [obj.points[scene.ground.height(obj.points) < tall] for obj in (b, c) if obj.points is not None]
    if min(len(part) for part in low) < 8:
        return False
    gap = _gap(low[0][::2, ::2], low[1][::2, ::2])[0]
    return wide > margins.slack * gap + margins.sigmas * math.hypot(b.sigma, c.sigma) * gap


def _side_by_side(scene: Scene, i: int, j: int, line: Array) -> bool:
    """Whether a gap runs across the line of sight and nothing that is seen stands in it."""
    middle = (scene.centres[i] + scene.centres[j])[::2] / 2
    along = abs(float(line @ middle)) / max(float(np.hypot(*line) * np.hypot(*middle)), 1e-9)
    if along > SIDEWAYS or scene.ground is None:
        return False
    start, way = scene.centres[i, ::2], (scene.centres[j] - scene.centres[i])[::2]
    length = float(np.hypot(*way))
    for k, obj in enumerate(scene.objects):
        if k in (i, j) or obj.skin is None:
            continue
        offset = obj.skin[:, ::2] - start
        share = offset @ way / length**2
        aside = np.abs(offset[:, 0] * way[1] - offset[:, 1] * way[0]) / length
        if ((share > 0) & (share < 1) & (aside < 0.3 * length)).any():
            return False
    return True


def _on_top(scene: Scene, whole: list[int], rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    seen = [k for k in whole if _from_above(scene.objects[k])]
    found = []
    for i, j in permutations(seen, 2):
        if not _flat_top(scene.objects[j], scene):
            continue
        a, b = scene.objects[i], scene.objects[j]
        (small, mid, _), (low, top, high) = sides(a, scene), sides(b, scene)
        least = margins.slack + SURER * margins.sigmas * math.hypot(a.sigma, b.sigma)
        room = min(y / x for x, y in zip(mid, top))
        if abs(math.log(room)) > ABSURD:
            continue
        if all(y > least * x for x, y in zip(sides(a, scene)[2], low)):
            found.append((i, j, "yes", room, [list(mid), list(top)]))
        elif small[0] > least * high[0] or small[1] > least * math.hypot(*high):
            found.append((i, j, "no", room, [list(mid), list(top)]))
    flat = [(scene.objects[i].bbox[2] < scene.objects[j].bbox[2]) == (said == "yes") for i, j, said, *_ in found]
    for n in in_turns([(entry[2], right) for entry, right in zip(found, flat)], rng):
        i, j, said, ratio, sizes = found[n]
        yield _fact(scene, "on_top", (i, j), said, ratio, sizes, ("narrower in the picture", flat[n]))


def _from_above(obj: SceneObject) -> bool:
    """Whether the camera looks down on a thing, so that its top shows how deep it is."""
    if obj.height is None or obj.centre is None:
        return False
    return float(-obj.height[Q98]) > LOOKS_DOWN * math.hypot(obj.centre[0], obj.centre[2])


def _flat_top(obj: SceneObject, scene: Scene) -> bool:
    """Whether a good part of what is seen lies as high as the top, of a kind of thing that one puts others on."""
    if (obj.category.lower().split() or [""])[-1] in _WITHOUT_TOP:
        return False
    assert obj.points is not None and obj.height is not None
    within = min(max(0.03 * scene.unit, 0.01 * float(obj.z[Q50])), 0.2 * (obj.tall or 0.0))
    near = np.abs(-obj.points[:, 1] - obj.height[Q95]) < within
    return float(near.mean()) > FLAT_SHARE


def _fact(
    scene: Scene,
    form: str,
    indices: tuple[int, ...],
    said: str,
    ratio: float,
    sizes: list,
    shortcut: tuple[str, bool],
) -> Fact:
    things = [scene.objects[k] for k in indices]
    return Fact(
        task="fits",
        form=f"fits.{form}",
        kind="ratio",
        frame="gravity",
        operands=tuple(thing.object_id for thing in things),
        style="value",
        answer=said,
        wrong=("no" if said == "yes" else "yes",),
        value=ratio,
        unit="ratio",
        margin=abs(math.log(ratio)),
        formula=FORMULAS[form],
        slots={name: thing.name for name, thing in zip("abc", things)},
        evidence={
            "objects": [about(thing, role) for thing, role in zip(things, ("mover", "side", "side"))],
            "sizes": rounded(sizes, 3),
            "lengths": "m" if scene.supports("metric") else "depth",
            "shortcut": {"rule": shortcut[0], "right": bool(shortcut[1])},
        },
    )

"""Questions of which some cannot be answered from the picture, and the same questions where they can.

*taller* / *wider*: of two things, one of which may leave the picture over its upper border (the left or right one): its
true height is then at least what is seen. It cannot be told if that is less than the other's, and it can if that is
surely more already, or if both are seen whole. *behind*: whether the floor right behind a thing is free: it is, where
free floor is seen there, and it cannot be told where the thing itself hides all of it. *meters*: a distance in meters:
a number where depth is metric, and not to be told where it is not, or the focal length is unknown (no measure is needed
to say so: it is of the ordinal kind there). *facing*: which way a front points: not to be told of things that have
none, and told of others where their front has been stated.

"It cannot be told from this picture" is always an option. *behind* and *facing* are asked as often of things of which
it can be told as of others, in every scene; of sizes it can be told more often than not. A picture does not say which
depth is metric: whether *meters* can be told is the teacher's. Drawn fairly, sizes are asked of photos alone in which
some cannot be told and others can, each of the three answers as often.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.fairness import alternatives
from pseudogd.vqa.guards import Margins, about, blend, in_turns, pairs, seen_well
from pseudogd.vqa.phrasing import metres
from pseudogd.vqa.scene import Q50, Scene, SceneObject
from pseudogd.vqa.tasks.distance import LONGEST, RATIO, spaced
from pseudogd.vqa.tasks.size import size_margin
from pseudogd.vqa.words.cannot_tell import CANNOT
from pseudogd.vqa.words.cannot_tell import FORMS as FORMS
from pseudogd.vqa.words.telling import SIZE

QUOTA = 0.5
NEEDS = "ordinal"

TELLING = {"cannot_tell.taller": SIZE, "cannot_tell.wider": SIZE}

LEAST_SEEN = 0.5
WITHOUT_FRONT = (
    "ball",
    "balloon",
    "bottle",
    "bowl",
    "bucket",
    "candle",
    "jar",
    "lamp",
    "pillar",
    "pole",
    "pot",
    "tree",
    "vase",
)
SIDES = ("toward", "right", "away", "left")
FRONT_CONFIDENCE = 0.8
NEAR_STRIP, FAR_STRIP = 0.1, 0.6
MOST_HIDDEN = 0.34
UPRIGHT = 0.6
"""Of the height that its outline spans: least height of what is looked over. Of things on the floor with true depth, 99
of 100 have it."""
CLEAR = 20.0
SURER = 1.5
"""A number must be as many times surer than in `distance`, as it stands beside "it cannot be told"."""
FORMULAS = {
    "taller": "extent along up, at least what is seen of a thing that leaves the picture at its upper border",
    "wider": "level extent across the line of sight, at least what is seen of a thing that leaves the picture sideways",
    "behind": "the strip of the ground right behind the thing, as wide as it: seen and free, or hidden by the thing",
    "meters": "|centre a - centre b|, in meters only where depth is metric",
    "facing": "angle of the stated front to the line from the thing to the camera, seen from above",
}
QUANTITIES = {"taller": "tall", "wider": "wide"}


def facts(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """All forms in turn, in each those that can and that cannot be told in turn."""
    yield from blend(
        rng,
        (1, _sizes(scene, "taller", rng, margins)),
        (1, _sizes(scene, "wider", rng, margins)),
        (1, _behind(scene, rng)),
        (1, _meters(scene, rng, margins)),
        (1, _facing(scene, rng)),
    )


def answer(scene: Scene, fact: Fact) -> str | None:
    """What could be said in this scene, without margins; None where the geometry lacks what a form needs."""
    form = fact.form.split(".")[1]
    things = [scene.objects[scene.index(operand)] for operand in fact.operands]
    if form in QUANTITIES:
        if not scene.has_gravity:
            return None
        best = _larger(things[0], things[1], QUANTITIES[form])
        return CANNOT if best is None else str(fact.evidence["objects"][best]["name"])
    if form == "meters":
        if not scene.supports("metric"):
            return CANNOT
        away = float(scene.distances[scene.index(fact.operands[0]), scene.index(fact.operands[1])])
        numbers = {text: float(text.split()[0]) for text in (fact.answer, *fact.wrong) if text != CANNOT}
        return min(numbers, key=lambda text: abs(math.log(numbers[text] / max(away, 1e-9))))
    if form == "behind":
        hidden = _hidden(scene, scene.index(fact.operands[0]))
        return None if hidden is None else "cannot" if hidden[0] > 0.5 else "free"
    side = _side(things[0])
    return "cannot" if side is None else side[0]


def steps(fact: Fact) -> list[str]:
    """The reason why it can or cannot be told."""
    return list(fact.evidence["reason"])


# ---------------------------------------------------------------- sizes of things that leave the picture
def _open_ended(obj: SceneObject, quantity: str) -> bool:
    """Whether a thing may go on beyond the border that limits what is seen of its size."""
    if quantity == "tall":
        return bool(obj.mask[0].any())
    return bool(obj.mask[:, 0].any() or obj.mask[:, -1].any())


def _larger(a: SceneObject, b: SceneObject, quantity: str) -> int | None:
    """0 or 1: the larger; None where what is not seen may decide."""
    best = 0 if _size(a, quantity) > _size(b, quantity) else 1
    return None if _open_ended((b, a)[best], quantity) else best


def _size(obj: SceneObject, quantity: str) -> float:
    return float((obj.tall if quantity == "tall" else obj.wide) or 0.0)


def _sizes(scene: Scene, form: str, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    if not (scene.supports("ratio") and scene.has_gravity):
        return
    quantity = QUANTITIES[form]
    usable = [
        obj
        for obj in scene.objects
        if not (obj.boxes_only or obj.cut)
        and obj.occluded < scene.settings.occluded
        and _size(obj, quantity) > 0
        # Over the lower border a thing goes on as well, but its top and the floor still say how tall it is.
        and (seen_well(obj, scene) or (_open_ended(obj, quantity) and not obj.mask[-1].any()))
    ]
    found = []
    for big, small in permutations(usable, 2):
        margin = size_margin(big, small, quantity, margins)
        if margin is None:
            continue
        unsure = _open_ended(small, quantity)
        if unsure and _size(small, quantity) < LEAST_SEEN * _size(big, quantity):
            continue  # nobody doubts that a television at the border is less tall than a curtain
        found.append((big, small, margin, unsure))
    # Being cut off must not give it away: those that can be told although one is cut off come as a kind of their own.
    kinds = [(unsure, _open_ended(big, quantity) or unsure) for big, _, _, unsure in found]
    larger = [_on_screen(big, quantity) > _on_screen(small, quantity) for big, small, *_ in found]
    order = _fair_order(kinds, larger, rng) if margins.fair else in_turns(kinds, rng)
    for k in order:
        big, small, margin, unsure = found[k]
        a, b = (big, small) if rng.integers(2) else (small, big)
        word = "tall" if quantity == "tall" else "wide"
        if unsure:
            reason = [
                f"The {small.name} goes on beyond the border of the picture, so only a part of it is seen.",
                f"What is seen of it is less {word} than the {big.name}, but all of it may not be.",
            ]
        elif _open_ended(big, quantity):
            reason = [f"What is seen of the {big.name} alone is already {form} than the {small.name}."]
        else:
            reason = [f"Both are seen whole, and the {big.name} is {form} than the {small.name}."]
        answer = CANNOT if unsure else big.name
        wrong = (big.name, small.name) if unsure else (small.name, CANNOT)
        yield _fact(scene, form, "ratio", "camera", [a, b], answer, wrong, math.exp(margin), "ratio", margin, reason)


def _on_screen(obj: SceneObject, quantity: str) -> float:
    return float(obj.bbox[3 if quantity == "tall" else 2])


def _fair_order(kinds: list[tuple[bool, bool]], larger: list[bool], rng: np.random.Generator) -> Iterator[int]:
    """Indices in rounds of three: one that cannot be told, one that can where the larger in the picture is the larger,
    and one where it is not; of the two that can be told, one of a thing that is cut off. So each of the three answers
    is as often right as the others, whatever is seen of the things; a photo that lacks one of them is not asked.

    ``kinds``: of each whether it cannot be told, and whether a thing is cut off; ``larger``: in the picture too.
    """
    queues: dict[tuple[bool, bool, bool], list[int]] = {}
    for k in rng.permutation(len(kinds)):
        queues.setdefault((*kinds[k], larger[k] and not kinds[k][0]), []).append(int(k))
    cannot = queues.get((True, True, False), [])
    while True:
        cut = bool(rng.integers(2))
        rounds = [
            [cannot, queues.get((False, one, True), []), queues.get((False, other, False), [])]
            for one, other in ((cut, not cut), (not cut, cut))
        ]
        found = next((group for group in rounds if all(group)), None)
        if found is None:
            return
        for k in rng.permutation(len(found)):
            yield found[k].pop()


# ---------------------------------------------------------------- behind a thing
def _strip(scene: Scene, index: int, reach: float = FAR_STRIP) -> tuple[NDArray[np.int64], NDArray[np.bool_]] | None:
    """(n, 2) pixels (row, column) of places on the ground right behind a thing, and whether they are in the picture."""
    obj, camera = scene.objects[index], scene.geometry.camera
    if camera is None or scene.ground is None or scene.rotation is None or obj.centre is None or obj.skin is None:
        return None
    line = obj.centre[::2] / max(float(np.hypot(*obj.centre[::2])), 1e-9)
    end = float(np.sort(obj.skin[:, ::2] @ line)[-2])
    along = end + np.array([NEAR_STRIP, 0.5 * (NEAR_STRIP + reach), reach]) * scene.unit
    across = np.array([-0.35, 0.0, 0.35]) * (obj.wide or 0.0)
    place = along[:, None, None] * line + across[None, :, None] * np.array([line[1], -line[0]])
    flat = place.reshape(-1, 2)
    normal, offset = scene.ground.normal, scene.ground.offset
    y = -(flat[:, 0] * normal[0] + flat[:, 1] * normal[2] + offset) / normal[1]
    points = np.stack([flat[:, 0], y, flat[:, 1]], axis=1) @ scene.rotation
    height, width = scene.depth.shape
    with np.errstate(invalid="ignore"):
        pixel = np.rint(camera.resized(width, height).project(points)[:, ::-1])
    inside = np.array([0 <= row < height and 0 <= column < width for row, column in pixel.tolist()])
    return np.where(inside[:, None], pixel, 0).astype(np.int64), inside


def _hidden(scene: Scene, index: int, reach: float = FAR_STRIP) -> tuple[float, bool] | None:
    """Share of the strip behind a thing that the thing itself hides, and whether all the rest is seen to be floor."""
    strip = _strip(scene, index, reach)
    if strip is None:
        return None
    rows, columns = strip[0].T
    hidden = (scene.labels[rows, columns] == index) & strip[1]
    return float(hidden.mean()), bool((hidden | (scene.floor[rows, columns] & strip[1])).all())


def _upright(obj: SceneObject, scene: Scene) -> bool:
    """Whether a thing is about as tall as its outline at its distance: what seems to lie down flat instead has mostly
    been given the depth of the floor behind it, and seems to be looked over."""
    camera = scene.geometry.camera
    assert camera is not None  # there is a strip of floor behind it
    height, width = scene.depth.shape
    first, _, last, _ = obj.window
    spans = (last - first + 1) / camera.resized(width, height).fy * float(obj.z[Q50])
    return (obj.tall or 0.0) >= UPRIGHT * spans


def _behind(scene: Scene, rng: np.random.Generator) -> Iterator[Fact]:
    if not (scene.supports("ratio") and scene.has_gravity) or scene.ground is None:
        return
    told, cannot = [], []
    for k, obj in enumerate(scene.objects):
        gap = obj.ground_gap
        if not seen_well(obj, scene) or gap is None or abs(gap) > 0.12 * scene.unit:
            continue
        near, far = _hidden(scene, k), _hidden(scene, k, 2 * FAR_STRIP)
        if near is None or far is None:
            continue
        if near[0] == far[0] == 1.0:
            cannot.append((obj, "cannot", 0.5))
        elif near[0] <= MOST_HIDDEN and near[1] and _upright(obj, scene):
            told.append((obj, "free", 0.5 - near[0]))
    for obj, said, margin in _as_many(told, cannot, rng):
        if said == "free":
            reason = [f"The camera looks over the {obj.name} onto the floor right behind it, and nothing stands there."]
        else:
            reason = [f"The {obj.name} itself hides the floor right behind it, so nobody can see what is there."]
        other = "cannot" if said == "free" else "free"
        yield _fact(scene, "behind", "ratio", "camera", [obj], said, (other,), 0.5, "ratio", margin, reason)


Entry = tuple[SceneObject, str, float]


def _as_many(told: list[Entry], cannot: list[Entry], rng: np.random.Generator) -> Iterator[Entry]:
    """As many of the one as of the other, in turn: where nothing can be told, that nothing can be told is no news."""
    count = min(len(told), len(cannot))
    kept = [group[k] for group in (told, cannot) for k in rng.permutation(len(group))[:count]]
    for n in in_turns([entry[1] == "cannot" for entry in kept], rng):
        yield kept[n]


# ---------------------------------------------------------------- meters
def _meters(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    metric = scene.supports("metric")
    if metric and margins.fair:
        yield from _fair_meters(scene, rng, margins)
        return
    couples = pairs(len(scene))
    for k in rng.permutation(len(couples)):
        i, j = couples[k] if rng.integers(2) else couples[k][::-1]
        a, b = scene.objects[i], scene.objects[j]
        if not (seen_well(a, scene) and seen_well(b, scene)):
            continue
        if not metric:
            why = (
                "the focal length of the camera is not known"
                if scene.geometry.camera is None
                else ("depth is known only up to a factor")
            )
            reason = [f"Without a known length in it, a picture shows no meters: {why}."]
            guess = metres(float(np.exp(rng.uniform(math.log(0.6), math.log(6.0)))))
            wrong = (guess, *spaced(float(guess.split()[0]), rng))[:3]
            yield _fact(scene, "meters", "ordinal", "none", [a, b], CANNOT, wrong, 0.0, "none", 1.0, reason)
            continue
        value, sigma = float(scene.distances[i, j]), float(scene.distance_errors[i, j])
        if _sure_length(value, sigma, margins):
            yield _told_length(scene, a, b, value, sigma, spaced(value, rng)[:2])


def _fair_meters(scene: Scene, rng: np.random.Generator, margins: Margins) -> Iterator[Fact]:
    """Lengths that can be told, beside other lengths of the same photo."""
    lengths = {}
    for i, j in pairs(len(scene)):
        value, sigma = float(scene.distances[i, j]), float(scene.distance_errors[i, j])
        whole = seen_well(scene.objects[i], scene) and seen_well(scene.objects[j], scene)
        if whole and _sure_length(value, sigma, margins):
            lengths[i, j] = value
    for key, others in alternatives(lengths, RATIO, 3, rng):
        a, b = (scene.objects[k] for k in (key if rng.integers(2) else key[::-1]))
        sigma = float(scene.distance_errors[key])
        yield _told_length(scene, a, b, lengths[key], sigma, [metres(lengths[other]) for other in others])


def _sure_length(value: float, sigma: float, margins: Margins) -> bool:
    return max(margins.min_distance, SURER * margins.distance_sigmas * sigma) < value < LONGEST


def _told_length(
    scene: Scene, a: SceneObject, b: SceneObject, value: float, sigma: float, others: Sequence[str]
) -> Fact:
    reason = [f"The {a.name} and the {b.name} are about {metres(value)} apart, from middle to middle."]
    sure, wrong = value / max(sigma, 1e-9), (*others, CANNOT)
    return _fact(scene, "meters", "metric", "none", [a, b], metres(value), wrong, value, "m", sure, reason)


# ---------------------------------------------------------------- fronts
def _side(obj: SceneObject) -> tuple[str, float] | None:
    """Which way a stated front points as the camera sees it, and degrees to the nearest edge; None without a front."""
    front, centre = obj.front, obj.centre
    if front is None or centre is None:
        return None
    to_camera = -centre[::2] / max(float(np.hypot(*centre[::2])), 1e-9)
    # From the camera's side: right is the same right that the picture has.
    right = np.array([-to_camera[1], to_camera[0]])
    angle = math.degrees(math.atan2(float(front[::2] @ right), float(front[::2] @ to_camera)))
    quarter = round(angle / 90)
    return SIDES[quarter % 4], 45 - abs(angle - 90 * quarter)


def _facing(scene: Scene, rng: np.random.Generator) -> Iterator[Fact]:
    told: list[Entry] = []
    cannot: list[Entry] = []
    for obj in scene.objects if scene.supports("bearing") and scene.has_gravity else ():
        side = _side(obj)
        if side is None and (obj.category.lower().split() or [""])[-1] in WITHOUT_FRONT and not obj.boxes_only:
            cannot.append((obj, "cannot", 1.0))
        elif side is not None and side[1] > CLEAR and (obj.front_confidence or 0.0) >= FRONT_CONFIDENCE:
            told.append((obj, *side))
    for obj, said, margin in _as_many(told, cannot, rng):
        kind = "ordinal" if said == "cannot" else "bearing"
        if said == "cannot":
            reason = [f"The {obj.name} looks the same from all sides: it has no front that could face anywhere."]
        else:
            where = {"toward": "toward the camera", "away": "away from the camera"}.get(said, f"to the {said}")
            reason = [f"The front of the {obj.name} points {where}, as the camera sees it."]
        wrong = [key for key in SIDES if key != said]
        chosen = [wrong[k] for k in rng.permutation(len(wrong))][: 3 if said == "cannot" else 2]
        if said != "cannot":
            chosen.append("cannot")
        yield _fact(scene, "facing", kind, "camera", [obj], said, tuple(chosen), margin, "degrees", margin, reason)


def _fact(
    scene: Scene,
    form: str,
    kind: str,
    frame: str,
    things: list[SceneObject],
    answer: str,
    wrong: tuple[str, ...],
    value: float,
    unit: str,
    margin: float,
    reason: list[str],
) -> Fact:
    evidence: dict[str, Any] = {
        "objects": [about(thing, "asked") for thing in things],
        "reason": reason,
        "told": answer not in (CANNOT, "cannot"),
    }
    return Fact(
        task="cannot_tell",
        form=f"cannot_tell.{form}",
        kind=kind,
        frame=frame,
        operands=tuple(thing.object_id for thing in things),
        style="value",
        answer=answer,
        wrong=wrong,
        value=value,
        unit=unit,
        margin=margin,
        formula=FORMULAS[form],
        slots={name: thing.name for name, thing in zip("ab", things)},
        evidence=evidence,
    )

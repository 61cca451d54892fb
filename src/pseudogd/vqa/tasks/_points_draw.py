"""Which four marked points a question is about: one right, three wrong, and the flat picture does not tell which."""

from __future__ import annotations

from typing import Any

import numpy as np

from pseudogd.vqa.guards import in_turns
from pseudogd.vqa.marks import Marks
from pseudogd.vqa.scene import Q50, Array, Scene, SceneObject
from pseudogd.vqa.tasks import _fair_points
from pseudogd.vqa.tasks._marked import APART, CHOICES, DRAWS


def picture_distance(scene: Scene, percent: Any, obj: SceneObject) -> Array:
    """(M,) how far points are from the middle of a thing's mask in the picture, pixels of the depth map."""
    height, width = scene.depth.shape
    x, y = percent[:, 0] / 100 - obj.u[Q50], percent[:, 1] / 100 - obj.v[Q50]
    return np.hypot(x * width, y * height)


def flat_of(scene: Scene, percent: Any, *things: SceneObject) -> _fair_points.Flat:
    """Of points, as far as the flat picture tells: how far each is from the middle between the things' boxes."""
    if not things:
        return _fair_points.Flat(percent)
    height, width = scene.depth.shape
    camera = scene.geometry.camera
    wide, high = (width, height) if camera is None else (camera.width, camera.height)
    boxes = np.array([thing.bbox for thing in things])
    x, y = (boxes[:, 0] + boxes[:, 2] / 2).mean() / wide, (boxes[:, 1] + boxes[:, 3] / 2).mean() / high
    away = np.hypot((percent[:, 0] / 100 - x) * wide, (percent[:, 1] / 100 - y) * high)
    return _fair_points.Flat(percent, away / np.hypot(wide, high))


def flat_rule(rule: str, flat: _fair_points.Flat | None, picks: Any) -> dict[str, Any]:
    """As evidence: whether the right point is the nearest in the picture."""
    if flat is None or flat.away is None:
        return {}
    return {"shortcut": {"rule": rule, "right": bool(flat.away[picks].argmin() == 0)}}


def lowest_of_four(
    score: Array,
    least: Array,
    shortcut_score: Array,
    percent: Any,
    rng: np.random.Generator,
    flat: _fair_points.Flat | None = None,
) -> tuple[Any, float, bool] | None:
    """Four points of which the first has the lowest score by more than ``least`` of any other.

    Of several random draws that fulfil it, one is taken in which the shortcut is right or wrong as a coin says, if
    there is one. With ``flat`` it is one that the flat picture does not tell. Returns (indices, lead, shortcut
    right) or None.
    """
    if flat is not None:
        found = _fair_points.lowest_first(score, least, flat, APART, CHOICES, rng)
        return None if found is None else (*found, bool(shortcut_score[found[0]].argmin() == 0))
    picks = rng.integers(len(score), size=(DRAWS, CHOICES))
    scores = score[picks]
    picks = np.take_along_axis(picks, np.argsort(scores, axis=1), axis=1)
    scores = score[picks]
    lead = scores[:, 1] - scores[:, 0]
    rows = np.flatnonzero((lead > least[picks].max(axis=1)) & _fair_points.far_apart(percent[picks], APART))
    if not len(rows):
        return None
    right = shortcut_score[picks[rows]].argmin(axis=1) == 0
    first = next(in_turns(right.tolist(), rng))
    return picks[rows[first]], float(lead[rows[first]]), bool(right[first])


def right_and_wrong(
    right: Any,
    beside: Any,
    elsewhere: Any,
    marks: Marks,
    rng: np.random.Generator,
    flat: _fair_points.Flat | None = None,
) -> Any | None:
    """One right point, then three wrong ones well apart in the picture, at least one of them on the floor."""
    if flat is not None:
        return _fair_points.right_and_wrong(right, beside, elsewhere, flat, APART, CHOICES, rng)
    if not len(right) or not len(beside):
        return None
    chosen = [int(rng.choice(right))]
    rest = rng.permutation(np.union1d(beside, elsewhere))
    for index in (*rng.permutation(beside), *rest):
        gaps = np.linalg.norm(marks.percent[chosen] - marks.percent[index], axis=1)
        if gaps.min() >= APART:
            chosen.append(int(index))
            if len(chosen) == 2:
                # The first wrong point is on the floor; the others may be anywhere.
                break
    for index in rest:
        if len(chosen) in (1, CHOICES):
            break
        if np.linalg.norm(marks.percent[chosen] - marks.percent[index], axis=1).min() >= APART:
            chosen.append(int(index))
    return np.array(chosen) if len(chosen) == CHOICES else None

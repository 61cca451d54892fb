"""Facts about marked points, read again: their answer in another scene, and the steps that lead to it."""

from __future__ import annotations

from typing import Any

import numpy as np

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.marks import Marks, look_at
from pseudogd.vqa.scene import Scene, SceneObject
from pseudogd.vqa.surface import nearest
from pseudogd.vqa.tasks._points_floor import along_and_aside, before, low


def answer(scene: Scene, fact: Fact) -> str | None:
    """Which of the marked points of a fact meets its condition best in this scene; None where none or two do."""
    texts = [fact.answer, *fact.wrong]
    seen = look_at(scene, [entry["percent"] for entry in fact.evidence["points"]])
    form = fact.form.split(".")[1]
    if not np.isfinite(seen.z).all() or (form not in ("point_near_camera", "point_far_camera") and seen.points is None):
        return None
    if form in ("point_near_camera", "point_far_camera"):
        best = int(seen.z.argmin() if form == "point_near_camera" else seen.z.argmax())
        return texts[best]
    things = [scene.objects[scene.index(operand)] for operand in fact.operands]
    assert seen.points is not None
    if form == "point_nearest":
        assert things[0].surface is not None
        return texts[int(nearest(seen.points, things[0].surface).argmin())]
    if scene.ground is None:
        return None
    if form == "point_front":
        fits = _before(scene, things[0], float(fact.value), seen)
    else:
        fits = _between(scene, things[0], things[1], seen)
    return texts[int(np.flatnonzero(fits)[0])] if fits.sum() == 1 else None


def steps(fact: Fact) -> list[str]:
    """What was measured at each marked point, in the order of the answers: the right one first."""
    texts = [fact.answer, *fact.wrong]
    form = fact.form.split(".")[1]
    if form in ("point_near_camera", "point_far_camera", "point_nearest"):
        values = fact.evidence["distances" if form == "point_nearest" else "z"]
        whom = f"the {fact.slots['a']}" if form == "point_nearest" else "the camera"
        ranked = sorted(zip(values, texts))
        return [f"From the nearest to the farthest from {whom}: {', '.join(text for _, text in ranked)}."]
    said = []
    for text, mark in zip(texts, fact.evidence["points"]):
        said.append(f"{text} is {'on' if mark['floor'] else 'not on'} the floor.")
    if form == "point_between":
        return [
            *said,
            f"{fact.answer} lies {fact.value:.0%} of the way from the {fact.slots['a']} to the {fact.slots['b']}.",
        ]
    return [*said, f"{fact.answer} is nearest to the place {fact.slots['d']} before the {fact.slots['a']}."]


def _before(scene: Scene, thing: SceneObject, reach: float, seen: Marks) -> Any:
    assert seen.points is not None
    target, _ = before(thing, reach)
    away = np.linalg.norm(seen.points[:, ::2] - target, axis=1)
    return low(scene, seen) & (away < 0.4 * scene.unit)


def _between(scene: Scene, a: SceneObject, b: SceneObject, seen: Marks) -> Any:
    assert a.centre is not None and b.centre is not None and seen.points is not None
    along, aside, length = along_and_aside(seen.points, a.centre, b.centre)
    return low(scene, seen) & (along > 0.1) & (along < 0.9) & (aside < 0.3 * length)

"""Every form of every task against closed-form truth, and the symmetries that truth must have."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pseudogd.geometry.types import Scale
from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest import exchange, wording
from pseudogd.vqa.selftest.golden import Room
from pseudogd.vqa.selftest.oracles import oracle_of, rooms_of
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.synth import task_facts
from pseudogd.vqa.tasks import answer_in, forms, module_of

SEEDS = range(3)
YAW = math.radians(6.0)
MOST_FACTS = 200
"""Of one task, room and seed: combinations of many blocks would only repeat themselves."""
MOST_RENDERED = 60
"""About so many facts of a task are said in every unit."""


@dataclass(frozen=True)
class Check:
    """What one check of one task found: how many facts or wordings it looked at, and what is wrong, a line each."""

    task: str
    name: str
    count: int
    flaws: tuple[str, ...] = ()


def check_task(task: str) -> list[Check]:
    """All checks of one task."""
    rooms = [(room, room.scene()) for room in rooms_of(task)]
    asked = [(room, scene, fact) for room, scene in rooms for fact in facts_in(scene, task)]
    checks = [_truth(task, asked), _reach(task, [fact for *_, fact in asked]), _same_answer(task, asked)]
    checks += [_wordings(task), _kinds(task, rooms)]
    for name, change in _CHANGES.items():
        checks.append(_property(task, name, asked, change))
    every = max(1, len(asked) // MOST_RENDERED)
    swapped = exchange.swap_flaws([(scene, fact) for _, scene, fact in asked])
    units = exchange.unit_flaws([fact for *_, fact in asked[::every]])
    for name, (count, flaws) in (("the two exchanged", swapped), ("every unit reads back", units)):
        if count:
            checks.append(Check(task, name, count, tuple(flaws)))
    return checks


def facts_in(scene: Scene, task: str, seeds: Sequence[int] = SEEDS) -> list[Fact]:
    """Facts of a scene over several seeds, with odd ones drawn fairly: not every form can be in every room."""
    found = []
    for seed in seeds:
        settings = SynthSettings(fair=seed % 2 == 1)
        for k, fact in enumerate(task_facts(scene, task, settings, seed)):
            if k == MOST_FACTS:
                break
            found.append(fact)
    return found


Asked = Sequence[tuple[Room, Scene, Fact]]


def _truth(task: str, asked: Asked) -> Check:
    flaw, flaws = oracle_of(task), []
    for room, scene, fact in asked:
        wrong = flaw(room, scene, fact)
        if wrong is None and not fact.margin > 0:
            wrong = f"has a margin of {fact.margin}"
        if wrong is None and len({fact.answer, *fact.wrong}) != 1 + len(fact.wrong):
            wrong = f"offers an answer twice: {fact.answer!r} beside {fact.wrong}"
        if wrong is not None:
            flaws.append(f"{_named(fact)} {wrong}")
    return Check(task, "true by closed form", len(asked), tuple(flaws))


def _reach(task: str, facts: Sequence[Fact]) -> Check:
    seen = Counter(fact.form for fact in facts)
    wanted = module_of(task).FORMS
    missing = tuple(f"{name}: no golden scene asks it" for name in wanted if not seen[name])
    return Check(task, "every form is asked", len(wanted), missing)


def _same_answer(task: str, asked: Asked) -> Check:
    flaws = [_differs(fact, fact.answer, fact.value, answer_in(scene, fact)) for _, scene, fact in asked]
    return Check(task, "answered again the same", len(asked), tuple(flaw for flaw in flaws if flaw))


def _wordings(task: str) -> Check:
    own = {name: form for name, form in forms().items() if name.split(".")[0] == task}
    flaws = [flaw for name, form in own.items() for flaw in wording.flaws(name, form)]
    return Check(task, "wordings say what they mean", sum(len(list(f.wordings())) for f in own.values()), tuple(flaws))


def _kinds(task: str, rooms: Sequence[tuple[Room, Scene]]) -> Check:
    """Metres are refused without metric depth, and only order survives an affine disparity."""
    flaws, count = [], 0
    allowed = {Scale.UP_TO_SCALE: {"ordinal", "ratio", "bearing"}, Scale.AFFINE_DISPARITY: {"ordinal"}}
    for scale, kinds in allowed.items():
        for fact in facts_in(rooms[0][0].scene(scale=scale), task, [0]):
            count += 1
            if fact.kind not in kinds:
                flaws.append(f"{_named(fact)} is a {fact.kind} question of {scale.value} depth")
    return Check(task, "kinds that depth cannot carry are refused", count, tuple(flaws))


# ---------------------------------------------------------------- properties: the same room, changed
@dataclass(frozen=True)
class _Change:
    """A changed scene of a room, and what a fact must say there (None: the change says nothing about it)."""

    scene: Callable[[Room], Scene]
    fact: Callable[[Fact], tuple[Fact, str, float] | None]


def _property(task: str, name: str, asked: Asked, change: _Change) -> Check:
    scenes: dict[int, Scene] = {}
    flaws, count = [], 0
    for room, _, fact in asked:
        expected = change.fact(fact)
        if expected is None:
            continue
        if id(room) not in scenes:
            scenes[id(room)] = change.scene(room)
        scene = scenes[id(room)]
        if any(scene.find(operand) is None for operand in fact.operands):
            continue
        count += 1
        said = answer_in(scene, expected[0])
        if said is None and fact.style == "point":
            continue  # a marked point may fall on an edge that the change has moved
        flaw = _differs(*expected, said)
        if flaw:
            flaws.append(flaw)
    return Check(task, name, count, tuple(flaws))


def mirrored(fact: Fact) -> tuple[Fact, str, float] | None:
    """The fact of the mirrored scene: sides and columns change places, angles their sign.

    A task for which more changes has a ``mirrored`` of its own.
    """
    own = getattr(module_of(fact.task), "mirrored", None)
    if own is not None:
        changed: Fact | None = own(fact)
        return None if changed is None else (changed, changed.answer, changed.value)
    swap = {"left": "right", "right": "left"}
    evidence = dict(fact.evidence)
    answer, wrong = fact.answer, fact.wrong
    if fact.style == "value":
        answer, *wrong = ("_".join(swap.get(part, part) for part in key.split("_")) for key in (answer, *wrong))  # type: ignore[assignment]
    if "points" in evidence:
        evidence["points"] = [{**mark, "percent": _across(mark["percent"])} for mark in evidence["points"]]
    value = -fact.value if fact.unit == "deg" else fact.value
    return replace(fact, answer=answer, wrong=tuple(wrong), evidence=evidence, value=value), answer, value


def _across(percent: Sequence[float]) -> list[float]:
    return [100 - percent[0], percent[1]]


def _twice(fact: Fact) -> tuple[Fact, str, float] | None:
    if fact.kind == "metric" and fact.style != "number":
        return None  # so many metres from something: another place in a room of twice the size
    return fact, fact.answer, 2 * fact.value if fact.unit == "m" else fact.value


def _turned(fact: Fact) -> tuple[Fact, str, float] | None:
    marked = fact.style == "point" or "points" in fact.evidence  # places of the picture, not of the world
    moves = fact.frame.startswith("camera") or marked or fact.kind == "ordinal"
    return None if moves else (fact, fact.answer, fact.value)


def _renamed(fact: Fact) -> tuple[Fact, str, float]:
    if fact.style not in ("pair", "among"):
        return fact, fact.answer, fact.value
    answer, *wrong = (_new_name(name) for name in (fact.answer, *fact.wrong))
    return replace(fact, answer=answer, wrong=tuple(wrong)), answer, fact.value


def _new_name(name: str) -> str:
    return f"new {name[::-1]}"


def _world_turned(room: Room) -> Scene:
    fronts = [None if block.front is None else block.front + YAW for block in room.blocks]
    blocks = [replace(b.turned(YAW), yaw=b.yaw + YAW, front=front) for b, front in zip(room.blocks, fronts)]
    return Room(blocks, room.view).scene()


def _world_renamed(room: Room) -> Scene:
    return Room([replace(block, name=_new_name(block.name)) for block in room.blocks], room.view).scene()


_CHANGES = {
    "mirrored: sides change, the rest stays": _Change(lambda room: room.scene(mirror=True), mirrored),
    "twice as large: metres double, the rest stays": _Change(lambda room: room.scene(factor=2.0), _twice),
    "turned about the camera: what has its own frame stays": _Change(_world_turned, _turned),
    "renamed: relations stay": _Change(_world_renamed, _renamed),
}


def _differs(fact: Fact, answer: str, value: float, said: Any) -> str | None:
    if fact.style == "number":
        same = isinstance(said, (int, float)) and math.isclose(float(said), value, rel_tol=0.05, abs_tol=0.03)
        return None if same else f"{_named(fact)} is {value:.3f}, and {said} when asked again"
    return None if said == answer else f"{_named(fact)} is {answer!r}, and {said!r} when asked again"


def _named(fact: Fact) -> str:
    return f"{fact.form}({', '.join(fact.operands)})"

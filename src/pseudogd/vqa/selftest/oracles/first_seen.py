"""The hand that turns: it has the smallest angle to go to the thing that is met first."""

from __future__ import annotations

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Room
from pseudogd.vqa.selftest.oracles._common import away, bearing, expect


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    x, y, *asked = (complex(room.block(o).x, room.block(o).z) for o in fact.operands)
    stance, way = fact.form.split(".")[1].split("_")
    ahead = y - x if stance == "facing" else x - y
    names = [room.block(o).name for o in fact.operands[2:]]
    turns = {name: bearing((z - x) / ahead) * (1 if way == "right" else -1) % 360 for name, z in zip(names, asked)}
    if set(turns) != {fact.answer, *fact.wrong}:
        return f"offers {fact.wrong} beside {fact.answer}"
    first = min(turns, key=lambda name: turns[name])
    if abs(away(fact.value, turns[fact.answer])) > 3:
        return f"says {fact.value:.1f} degrees to the {fact.answer}, the truth is {turns[fact.answer]:.1f}"
    return expect(fact.answer, first)

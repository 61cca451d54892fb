"""The ray through the right point meets the card that fulfils the condition; those of the others do not."""

from __future__ import annotations

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import ROOMS as _ROOMS
from pseudogd.vqa.selftest.golden import Room
from pseudogd.vqa.selftest.oracles._conditions import chosen, full_of, hits, numbers_of

ROOMS = (_ROOMS[0], _ROOMS[2])


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    right = chosen(room, fact)[0]
    for place, text in enumerate((fact.answer, *fact.wrong)):
        there = hits(room, scene, *(n / full_of(text, fact.slots["units"]) for n in numbers_of(text)))
        if (there is right) != (place == 0):
            return f"says {text} for answer {place}, where the {there.name if there else 'room'} is"
    return None

"""Tops of blocks and the floor are level, sides and the wall vertical."""

from __future__ import annotations

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Room
from pseudogd.vqa.selftest.oracles._common import expect, percent_of
from pseudogd.vqa.selftest.oracles._faces import face_at
from pseudogd.vqa.selftest.oracles.planes import ROOMS as ROOMS


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    def kind(text: str) -> str:
        return "level" if abs(face_at(room, scene, percent_of(text))[0][1]) > 0.5 else "vertical"

    if fact.form == "slope.at":
        return expect(fact.answer, kind(fact.slots["p"]))
    asked = fact.form.split("_")[1]
    right = [kind(text) == asked for text in (fact.answer, *fact.wrong)]
    return None if right == [True] + [False] * (len(right) - 1) else f"of its points these fulfil it: {right}"

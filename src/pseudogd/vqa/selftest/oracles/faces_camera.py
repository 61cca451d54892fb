"""Angles between the faces of blocks and the rays that see them."""

from __future__ import annotations

import numpy as np

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Room
from pseudogd.vqa.selftest.oracles._common import near, percent_of
from pseudogd.vqa.selftest.oracles._faces import face_at
from pseudogd.vqa.selftest.oracles.planes import ROOMS as ROOMS


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    slants = []
    for text in (fact.answer, *fact.wrong):
        normal, place = face_at(room, scene, percent_of(text))
        slants.append(float(np.degrees(np.arccos(-normal @ place / np.linalg.norm(place)))))
    best = min(slants) if fact.form == "faces_camera.most" else max(slants)
    if slants[0] != best:
        return f"of its points the true slants are {[round(slant) for slant in slants]}"
    return near(fact.value, slants[0], absolute=4)

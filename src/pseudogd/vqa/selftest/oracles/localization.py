"""Nearest thing by gaps of rectangles; marked points where their rays meet the floor or the thing."""

from __future__ import annotations

import numpy as np

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.scene import Scene
from pseudogd.vqa.selftest.golden import Array, Block, Room, middle
from pseudogd.vqa.selftest.oracles._common import card_gap, expect, on_floor, percent_of


def flaw(room: Room, scene: Scene, fact: Fact) -> str | None:
    form = fact.form.split(".")[1]
    if form in ("nearest_object", "farthest_object"):
        start, want = room.block(fact.operands[0]), min if form == "nearest_object" else max
        return expect(fact.answer, want(map(room.block, fact.operands[1:]), key=lambda b: card_gap(start, b)).name)
    points = fact.evidence["points"]
    if percent_of(fact.answer) != points[0]["percent"]:
        return f"says {fact.answer}, its first point is {points[0]['percent']}"
    check = {"point_between": _between, "point_front": _front, "point_nearest": _nearest}.get(form, _camera)
    right = check(room, scene, fact)
    return None if right == [True] + [False] * (len(points) - 1) else f"of its points these fulfil it: {right}"


def _between(room: Room, scene: Scene, fact: Fact) -> list[bool]:
    a, b = (complex(room.block(o).x, room.block(o).z) for o in fact.operands)
    right = []
    for mark in fact.evidence["points"]:
        place = on_floor(room, scene, mark["percent"])
        share = (complex(place[0], place[2]) - a) / (b - a)
        right.append(bool(mark["floor"]) and 0.2 < share.real < 0.8 and abs(share.imag) < 0.2)
    return right


def _front(room: Room, scene: Scene, fact: Fact) -> list[bool]:
    thing = room.block(fact.operands[0])
    near = np.array([thing.x, thing.z - thing.depth / 2])
    target = near - near / np.linalg.norm(near) * fact.value
    places = [on_floor(room, scene, mark["percent"])[::2] for mark in fact.evidence["points"]]
    floor = [bool(mark["floor"]) for mark in fact.evidence["points"]]
    # Between the right place and a wrong one lies a band in which no point may be.
    reach = [0.25, *[0.45] * (len(places) - 1)]
    return [f and float(np.linalg.norm(p - target)) < r for f, p, r in zip(floor, places, reach)]


def _nearest(room: Room, scene: Scene, fact: Fact) -> list[bool]:
    thing, places = room.block(fact.operands[0]), [np.array(p["space"]) for p in fact.evidence["points"]]
    gaps = [float(np.linalg.norm(place - _closest(thing, room.eye, place))) for place in places]
    return [gap == min(gaps) for gap in gaps]


def _closest(card: Block, eye: float, place: Array) -> Array:
    low = middle(card, eye) - [card.width / 2, card.height / 2, 0]
    return np.clip(place, low, low + np.array([card.width, card.height, card.depth]))


def _camera(room: Room, scene: Scene, fact: Fact) -> list[bool]:
    height, width = scene.depth.shape
    shares = [np.array(mark["percent"]) / 100 for mark in fact.evidence["points"]]
    z = [float(scene.depth[int(y * height), int(x * width)]) for x, y in shares]
    best = min(z) if fact.form.endswith("near_camera") else max(z)
    return [value == best for value in z]

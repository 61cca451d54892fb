"""What the camera sees once it has turned or moved, against pictures taken from there."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from pseudogd.geometry.types import Scale
from pseudogd.vqa.guards import Margins
from pseudogd.vqa.scene import SceneSettings
from pseudogd.vqa.selftest.golden import cast, middle
from pseudogd.vqa.selftest.oracles.camera_move import ROOMS
from pseudogd.vqa.tasks import camera_move, facts_of

ROOM = ROOMS[0]
SCENE = ROOM.scene()


def asked(scene, seed=0, margins=None):
    """Those of motions that are told as numbers."""
    return [fact for fact in every(scene, seed, margins) if "_to_" not in fact.form]


def to_places(scene, seed=0, margins=None):
    return [fact for fact in every(scene, seed, margins) if "_to_" in fact.form]


def every(scene, seed=0, margins=None):
    return list(facts_of("camera_move")(scene, np.random.default_rng(seed), margins or Margins()))


def taken(motion, operand, side=128, room=ROOM, place=None):
    """(columns, rows) of the block in a picture of it alone, taken after the motion, and its distance."""
    block = room.block(operand)
    if place is not None:
        x, _, z = middle(room.block(place), room.eye)
        moved = replace(block, x=block.x - x, z=block.z - z)
    elif motion.kind == "turned":
        moved = block.turned(-math.radians(motion.by) * {"left": -1, "right": 1}[motion.way])
    elif motion.way == "forward":
        moved = replace(block, z=block.z - motion.by)
    else:
        moved = replace(block, x=block.x - motion.by * {"left": -1, "right": 1}[motion.way])
    index = cast([moved], side=side, eye=room.eye)[3]
    columns = np.nonzero(index == 0)[1]
    return columns / side, math.hypot(moved.x, room.eye - moved.base - moved.height / 2, moved.z)


def test_every_answer_is_that_of_a_picture_taken_from_there():
    seen = Counter()
    for fact in asked(SCENE):
        motion, what = camera_move.parts(fact)
        columns, distance = taken(motion, fact.operands[0])
        if what == "seen":
            assert (fact.answer == "in") == (len(columns) > 0), fact
        elif what == "side":
            assert (fact.answer == "left") == (float(np.median(columns)) < 0.5), fact
        else:
            block = ROOM.block(fact.operands[0])
            before = math.hypot(block.x, ROOM.eye - block.base - block.height / 2, block.z)
            assert (fact.answer == "nearer") == (distance < before), fact
        seen[fact.form.split("_")[-1], fact.answer] += 1
    assert len(seen) == 6 and seen.total() > 50


def test_neither_the_way_nor_the_place_now_tells_the_answer():
    counts = Counter()
    for seed in range(40):
        for fact in asked(SCENE, seed)[:10]:
            motion, what = camera_move.parts(fact)
            counts[what, "all"] += 1
            counts[what, "shortcut"] += fact.evidence["shortcut"]["right"]
            counts[what, fact.answer] += 1
            if what == "side":
                counts["way"] += fact.answer == motion.way
    for what in ("side", "seen", "range"):
        assert 0.35 < counts[what, "shortcut"] / counts[what, "all"] < 0.65
    for what, own in (("side", "left"), ("seen", "in"), ("range", "nearer")):
        assert 0.35 < counts[what, own] / counts[what, "all"] < 0.65
    assert 0.35 < counts["way"] / counts["side", "all"] < 0.65


def test_motions_of_equal_size_have_both_answers_equally_often():
    counts = Counter()
    for fact in asked(SCENE):
        motion, what = camera_move.parts(fact)
        counts[motion.kind, motion.way == "forward", what, motion.by, fact.answer in (motion.way, "in", "nearer")] += 1
    for key, count in counts.items():
        assert counts[(*key[:-1], not key[-1])] == count, key


def test_moves_need_meters_and_turns_do_not():
    facts = asked(ROOM.scene(scale=Scale.UP_TO_SCALE))
    assert facts and all(fact.form.startswith("camera_move.turned") for fact in facts)
    for change in ({"up_confidence": None}, {"with_camera": False}, {"scale": Scale.AFFINE_DISPARITY}):
        assert not asked(ROOM.scene(**change))


def test_what_is_less_sure_never_asks_more():
    counts = []
    for sigma in (0.005, 0.05, 0.15, 0.4):
        facts = asked(ROOM.scene(settings=SceneSettings(depth_sigma=sigma, up_sigma=0.002)))
        counts.append(sum(fact.form.startswith("camera_move.moved") for fact in facts))
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[-1]


def test_the_camera_is_never_moved_into_things():
    for fact in asked(SCENE):
        motion, _ = camera_move.parts(fact)
        assert motion.kind == "turned" or motion.by <= 0.6 * ROOM.block(fact.operands[0]).z


@pytest.mark.parametrize("degrees", range(5, 60, 5))
def test_a_turn_moves_the_bearing_by_as_much(degrees):
    """The column after a turn is that of the bearing less the turn; turning back undoes it."""
    camera = SCENE.geometry.camera
    for index in range(len(SCENE)):
        x, _, z = SCENE.centres[index]
        bearing = math.atan2(x, z) - math.radians(degrees)
        then = camera_move.seen_after(SCENE, index, camera_move.Motion("turned", "right", degrees))
        if abs(bearing) < 1.4:
            column = (camera.fx * math.tan(bearing) + camera.cx + 0.5) / camera.width
            assert then.u == pytest.approx(column, abs=1e-9)
        assert then.distance == pytest.approx(camera_move.seen_after(SCENE, index, None).distance)


def test_steps_end_in_the_answer():
    words = {"in": "in the picture", "out": "outside the picture"}
    for fact in asked(SCENE):
        steps = camera_move.steps(fact)
        assert 2 <= len(steps) <= 4 and words.get(fact.answer, fact.answer) in steps[-1]


@pytest.mark.parametrize("room", [ROOMS[0], ROOMS[3]])
def test_places_of_things_are_seen_as_a_picture_taken_there(room):
    seen = Counter()
    for fact in to_places(room.scene()):
        motion, what = camera_move.parts(fact)
        columns, distance = taken(motion, fact.operands[0], room=room, place=fact.operands[1])
        if what == "seen":
            assert (fact.answer == "in") == (len(columns) > 0), fact
        elif what == "side":
            assert (fact.answer == "left") == (float(np.median(columns)) < 0.5), fact
        else:
            block = room.block(fact.operands[0])
            before = math.hypot(block.x, room.eye - block.base - block.height / 2, block.z)
            assert (fact.answer == "nearer") == (distance < before), fact
        seen[what, fact.answer] += 1
    for what, answer, other in (("side", "left", "right"), ("seen", "in", "out"), ("range", "nearer", "farther")):
        assert seen[what, answer] == seen[what, other]
    assert seen["range", "nearer"] and seen["seen", "in"] and bool(seen["side", "left"]) == (room is ROOMS[3])


@pytest.mark.parametrize("form", ["side", "seen", "range"])
def test_rules_of_thumb_are_right_of_half_the_places(form):
    right = [
        fact.evidence["shortcut"]["right"]
        for seed in range(6)
        for fact in to_places(ROOMS[3].scene(), seed)
        if fact.form.endswith(form)
    ]
    assert right and sum(right) * 2 == len(right)


def test_places_need_no_meters_but_a_camera_and_gravity():
    one, many = (to_places(ROOM.scene(scale=scale)) for scale in (Scale.METRIC, Scale.UP_TO_SCALE))
    assert one and {fact.form for fact in one} == {fact.form for fact in many}
    for change in ({"up_confidence": None}, {"with_camera": False}, {"scale": Scale.AFFINE_DISPARITY}):
        assert not to_places(ROOM.scene(**change))


def test_nobody_stands_in_what_is_asked_about():
    for fact in to_places(SCENE):
        a, x = (ROOM.block(operand) for operand in fact.operands)
        assert math.hypot(a.x - x.x, a.z - x.z) > (a.width + x.width) / 2


def test_steps_to_places_end_in_the_answer():
    words = {"in": "in the picture", "out": "outside the picture"}
    for fact in to_places(SCENE) + to_places(ROOMS[3].scene()):
        steps = camera_move.steps(fact)
        assert len(steps) == 2 and words.get(fact.answer, fact.answer) in steps[-1]

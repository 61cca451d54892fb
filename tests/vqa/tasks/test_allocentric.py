"""Where things are as a thing with a front has them: only where that front is known."""

import math
from dataclasses import replace

import numpy as np
import pytest

from pseudogd.vqa.guards import Margins
from pseudogd.vqa.scene import SceneSettings
from pseudogd.vqa.selftest.golden import SURE, Block, golden
from pseudogd.vqa.selftest.oracles.allocentric import ROOMS
from pseudogd.vqa.tasks import allocentric, answer_in, facts_of


def asked(scene, seed=0, margins=None):
    return list(facts_of("allocentric")(scene, np.random.default_rng(seed), margins or Margins()))


def two(degrees, name="red chair"):
    return [Block(name, -0.5, 4.0, 0.5, 0.9, front=math.radians(degrees)), Block("green card", 1.0, 4.0, 0.5, 0.7)]


def with_front(scene, front, confidence=1.0):
    first = replace(scene.objects[0], front=front, front_confidence=confidence)
    return replace(scene, objects=(first, *scene.objects[1:]))


@pytest.mark.parametrize("degrees", range(0, 360, 5))
def test_a_chair_turned_on_the_spot(degrees):
    """The card is at 90 degrees, so the turn from the front to it is 90 degrees less that of the front."""
    facts = asked(golden(two(degrees), settings=SURE, side=128))
    angle = (90 - degrees + 180) % 360 - 180
    side = "right" if angle > 0 else "left"
    where = ("front", "right", "behind", "left")[round(angle / 90) % 4]
    for fact in facts:
        assert abs((fact.value - angle + 180) % 360 - 180) < 2
        assert fact.answer == (side if fact.form.endswith("side") else where)
        assert 2 <= len(allocentric.steps(fact)) <= 4
    forms, off = {fact.form.split(".")[1] for fact in facts}, abs((angle + 45) % 90 - 45)
    if not 25 < off < 32:
        assert ("where" in forms) == (off <= 25)
    if not 55 < abs(abs(angle) - 90) < 65:
        assert ("side" in forms) == (abs(abs(angle) - 90) < 60)


def test_the_same_place_has_all_answers_as_the_front_turns():
    answers = {d: {f.answer for f in asked(golden(two(d), settings=SURE, side=128))} for d in (0, 90, 180, 270)}
    assert answers == {0: {"right"}, 90: {"front"}, 180: {"left"}, 270: {"behind"}}


@pytest.mark.parametrize("name", ["green ball", "red lamp", "blue bottle"])
def test_things_without_a_front_have_no_view_of_their_own(name):
    assert not asked(golden(two(0, name), settings=SURE))


def test_a_doubtful_or_steep_front_is_not_believed():
    scene = golden(two(0), settings=SURE)
    assert asked(scene)
    front = scene.objects[0].front
    assert not asked(with_front(scene, front, 0.5)) and asked(with_front(scene, front, 0.8))
    assert not asked(with_front(scene, None, None))
    steep = np.array([0.0, -math.sin(1.0), math.cos(1.0)])
    assert not asked(with_front(scene, steep))


def test_what_is_less_sure_never_asks_more():
    room = ROOMS[0]
    counts = [
        len(asked(room.scene(settings=SceneSettings(depth_sigma=sigma, up_sigma=0.002))))
        for sigma in (0.005, 0.05, 0.12, 0.3)
    ]
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[-1]
    assert len(asked(room.scene())) > len(asked(room.scene(), margins=Margins(front_error=0.3)))


@pytest.mark.parametrize("change", [{"up_confidence": None}, {"with_camera": False}])
def test_nothing_is_asked_without_gravity_or_camera(change):
    assert not asked(ROOMS[0].scene(**change))


def test_the_camera_is_as_often_right_as_wrong_and_the_answer_does_not_follow_it():
    facts = [fact for seed in range(40) for fact in asked(ROOMS[0].scene(side=128), seed)[:4]]
    right = sum(fact.evidence["shortcut"]["right"] for fact in facts) / len(facts)
    assert 0.25 < right < 0.7
    scene = ROOMS[0].scene()
    for fact in asked(scene):
        turned = with_front(scene, scene.objects[0].front * [-1, 1, -1])
        if fact.operands[0] == scene.objects[0].object_id:
            opposite = {"left": "right", "right": "left", "front": "behind", "behind": "front"}
            assert answer_in(turned, fact) == opposite[fact.answer]

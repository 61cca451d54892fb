"""Eight directions, turns, what is seen first, and fronts: closed forms all around, guards, twins, steps after disk."""

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest

from pseudogd.vqa.fact import restored, said
from pseudogd.vqa.guards import Margins
from pseudogd.vqa.scene import SceneSettings
from pseudogd.vqa.selftest.golden import CARDS, ROOMS, Room
from pseudogd.vqa.selftest.oracles import rooms_of
from pseudogd.vqa.tasks import allocentric, facts_of, module_of, octant, turn

TASKS = ("clock", "octant", "turn", "first_seen", "allocentric")


def ask(task, scene, seed=0, margins=None):
    return list(facts_of(task)(scene, np.random.default_rng(seed), margins or Margins()))


def test_eight_directions_are_rounded():
    angles = {"front": 0, "front_right": 45, "right": 90, "behind_right": 135, "behind": 180}
    angles |= {"behind_left": 225, "left": 270, "front_left": 315}
    for degree in range(-360, 360):
        off = {name: abs((degree - angle + 180) % 360 - 180) for name, angle in angles.items()}
        if degree % 45 not in (22, 23):
            assert octant.direction_of(math.radians(degree)) == min(off, key=off.get)


def test_ways_and_their_margins():
    for degree in range(-179, 180):
        way = turn.way_of(math.radians(degree))
        assert way == ("around" if abs(degree) > 135 else "right" if degree > 0 else "left")
        margin = math.degrees(float(turn.way_margin(np.array(math.radians(degree)))))
        changed = [
            d for d in range(-60, 61) if degree + d in range(-179, 180) and turn.way_of(math.radians(degree + d)) != way
        ]
        assert margin <= min((abs(d) for d in changed), default=180) + 1e-6


@pytest.mark.parametrize("task", TASKS)
def test_less_sure_never_asks_more(task):
    room = rooms_of(task)[0]
    counts = []
    for sigma in (0.005, 0.05, 0.15):
        settings = SceneSettings(depth_sigma=sigma, lifted_doubt=1.0)
        counts.append(len({(*f.operands, f.form) for f in ask(task, room.scene(settings=settings))}))
    assert counts[0] > counts[-1] and (task == "allocentric" or counts == sorted(counts, reverse=True))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("lacks", [{"with_camera": False}, {"up_confidence": 0.1}, {"up_confidence": None}])
def test_nothing_is_asked_that_the_scene_cannot_carry(task, lacks):
    assert not ask(task, rooms_of(task)[0].scene(**lacks))


@pytest.mark.parametrize("task", TASKS)
def test_evidence_is_plain_and_steps_work_on_what_comes_back_from_disk(task):
    for fact in ask(task, rooms_of(task)[0].scene())[:60]:
        evidence = {**fact.evidence, "form": fact.form, "formula": fact.formula, "twin": fact.twin, "fact": said(fact)}
        back = restored(asdict(fact), json.loads(json.dumps(evidence, allow_nan=False)))
        lines = module_of(task).steps(back)
        assert 2 <= len(lines) <= 4 and all(line.endswith(".") and len(line.split()) <= 45 for line in lines)
        assert fact.evidence["camera_view"] and fact.evidence["draw"]


@pytest.mark.parametrize("task", TASKS)
def test_the_camera_itself_would_often_be_wrong(task):
    facts = ask(task, rooms_of(task)[0].scene())
    differ = sum(fact.evidence["camera_view"] != fact.answer for fact in facts)
    assert 0.2 < differ / len(facts) < 1


@pytest.mark.parametrize("task", ["octant", "allocentric"])
def test_twins_have_opposite_answers(task):
    opposite = {"front": "behind", "left": "right", "front_left": "behind_right", "front_right": "behind_left"}
    opposite |= {value: key for key, value in opposite.items()}
    facts = ask(task, rooms_of(task)[0].scene())
    for one, other in zip(facts[::2], facts[1::2]):
        assert one.twin == other.twin and other.answer == opposite[one.answer]


def with_front(confidence=1.0, lean=0.0, name="red chair"):
    """A room in which one thing has a front."""
    blocks = [replace(CARDS[0], name=name, front=math.radians(100)), *CARDS[1:]]
    scene = Room(blocks, ROOMS[0].view).scene()
    first = scene.objects[0]
    front = np.array([math.sin(1.7) * math.cos(lean), -math.sin(lean), math.cos(1.7) * math.cos(lean)])
    return replace(scene, objects=(replace(first, front=front, front_confidence=confidence), *scene.objects[1:]))


def test_only_confident_level_fronts_of_things_that_have_one():
    assert ask("allocentric", with_front())
    assert not ask("allocentric", with_front(confidence=0.5))
    assert not ask("allocentric", with_front(lean=math.radians(50)))
    assert not ask("allocentric", with_front(name="red ball"))
    assert not ask("allocentric", with_front(), margins=replace(Margins(), front_error=math.radians(30)))
    assert allocentric.turn(with_front(), 1, 0) is None


def test_one_sits_on_seats_alone():
    seats = {f.form for seed in range(3) for f in ask("allocentric", with_front(), seed)}
    assert {"allocentric.seat", "allocentric.seat_turned"} <= seats
    dogs = {f.form for seed in range(3) for f in ask("allocentric", with_front(name="red dog"), seed)}
    assert dogs and not any("seat" in form for form in dogs)

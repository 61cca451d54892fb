"""Turning on the spot: what is met first."""

import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from pseudogd.vqa.guards import Margins
from pseudogd.vqa.scene import SceneSettings
from pseudogd.vqa.selftest.golden import CARDS, SURE, golden
from pseudogd.vqa.tasks import answer_in, facts_of, first_seen


def asked(scene, seed=0, margins=None):
    return list(facts_of("first_seen")(scene, np.random.default_rng(seed), margins or Margins()))


SCENE = golden(CARDS, settings=SURE)


def test_twins_are_the_opposite_turn_and_never_share_the_answer():
    facts = asked(SCENE)
    assert len(facts) > 20
    for one, other in zip(facts[::2], facts[1::2]):
        assert one.twin == other.twin and {one.answer, *one.wrong} == {other.answer, *other.wrong}
        assert {one.form.split("_")[-1], other.form.split("_")[-1]} == {"left", "right"}
        assert one.answer != other.answer


def test_what_is_met_is_well_apart():
    sizes = Counter()
    for fact in itertools.chain(*(asked(SCENE, seed) for seed in range(5))):
        turns = sorted(degrees for _, degrees in fact.evidence["met"])
        sizes[len(turns)] += 1
        assert turns[0] >= 14 and turns[-1] <= 346
        assert all(b - a >= 14 for a, b in itertools.pairwise(turns))
        assert fact.margin >= 15 - 1e-6 and 2 <= len(first_seen.steps(fact)) <= 4
    assert set(sizes) == {2, 3, 4}


def test_the_thing_closest_to_straight_ahead_is_right_half_of_the_time_at_most():
    right = total = 0
    for fact in itertools.chain(*(asked(SCENE, seed) for seed in range(10))):
        closest = min(fact.evidence["met"], key=lambda entry: min(entry[1], 360 - entry[1]))[0]
        right, total = right + (closest == fact.answer), total + 1
    assert right <= 0.52 * total


def test_the_order_in_which_things_are_listed_says_nothing():
    for fact in asked(SCENE):
        x, y, *rest = fact.operands
        for order in itertools.islice(itertools.permutations(rest), 4):
            assert answer_in(SCENE, replace(fact, operands=(x, y, *order))) == fact.answer


def test_what_is_less_sure_never_asks_more():
    counts = [
        sum(len(asked(golden(CARDS, settings=SceneSettings(depth_sigma=sigma, up_sigma=0.002)), s)) for s in range(3))
        for sigma in (0.005, 0.1, 0.3)
    ]
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[-1]


@pytest.mark.parametrize("change", [{"up_confidence": None}, {"with_camera": False}])
def test_nothing_is_asked_without_gravity_or_camera(change):
    assert not asked(golden(CARDS, settings=SURE, **change))
    assert not asked(golden(CARDS[:3], settings=SURE))

"""Turns: which way, and how far."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from pseudogd.vqa.guards import Margins
from pseudogd.vqa.scene import SceneSettings
from pseudogd.vqa.selftest.golden import CARDS, SURE, golden
from pseudogd.vqa.tasks import facts_of, turn


def asked(scene, seed=0, margins=None):
    return list(facts_of("turn")(scene, np.random.default_rng(seed), margins or Margins()))


def test_ways_over_the_whole_circle():
    for degree in range(-180, 180):
        want = "around" if abs(degree) > 135 else "right" if degree > 0 else "left"
        assert degree in (0, 135, -135) or turn.way_of(math.radians(degree)) == want
        if 15 <= abs(degree) <= 165:
            assert abs(turn.nearest(degree) - degree) <= 5


def test_angles_offered_are_spaced_and_favor_none():
    rng, rank = np.random.default_rng(1), Counter()
    for own in np.tile(turn.KEYS, 60):
        options = [int(own), *turn.others(int(own), rng)]
        assert len(options) == 4
        for a, b in itertools.combinations(options, 2):
            assert abs((a - b + 180) % 360 - 180) >= 40
        rank[sorted(options).index(int(own))] += 1
    share = sum(rank.values()) / 4
    assert len(rank) == 4 and all(abs(count - share) < 0.2 * share for count in rank.values())


def test_margins_hold_and_around_is_meant():
    facts = asked(golden(CARDS, settings=SURE))
    for fact in facts:
        size = abs(fact.value)
        if fact.form.startswith("turn.angle"):
            assert 15 <= size <= 165 and abs(int(fact.answer) - fact.value) <= 5 + 1e-9
        elif fact.answer == "around":
            assert size >= 150
        else:
            assert 37.5 <= size <= 120 and (fact.value > 0) == (fact.answer == "right")
        assert 2 <= len(turn.steps(fact)) <= 4


def test_no_way_is_the_usual_one():
    first = Counter()
    scene = golden(CARDS, settings=SURE)
    for seed in range(200):
        facts = itertools.islice(facts_of("turn")(scene, np.random.default_rng(seed), Margins()), 12)
        ways = [fact.answer for fact in facts if fact.form.startswith("turn.way")]
        first.update(ways)
    total = sum(first.values())
    assert set(first) == {"left", "right", "around"} and max(first.values()) < 0.42 * total


def test_twins_turn_the_other_way():
    pairs = {}
    for fact in asked(golden(CARDS, settings=SURE)):
        if fact.twin:
            pairs.setdefault(fact.twin, []).append(fact)
    assert len(pairs) > 10
    for one, other in pairs.values():
        assert {one.form.split("_")[1], other.form.split("_")[1]} == {"facing", "away"}
        assert one.value * other.value < 0 and abs(one.value) + abs(other.value) == pytest.approx(180)


def test_what_is_less_sure_never_asks_more():
    counts = [
        len(asked(golden(CARDS, settings=SceneSettings(depth_sigma=sigma, up_sigma=0.002))))
        for sigma in (0.005, 0.03, 0.08, 0.2)
    ]
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[-1]


@pytest.mark.parametrize("change", [{"up_confidence": None}, {"with_camera": False}])
def test_nothing_is_asked_without_gravity_or_camera(change):
    assert not asked(golden(CARDS, settings=SURE, **change))

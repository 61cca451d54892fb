"""Hours are rounded, wrong ones are spaced, and less sureness never asks more."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from pseudogd.vqa.guards import Margins
from pseudogd.vqa.scene import SceneSettings
from pseudogd.vqa.selftest.golden import CARDS, golden
from pseudogd.vqa.tasks import clock


def test_the_hour_is_the_nearest_one_all_around():
    for degree in range(360):
        hands = [abs((degree - 30 * hour + 180) % 360 - 180) for hour in range(12)]
        if sorted(hands)[0] < sorted(hands)[1]:  # on an edge both are as near
            assert clock.hour_of(math.radians(degree)) == str(hands.index(min(hands)) or 12), degree
            assert clock.hour_of(math.radians(degree - 360)) == clock.hour_of(math.radians(degree))
    assert clock.hour_of(math.radians(1)) == "12" and clock.hour_of(math.radians(-29)) == "11"


def test_wrong_hours_are_apart_and_do_not_point_at_the_right_one():
    rng, ranks = np.random.default_rng(0), Counter()
    for k in range(3000):
        hour = k % 12
        hours = [hour or 12, *clock.others(hour, rng)]
        ordered = sorted(hours)
        gaps = [(b - a - 1) % 12 + 1 for a, b in zip(ordered, [*ordered[1:], ordered[0]])]
        assert sum(gaps) == 12 and min(gaps) >= 2
        ranks[ordered.index(hours[0])] += 1
    assert all(abs(n - 750) < 5 * np.sqrt(750) for n in ranks.values())


def test_less_sure_never_asks_more():
    counts = []
    for sigma in (0.005, 0.02, 0.05, 0.1):
        scene = golden(CARDS, settings=SceneSettings(depth_sigma=sigma))
        counts.append(len(list(clock.facts(scene, np.random.default_rng(0), Margins()))))
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[-1]
    scene = golden(CARDS, settings=SceneSettings(depth_sigma=0.005))
    wide = replace(Margins(), hour=math.radians(10))
    assert len(list(clock.facts(scene, np.random.default_rng(0), wide))) < counts[0]


@pytest.mark.parametrize("lacks", [{"with_camera": False}, {"up_confidence": 0.1}, {"up_confidence": None}])
def test_nothing_is_asked_that_the_scene_cannot_carry(lacks):
    assert not list(clock.facts(golden(CARDS, **lacks), np.random.default_rng(0), Margins()))


def test_twins_are_six_hours_apart_and_mirrored_twice_is_the_same():
    facts = list(clock.facts(golden(CARDS), np.random.default_rng(1), Margins()))
    for one, other in zip(facts[::2], facts[1::2]):
        assert one.twin == other.twin and (int(one.answer) - int(other.answer)) % 12 == 6
        assert clock.mirrored(clock.mirrored(one)) == one
        assert clock.steps(one)[-1].endswith(f"hour is {one.answer}.")

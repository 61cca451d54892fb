"""Hours are rounded, never cut off; and nothing is asked that the geometry cannot say."""

import math
from collections import Counter

import numpy as np
import pytest
from helpers.golden import SURE, Block, golden

from pseudogd.geometry.types import Scale
from pseudogd.vqa.guards import Margins
from pseudogd.vqa.scene import SceneSettings
from pseudogd.vqa.selftest.golden import CARDS
from pseudogd.vqa.tasks import clock, facts_of


def asked(scene, seed=0, margins=None):
    return list(facts_of("clock")(scene, np.random.default_rng(seed), margins or Margins()))


@pytest.mark.parametrize("turns", [-2, 0, 3])
def test_every_degree_is_told_by_the_nearest_hour(turns):
    """Twelve o'clock is as wide on both sides: from 15 degrees left to 15 degrees right."""
    for degree in range(360):
        said = int(clock.hour_of(math.radians(degree + 360 * turns)))
        off = min(abs((degree - 30 * said + 180) % 360 - 180), 360)
        assert off <= 15, (degree, said)
        if degree % 30 != 15:
            assert said == ((degree + 15) // 30 % 12 or 12), degree


@pytest.mark.parametrize("degree, hour", [(1, "12"), (-1, "12"), (-14, "12"), (-29, "11"), (29, "1"), (16, "1")])
def test_hours_that_cutting_off_gets_wrong(degree, hour):
    assert clock.hour_of(math.radians(degree)) == hour


def test_wrong_hours_are_two_hours_apart_and_tell_nothing_of_the_right_one():
    rng, ranks = np.random.default_rng(2), Counter()
    for k in range(2400):
        hours = [k % 12, *clock.others(k % 12, rng)]
        places = sorted(hour % 12 for hour in hours)
        gaps = [(b - a) % 12 for a, b in zip(places, [*places[1:], places[0]])]
        assert min(gaps) >= 2 and sum(gaps) == 12
        # The gap before the right hour is distributed as that after it.
        at = places.index(k % 12)
        ranks[gaps[at] - gaps[at - 1] > 0, gaps[at] == gaps[at - 1]] += 1
    assert abs(ranks[True, False] - ranks[False, False]) < 5 * math.sqrt(2400)


def test_what_is_less_sure_never_asks_more():
    counts = []
    for sigma in (0.005, 0.03, 0.08, 0.2):
        scene = golden(CARDS, settings=SceneSettings(depth_sigma=sigma, up_sigma=0.002))
        counts.append(len(asked(scene)))
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[-1]
    scene = golden(CARDS, settings=SURE)
    assert len(asked(scene)) > len(asked(scene, margins=Margins(hour=math.radians(12.0))))


def test_margins_are_kept():
    for fact in asked(golden(CARDS, settings=SURE)):
        off = abs((fact.value + 15) % 30 - 15)
        assert 15 - off >= 5 - 1e-6 and fact.margin == pytest.approx(15 - off, abs=1e-6)
        assert 15 - off > 2 * fact.evidence["sigma"] - 0.02


def test_twins_are_six_hours_apart():
    facts = asked(golden(CARDS, settings=SURE))
    for one, other in zip(facts[::2], facts[1::2]):
        assert one.twin == other.twin and one.form != other.form
        assert (int(one.answer) - int(other.answer)) % 12 == 6


def test_nothing_is_asked_without_gravity_camera_or_a_third_thing():
    for scene in (
        golden(CARDS, up_confidence=None),
        golden(CARDS, with_camera=False),
        golden(CARDS, scale=Scale.AFFINE_DISPARITY),
        golden(CARDS[:2]),
        golden([Block("red card", 0, 3.0, 0.3, 0.4)] + [Block(f"card {k}", 0.1 * k, 3.1, 0.3, 0.4) for k in (1, 2)]),
    ):
        assert not asked(scene)
    assert asked(golden(CARDS, scale=Scale.UP_TO_SCALE, settings=SURE))


def test_steps_lead_to_the_hour():
    for fact in asked(golden(CARDS, settings=SURE))[:40]:
        steps = clock.steps(fact)
        assert 2 <= len(steps) <= 4 and steps[-1].endswith(f"{fact.answer}.")

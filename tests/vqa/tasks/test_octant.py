"""Eight directions: asked only where they are well told apart."""

import math

import numpy as np
import pytest

from pseudogd.vqa.guards import Margins
from pseudogd.vqa.scene import SceneSettings
from pseudogd.vqa.selftest.golden import CARDS, SURE, golden
from pseudogd.vqa.tasks import facts_of, octant


def asked(scene, margins=None):
    return list(facts_of("octant")(scene, np.random.default_rng(0), margins or Margins()))


def test_every_degree_has_the_direction_that_is_nearest():
    for degree in range(-360, 360):
        place = octant.SECTORS.index(octant.sector_of(math.radians(degree)))
        assert abs((degree - 45 * place + 180) % 360 - 180) <= 22.5


def test_twelve_degrees_from_every_edge_and_neighbours_never_offered():
    facts = asked(golden(CARDS, settings=SURE))
    assert len({fact.answer for fact in facts}) >= 6
    for fact in facts:
        assert 22.5 - abs((fact.value + 22.5) % 45 - 22.5) >= 12 - 1e-6
        own = octant.SECTORS.index(fact.answer)
        assert {(octant.SECTORS.index(other) - own) % 8 for other in fact.wrong} == {2, 4, 6}
        assert 2 <= len(octant.steps(fact)) <= 4


def test_little_is_asked_of_doubtful_depth():
    """At ten percent of error eight directions are wrong far too often: four ways or nothing."""
    counts = [
        len(asked(golden(CARDS, settings=SceneSettings(depth_sigma=sigma, up_sigma=0.002))))
        for sigma in (0.005, 0.02, 0.05, 0.1)
    ]
    assert counts == sorted(counts, reverse=True) and counts[-1] < 0.2 * counts[0]
    for fact in asked(golden(CARDS, settings=SceneSettings(depth_sigma=0.02))):
        assert fact.evidence["sigma"] <= 6.0


@pytest.mark.parametrize("change", [{"up_confidence": None}, {"with_camera": False}])
def test_nothing_is_asked_without_gravity_or_camera(change):
    assert not asked(golden(CARDS, settings=SURE, **change))


def test_twins_are_opposite():
    facts = asked(golden(CARDS, settings=SURE))
    for one, other in zip(facts[::2], facts[1::2]):
        assert one.twin == other.twin
        assert (octant.SECTORS.index(one.answer) - octant.SECTORS.index(other.answer)) % 8 == 4

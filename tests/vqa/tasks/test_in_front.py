"""In front of: one direction, and nothing else."""

import numpy as np
import pytest
from helpers.golden import Block, golden

from pseudogd.vqa.guards import Margins
from pseudogd.vqa.tasks import facts_of


def asked(*blocks, **view):
    return list(facts_of("in_front")(golden(blocks, **view), np.random.default_rng(0), Margins()))


@pytest.mark.parametrize("x", np.linspace(-1.5, 1.5, 13))
def test_asked_only_while_both_are_in_one_direction(x):
    near, far = Block("red card", x, 2.5, 0.4, 0.3), Block("blue card", 0.0, 4.0, 0.5, 1.2)
    facts = asked(near, far)
    gap = abs(x) / 2.5 - (0.2 / 2.5 + 0.25 / 4.0)  # of bearings as tangents, negative where they overlap
    if gap < -0.03:
        assert facts
    if gap > 0.05:
        assert not facts


def test_not_asked_of_a_thing_far_above_another():
    assert not asked(Block("red card", 0.0, 2.5, 0.4, 0.3), Block("blue card", 0.0, 6.0, 0.5, 0.6, base=2.6))


def test_not_asked_at_one_depth():
    assert not asked(Block("red card", 0.0, 3.0, 0.4, 0.3), Block("blue card", 0.0, 3.1, 0.5, 0.5, base=0.4))


def test_an_unknown_camera_is_enough():
    blocks = Block("red card", 0.0, 2.5, 0.4, 0.3), Block("blue card", 0.1, 4.0, 0.5, 1.2)
    assert asked(*blocks, with_camera=False)

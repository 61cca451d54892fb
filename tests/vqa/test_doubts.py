"""Whose place is doubted more than that of others: by where it stands, and by its shape."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.golden import Block, golden

from pseudogd.vqa.outlines import foot_share, slimness
from pseudogd.vqa.scene import SceneSettings
from pseudogd.vqa.tasks._plan import placed

PLAIN = SceneSettings(depth_sigma=0.1, hidden_doubt=1.0, lifted_doubt=1.0, thin_doubt=1.0, deep_doubt=1.0)
BOX = Block("red box", 0.0, 4.0, 0.6, 0.9)
TABLE = Block("blue table", 0.0, 2.8, 1.2, 0.5)  # hides the foot of what stands behind it
POLE = Block("gray pole", 0.8, 4.0, 0.08, 1.6)
CORRIDOR = Block("green box", -0.9, 4.0, 0.5, 0.5, depth=3.0, base=0.0)


def doubts(blocks, eye=1.2, **settings):
    """By name: how many times the error of a plain thing is believed."""
    scene = golden(blocks, settings=replace(PLAIN, **settings), eye=eye)
    return {thing.name: pytest.approx(thing.sigma / PLAIN.depth_sigma) for thing in scene.objects}


def test_the_floor_vouches_for_a_foot_that_is_seen_on_it_alone():
    assert doubts([BOX], lifted_doubt=3.0) == {"red box": 1.0}
    assert doubts([BOX, TABLE], lifted_doubt=3.0) == {"red box": 3.0, "blue table": 1.0}
    beside = replace(TABLE, x=1.2)
    assert doubts([BOX, beside], lifted_doubt=3.0) == {"red box": 1.0, "blue table": 1.0}


def test_poles_and_what_seems_deep_are_doubted():
    assert doubts([BOX, POLE], thin_doubt=3.0) == {"red box": 1.0, "gray pole": 3.0}
    assert doubts([BOX, CORRIDOR], deep_doubt=3.0, eye=2.0) == {"red box": 1.0, "green box": 3.0}
    assert doubts([BOX, POLE, CORRIDOR]) == {"red box": 1.0, "gray pole": 1.0, "green box": 1.0}


def test_what_floats_is_not_placed_unless_depth_is_believed():
    scene = golden([BOX, replace(BOX, name="black box", x=1.5, base=0.6)], settings=replace(PLAIN, lifted_doubt=2.0))
    assert placed(scene).tolist() == [True, False]
    assert placed(golden([replace(BOX, base=0.6)], settings=PLAIN)).tolist() == [True]


def test_share_of_a_foot_and_slimness_by_hand():
    mask, labels = np.zeros((12, 10), bool), np.full((12, 10), -1)
    mask[2:8, 2:6] = True
    labels[mask] = 0
    labels[9:11, 2:5] = 1  # one free pixel between
    assert foot_share(mask, labels, 0) == 0.75
    assert foot_share(mask, np.where(labels == 1, -2, labels), 0) == 0.0
    assert foot_share(mask, labels, 1) == 0.0
    assert slimness(mask) == slimness(mask.T) == pytest.approx(4 / 6)
    mask[:, 0] = True
    mask[2:8] = False
    assert slimness(mask) == pytest.approx(1 / 6)

"""What hides what: only where masks touch with a step of depth."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.golden import Block, golden
from scipy.ndimage import uniform_filter

from pseudogd.vqa.guards import Margins
from pseudogd.vqa.tasks import answer_in, facts_of
from pseudogd.vqa.tasks.occlusion import border_of

NEAR, FAR = Block("red card", 0.0, 2.5, 0.5, 0.7), Block("blue card", 0.0, 4.0, 0.8, 1.5)


def asked(scene):
    return list(facts_of("occlusion")(scene, np.random.default_rng(0), Margins()))


@pytest.mark.parametrize("x", np.linspace(0.0, 1.2, 9))
def test_asked_exactly_while_one_covers_the_other(x):
    scene = golden([replace(NEAR, x=x), FAR])
    overlap = (0.4 / 4.0) - (x - 0.25) / 2.5
    if overlap > 0.02:
        assert {fact.evidence["objects"][0]["name"] for fact in asked(scene)} == {"red card"}
    if overlap < -0.04:
        assert not asked(scene)


def test_things_at_one_depth_hide_nothing():
    side_by_side = [Block("red card", -0.25, 3.0, 0.5, 0.7), Block("blue card", 0.25, 3.0, 0.5, 0.9)]
    assert not asked(golden(side_by_side))


def test_a_box_on_a_table_hides_a_part_of_it_or_nothing_is_asked():
    table = Block("brown table", 0.0, 3.4, 1.4, 0.5, depth=1.2)
    scene = golden([table, Block("red box", 0.0, 3.2, 0.3, 0.3, depth=0.2, base=0.5)], eye=1.6, pitch_deg=15.0)
    assert {fact.evidence["objects"][0]["name"] for fact in asked(scene)} <= {"red box"}


def test_a_blurred_border_says_the_same():
    """Teachers smooth depth across outlines by some pixels."""
    scene = golden([NEAR, FAR])
    blurred = replace(scene, depth=uniform_filter(scene.depth, 3).astype(np.float32))
    (fact,) = asked(scene)
    assert answer_in(blurred, fact) == fact.answer
    assert asked(blurred)


def test_eroded_masks_still_meet():
    scene = golden([NEAR, FAR])
    (fact,) = asked(scene)
    labels = scene.labels.copy()
    edges = (np.diff(labels, axis=1, prepend=labels[:, :1]) != 0) | (np.diff(labels, axis=0, prepend=labels[:1]) != 0)
    labels[edges] = -1
    eroded = replace(scene, labels=labels)
    assert border_of(eroded, 0, 1).apart > border_of(scene, 0, 1).apart
    assert answer_in(eroded, fact) == fact.answer

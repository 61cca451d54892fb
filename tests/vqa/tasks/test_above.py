"""Directly above: over the same place, whatever the picture shows."""

from collections import Counter

import numpy as np
import pytest
from helpers.golden import SURE, Block, golden

from pseudogd.vqa.guards import Margins
from pseudogd.vqa.tasks import answer_in, facts_of

TABLE = Block("brown table", 0.0, 3.2, 1.2, 0.6, depth=1.2)


def scene_of(*blocks):
    return golden(blocks, eye=1.5, pitch_deg=12.0, settings=SURE)


def asked(scene, seed=0):
    return list(facts_of("above")(scene, np.random.default_rng(seed), Margins()))


@pytest.mark.parametrize("x", np.linspace(-1.6, 1.6, 9))
def test_a_lamp_moved_across_a_table(x):
    scene = scene_of(TABLE, Block("blue lamp", x, 3.1, 0.4, 0.3, depth=0.3, base=1.0))
    facts = asked(scene)
    if abs(x) < 0.4:
        assert {fact.answer for fact in facts} <= {"above", "below"} and facts
    if abs(x) > 0.8:
        assert not facts  # nothing is stacked, so nothing is asked
    for fact in facts:
        assert answer_in(scene, fact) == fact.answer


def test_a_thing_behind_the_table_is_not_above_it():
    """In the picture it rests on the far edge; in space it stands or hangs two meters behind."""
    hidden = Block("green plant", 0.0, 5.6, 0.5, 1.3, depth=0.3)
    assert not [fact for fact in asked(scene_of(TABLE, hidden)) if fact.answer != "neither"]


def test_what_rests_on_a_thing_is_above_it_however_wrong_both_depths_are():
    box = Block("red box", 0.2, 3.0, 0.3, 0.3, depth=0.3, base=0.6)
    unsure = golden([TABLE, box], eye=1.5, pitch_deg=12.0)  # with the usual 5 % of error
    assert {fact.answer for fact in asked(unsure)} <= {"above", "below"} and asked(unsure)


def test_no_answer_is_the_usual_one():
    box, bin_ = (
        Block("red box", 0.2, 3.0, 0.3, 0.3, depth=0.3, base=0.6),
        Block("gray bin", 1.6, 3.6, 0.4, 0.5, depth=0.4),
    )
    stool = Block("white stool", -1.5, 3.4, 0.4, 0.5, depth=0.4)
    scene = scene_of(TABLE, box, bin_, stool)
    first = Counter(asked(scene, seed)[0].answer for seed in range(300))
    assert set(first) == {"above", "below", "neither"} and max(first.values()) < 150

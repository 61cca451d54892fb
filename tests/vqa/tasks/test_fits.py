"""Gaps and tops of any width: sure on both sides, silent between."""

import math
from dataclasses import replace

import pytest
from helpers.golden import Block, golden

from pseudogd.vqa.scene import SceneSettings
from pseudogd.vqa.selftest.run import facts_in

EYE = 1.2


def door(gap, wide, **changes):
    """What is said of a board, so wide across the line of sight, and a gap between two posts."""
    blocks = [
        Block("post", -gap / 2 - 0.2, 3.0, 0.4, 1.0),
        Block("pillar", gap / 2 + 0.2, 3.0, 0.4, 1.0),
        Block("board", 3.0, 6.0, wide * math.hypot(3.0, 6.0) / 6.0, 0.7),
    ]
    scene = golden(blocks, eye=EYE, **changes)
    return {
        fact.answer for fact in facts_in(scene, "fits", [0]) if fact.form == "fits.through" and fact.operands[0] == "2"
    }


@pytest.mark.parametrize("ratio", [0.4, 0.7, 0.9, 1.0, 1.1, 1.5, 2.5])
def test_a_gap_of_any_width(ratio):
    said = door(0.8, 0.8 * ratio)
    assert said == ({"yes"} if ratio < 0.8 else {"no"} if ratio > 1.3 else set())


def test_less_sure_never_asks_more():
    asked = [len(door(0.8, 0.5, settings=SceneSettings(depth_sigma=sigma))) for sigma in (0.005, 0.05, 0.3)]
    assert asked[0] == 1 and asked == sorted(asked, reverse=True) and asked[2] == 0


def test_what_stands_in_the_gap_leaves_it_unasked():
    blocks = [
        Block("post", -0.8, 3.0, 0.4, 1.0),
        Block("pillar", 0.8, 3.0, 0.4, 1.0),
        Block("tin", 0.0, 3.0, 0.2, 0.3),
        Block("board", 1.6, 4.5, 0.4, 0.7),
    ]
    pairs = [fact.operands[1:] for fact in facts_in(golden(blocks, eye=EYE), "fits", [0])]
    assert not [pair for pair in pairs if set(pair) == {"0", "1"}]


@pytest.mark.parametrize(("tall", "answers"), [(0.3, set()), (1.1, {"no"})])
def test_what_is_low_passes_under_wide_hats(tall, answers):
    """Two posts whose upper halves reach 0.5 m toward each other: too narrow for what is tall and wide alone."""
    blocks = [
        Block("post", -0.8, 3.0, 0.2, 1.4),
        Block("pillar", 0.8, 3.0, 0.2, 1.4),
        Block("board", 2.8, 5.5, 1.1, tall),
    ]
    scene = golden(blocks, eye=EYE)

    def with_hat(thing, toward):
        moved = {}
        for name in ("points", "skin"):
            places = getattr(thing, name).copy()
            places[EYE - places[:, 1] > 0.7, 0] += toward
            moved[name] = places
        return replace(thing, **moved)

    post, pillar, board = scene.objects
    hats = replace(scene, objects=(with_hat(post, 0.5), with_hat(pillar, -0.5), board))
    said = {fact.answer for fact in facts_in(hats, "fits", [0]) if fact.operands[0] == "2"}
    assert said == answers


@pytest.mark.parametrize("size", [0.3, 0.6, 1.0, 1.6])
def test_a_base_on_a_top(size):
    blocks = [Block("crate", -1.0, 3.6, 1.0, 0.5, 1.0), Block("case", 0.9, 3.4, size, 0.2, size)]
    scene = golden(blocks, eye=2.2, pitch_deg=28.0)
    said = {fact.answer for fact in facts_in(scene, "fits") if fact.operands == ("1", "0")}
    assert said == ({"yes"} if size < 0.8 else {"no"} if size > 1.3 else set())


def test_tops_that_are_not_seen_are_not_judged():
    blocks = [Block("crate", -1.0, 3.6, 1.0, 1.4, 1.0), Block("case", 0.9, 3.4, 0.3, 1.3, 0.3)]
    assert not [fact for fact in facts_in(golden(blocks, eye=EYE), "fits") if fact.form == "fits.on_top"]
    bins = [Block("crate bin", -1.0, 3.6, 1.0, 0.5, 1.0), Block("case", 0.9, 3.4, 0.3, 0.2, 0.3)]
    scene = golden(bins, eye=2.2, pitch_deg=28.0)
    assert not [fact for fact in facts_in(scene, "fits") if fact.operands == ("1", "0")]


def test_the_value_is_the_ratio():
    blocks = [
        Block("post", -0.8, 3.0, 0.4, 1.0),
        Block("pillar", 0.8, 3.0, 0.4, 1.0),
        Block("board", 2.2, 5.0, 0.6, 0.7),
    ]
    facts = [fact for fact in facts_in(golden(blocks, eye=EYE), "fits", [0]) if fact.operands[0] == "2"]
    assert facts
    for fact in facts:
        across = 0.6 * 5.0 / math.hypot(2.2, 5.0)
        assert fact.value == pytest.approx(1.2 / across, rel=0.12)

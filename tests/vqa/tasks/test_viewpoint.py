"""Left and right of two things, seen from another place."""

from collections import Counter

import numpy as np
import pytest

from pseudogd.vqa.guards import Margins
from pseudogd.vqa.scene import SceneSettings
from pseudogd.vqa.selftest.golden import CARDS, SURE, Block, golden
from pseudogd.vqa.tasks import facts_of, viewpoint

SCENE = golden(CARDS, settings=SURE)


def asked(scene, seed=0, margins=None):
    return list(facts_of("viewpoint")(scene, np.random.default_rng(seed), margins or Margins()))


def test_from_the_far_side_left_and_right_change_places():
    """Whoever stands at the far card and looks towards the camera sees the near cards the other way round."""
    blocks = [
        Block("far card", 0.0, 6.0, 0.6, 0.9),
        Block("near card", 0.0, 2.0, 0.4, 0.3),
        Block("red card", -1.0, 3.5, 0.4, 0.5),
        Block("blue card", 1.0, 3.5, 0.4, 0.5),
    ]
    facts = [
        fact
        for fact in asked(golden(blocks, settings=SURE))
        if fact.operands[:2] in (("0", "1"), ("1", "0")) and fact.form.endswith("facing")
    ]
    assert len(facts) == 2
    for fact in facts:
        red_first = fact.slots["a"] == "red card"
        camera = "left" if red_first else "right"
        assert fact.evidence["camera_view"] == camera
        assert (fact.answer == camera) == (fact.slots["x"] == "near card")
    assert facts[0].twin is not None and facts[0].twin == facts[1].twin


def test_the_camera_is_right_half_of_the_time_where_there_is_both():
    right = total = 0
    sides = Counter()
    for seed in range(60):
        for fact in asked(SCENE, seed)[:6]:
            right, total = right + fact.evidence["shortcut"]["right"], total + 1
            sides[fact.answer] += 1
    assert 0.4 < right / total < 0.6 and 0.4 < sides["left"] / total < 0.6


def test_twins_have_opposite_answers_about_the_same_things():
    pairs = {}
    for fact in asked(SCENE):
        if fact.twin:
            pairs.setdefault(fact.twin, []).append(fact)
    assert len(pairs) > 5
    for one, other in pairs.values():
        assert one.operands[2:] == other.operands[2:] and {one.answer, other.answer} == {"left", "right"}


def test_both_things_are_in_front_and_well_apart():
    for fact in asked(SCENE):
        assert all(abs(angle) < 60 for angle in fact.evidence["angles"])
        assert 15 < fact.margin <= abs(fact.value) + 0.1 and 2 <= len(viewpoint.steps(fact)) <= 4


def test_what_is_less_sure_never_asks_more():
    counts = [
        len(asked(golden(CARDS, settings=SceneSettings(depth_sigma=sigma, up_sigma=0.002))))
        for sigma in (0.005, 0.05, 0.12, 0.3)
    ]
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[-1]


@pytest.mark.parametrize("change", [{"up_confidence": None}, {"with_camera": False}])
def test_nothing_is_asked_without_gravity_or_camera(change):
    assert not asked(golden(CARDS, settings=SURE, **change))
    assert not asked(golden(CARDS[:3], settings=SURE))

"""Shares of right answers, margins for a wanted share, and the errors of objects."""

import math

import numpy as np
import pytest
from helpers.golden import ROOM, golden

from pseudogd.vqa import perturb
from pseudogd.vqa.calibration import (
    ENOUGH,
    Share,
    Tried,
    curve,
    error_sizes,
    loosened,
    object_errors,
    propose,
    share_of,
    try_scene,
)
from pseudogd.vqa.guards import Margins
from pseudogd.vqa.settings import SynthSettings


def tried(margin, right, form="nearer.pair_near", loose=False):
    return Tried("nearer", form, margin, right, None, loose)


def test_a_share_and_its_interval():
    assert Share(0, 0).to_dict()["share"] is None and Share(0, 0).interval == (0.0, 1.0)
    low, high = Share(100, 95).interval
    assert low == pytest.approx(0.888, abs=0.002) and high == pytest.approx(0.978, abs=0.002)
    assert share_of([tried(1, True), tried(1, False)]) == Share(2, 1)


def test_the_least_margin_is_the_smallest_that_does_it():
    """Below 0.5 every second one is wrong, above none: half of the wrong ones at 0.9 are enough below."""
    facts = [tried(k / 100, k >= 50 or k % 2 == 0) for k in range(100)]
    found = propose(facts, 0.9)
    least = found.least_margin["nearer.pair_near"]
    kept = [one for one in facts if one.margin >= least]
    assert share_of(kept).value >= 0.9
    lower = [one for one in facts if one.margin >= least - 0.011]
    assert share_of(lower).value < 0.9


def test_what_is_right_enough_stays_and_what_never_is_goes():
    good = [tried(k, True, "a") for k in range(50)]
    bad = [tried(k, k % 2 == 0, "b") for k in range(50)]
    few = [tried(k, True, "c") for k in range(ENOUGH - 1)]
    found = propose([*good, *bad, *few], 0.95)
    assert (dict(found.least_margin), found.without, found.unknown) == ({}, ["b"], ["c"])


def test_few_facts_tell_of_what_is_far_from_right():
    """4 of 8 are below 95 % for sure; 5 of 6 might be it, but not 15 of 18 of one task."""
    wrong = [tried(k, k % 2 == 0, "nearer.a") for k in range(8)]
    maybe = [tried(k, k > 0, "nearer.b") for k in range(6)]
    other = [tried(k, k > 0, "size.c") for k in range(6)]
    assert propose([*maybe, *other], 0.95).unknown == ["nearer.b", "size.c"]
    found = propose([*wrong, *maybe, *other], 0.95)
    assert (found.without, found.unknown) == (["nearer.a", "nearer.b"], ["size.c"])
    several = [tried(k, k > 0, f"nearer.{name}") for name in "abc" for k in range(6)]
    assert propose(several, 0.95).without == ["nearer.a", "nearer.b", "nearer.c"]


def test_a_proposal_leaves_enough_to_know():
    facts = [tried(k, k >= 95) for k in range(100)]
    assert propose(facts, 0.95).without == ["nearer.pair_near"]


def test_narrow_facts_do_not_decide():
    facts = [tried(k, True) for k in range(40)] + [tried(0, False, loose=True)] * 100
    assert not propose(facts, 0.95).least_margin


def test_the_curve_rises_with_the_margin():
    points = curve([tried(k / 100, k >= 30) for k in range(100)])
    shares = [point["share"] for point in points]
    assert shares == sorted(shares) and shares[0] == 0.7 and shares[-1] == 1.0
    assert points[0]["kept"] == 1.0 and points[-1]["kept"] < 0.1


def test_looser_margins_are_nearer_to_none():
    margins = Margins()
    loose = loosened(margins)
    assert loose.depth_ratio == pytest.approx(1 + (margins.depth_ratio - 1) / 4)
    assert loose.sector == pytest.approx(margins.sector / 4)
    assert loose.stand_off == margins.stand_off


def test_a_true_teacher_is_always_right():
    scene = golden(ROOM)
    found = try_scene(scene, golden(ROOM), SynthSettings(), most=25)
    assert len(found) > 100 and all(one.right for one in found if not one.loose)


def test_a_wrong_teacher_is_found_out():
    """Who takes near for far is never right about order, and always about sides."""
    scene = golden(ROOM)
    wrong = perturb.changed(scene, np.array([(9.0 - thing.z[3]) / thing.z[3] for thing in scene.objects]))
    found = try_scene(wrong, scene, SynthSettings(), most=40, curves=False)
    order = share_of(one for one in found if one.task == "nearer")
    sides = share_of(one for one in found if one.form == "direction.side")
    assert order.count > 5 and order.value == 0.0 and sides.count > 5 and sides.value == 1.0
    assert {one.loose for one in found} == {False}


def test_errors_of_objects_are_split_into_shared_and_own():
    scene = golden(ROOM)
    assert object_errors(perturb.scaled(scene, 1.2), scene) == pytest.approx([math.log(1.2)] * len(scene))
    assert error_sizes([]) == {} == error_sizes([[0.1]])
    rng = np.random.default_rng(0)
    photos = [(0.2 * rng.standard_normal() + 0.05 * rng.standard_normal(9)).tolist() for _ in range(400)]
    sizes = error_sizes(photos)
    assert sizes["shared"] == pytest.approx(0.2, rel=0.15) and sizes["own"] == pytest.approx(0.05, rel=0.15)

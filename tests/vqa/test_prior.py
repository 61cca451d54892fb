"""What the flat picture speaks against must be clearer, by Bayes' rule."""

import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from helpers.golden import SURE, Block, golden

from pseudogd.geometry.types import Scale
from pseudogd.vqa.guards import Margins
from pseudogd.vqa.prior import sigmas_against, sigmas_needed
from pseudogd.vqa.scene import Q05, Q10, Q50, Q90
from pseudogd.vqa.tasks import facts_of
from pseudogd.vqa.tasks.direction import height_margin
from pseudogd.vqa.tasks.distance import _centre_error
from pseudogd.vqa.tasks.nearer import near_margin
from pseudogd.vqa.tasks.size import size_margin

EVEN = replace(Margins(), rule_odds=1.0)
NEEDED = sigmas_against(2.0, 8.0)


@pytest.mark.parametrize("sigmas", [0.5, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("odds", [1.0, 3.0, 8.0, 100.0])
def test_odds_of_an_error_are_those_of_a_plain_answer(sigmas, odds):
    def wrong(m):
        return NormalDist().cdf(-m) / NormalDist().cdf(m)

    needed = sigmas_against(sigmas, odds)
    assert odds * wrong(needed) == pytest.approx(wrong(sigmas))
    margins = Margins(sigmas=sigmas, rule_odds=odds)
    assert sigmas_needed(margins, True) == sigmas and sigmas_needed(margins, False) == needed


def test_nothing_is_asked_for_where_nothing_was():
    assert sigmas_against(0.0, 8.0) == 0.0
    assert sigmas_against(2.0, 0.2) == 2.0
    assert sigmas_against(50.0, 8.0) == 50.0  # no such error has a number


def pair(base, doubt=1.0, noun="box"):
    """A thing at 3 m, its underside so high, and a box at 4 m: 0.288 in log depth."""
    blocks = [Block(f"red {noun}", -0.6, 3.0, 0.6, 0.5, base=base), Block("blue box", 0.8, 4.0, 0.6, 0.5)]
    scene = golden(blocks, settings=replace(SURE, lifted_doubt=doubt))
    return scene, *(next(o for o in scene.objects if o.name.startswith(colour)) for colour in ("red", "blue"))


def believed(thing, sigmas, gap):
    """The same thing, of an error with which ``gap`` between two such is so many standard errors."""
    return replace(thing, sigma=gap / sigmas / math.sqrt(2.0))


@pytest.mark.parametrize(("base", "least"), [(0.0, 2.0), (0.9, NEEDED)])
def test_nearer_but_higher_in_the_picture_takes_more(base, least):
    scene, near, far = pair(base)
    gap = math.log(far.z[Q05] / near.z[Q05])
    assert gap == pytest.approx(math.log(4.0 / 3.0), abs=0.01)
    for sigmas in (1.9, 2.1, NEEDED - 0.05, NEEDED + 0.05):
        things = believed(near, sigmas, gap), believed(far, sigmas, gap)
        assert (near_margin(scene, *things, Margins()) is not None) == (sigmas > least)
        assert (near_margin(scene, *things, EVEN) is not None) == (sigmas > 2.0)


def test_the_same_share_more_where_order_alone_is_known():
    def found(base, room):
        blocks = [Block("red ball", -0.6, 3.0, 0.6, 0.5, base=base), Block("blue box", 0.8, 4.0, 0.6, 0.5)]
        scene = golden(blocks, scale=Scale.AFFINE_DISPARITY)
        near, far = sorted(scene.objects, key=lambda thing: thing.z[Q05])
        gap = float(far.rank[Q10] - near.rank[Q90])
        return near_margin(scene, near, far, replace(Margins(), rank_gap=gap / room))

    assert found(0.0, 1.1) is not None and found(0.9, 1.1) is None
    assert found(0.9, NEEDED / 2.0 + 0.02) is not None


def test_what_stands_on_the_floor_is_not_said_to_hang_before_something():
    margins = Margins()
    for noun, asked in (("ball", True), ("sofa", False)):
        scene, near, far = pair(0.9, doubt=2.0, noun=noun)
        assert (near_margin(scene, near, far, margins) is not None) == asked
        whole = golden([Block(f"red {noun}", -0.6, 3.0, 0.6, 0.5), Block("blue box", 0.8, 4.0, 0.6, 0.5)])
        assert near_margin(whole, *whole.objects, margins) is not None  # the rule agrees
    scene, near, far = pair(0.9, noun="sofa")  # depth is believed off the floor as on it
    assert near_margin(scene, near, far, margins) is not None
    scene, near, far = pair(0.9, doubt=2.0, noun="sofa")
    assert near_margin(scene, replace(near, truncated=True), far, margins) is not None  # its foot is not seen


def test_taller_but_shorter_in_the_picture_takes_more():
    scene = golden([Block("red box", -0.6, 2.0, 0.5, 0.5), Block("blue box", 1.5, 6.0, 0.9, 0.9)])
    small, big = scene.objects
    assert big.bbox[3] < small.bbox[3] and big.tall > small.tall
    gap = math.log(big.tall / small.tall)
    for sigmas in (1.9, 2.1, NEEDED - 0.05, NEEDED + 0.05):
        things = believed(big, sigmas, gap), believed(small, sigmas, gap)
        assert (size_margin(*things, "tall", Margins()) is not None) == (sigmas > NEEDED)
        assert (size_margin(*things, "tall", EVEN) is not None) == (sigmas > 2.0)


def test_higher_but_lower_in_the_picture_takes_more():
    # Below the horizon what is far is drawn higher, though it is lower in space.
    scene = golden([Block("red box", -0.6, 3.0, 0.5, 0.6, base=0.1), Block("blue box", 1.0, 7.0, 0.8, 0.2)])
    high, low = scene.objects
    gap, sigma = height_margin(scene, high, low, replace(EVEN, sigmas=0.1, height_gap=0.0))
    assert high.v[Q50] > low.v[Q50] and gap == pytest.approx(0.3, abs=0.06)  # of a few pixels
    for sigmas in (1.9, 2.1, NEEDED - 0.05, NEEDED + 0.05):
        margins = replace(Margins(), height_gap=0.0, sigmas=2.0 * gap / sigma / sigmas)
        least = sigmas_against(margins.sigmas, margins.rule_odds)
        assert (height_margin(scene, high, low, margins) is not None) == (gap > least * sigma)
        assert (height_margin(scene, high, low, replace(margins, rule_odds=1.0)) is not None) == (sigmas > 2.0)


def test_facts_against_the_rule_are_fewer_and_none_of_the_others():
    blocks = [
        Block("red box", -0.9, 3.0, 0.5, 0.5, base=1.0),
        Block("blue box", 0.0, 3.6, 0.5, 0.5),
        Block("green box", 1.2, 4.3, 0.5, 0.5),
    ]

    def pairs(margins, sigma):
        scene = golden(blocks, settings=replace(SURE, depth_sigma=sigma))
        facts = facts_of("nearer")(scene, np.random.default_rng(0), margins)
        found = [fact for fact in facts if fact.form.startswith("nearer.pair")]
        return {True: 0, False: 0} | {
            right: sum(fact.evidence["shortcut"]["right"] is right for fact in found) for right in (True, False)
        }

    plain, strict = pairs(EVEN, 0.05), pairs(Margins(), 0.05)
    assert plain[False] > strict[False] > 0 and plain[True] == strict[True] > 0
    assert pairs(Margins(), 0.005) == pairs(EVEN, 0.005)  # depth that is known well loses nothing


def test_middles_near_each_other_are_known_less_well():
    def error(apart, middle):
        scene = golden([Block("red box", -0.3, 3.0, 0.5, 0.5), Block("blue box", apart, 3.5, 0.5, 0.5)])
        value = float(scene.distances[0, 1])
        return _centre_error(scene, 0, 1, replace(Margins(), middle=middle)), value, scene

    plain, value, scene = error(0.6, 0.0)
    assert plain == pytest.approx(scene.length_error(value, float(scene.distance_errors[0, 1])))
    wide = [thing.wide for thing in scene.objects]
    assert error(0.6, 0.03)[0] == pytest.approx(math.hypot(plain, 0.03 * wide[0], 0.03 * wide[1]))

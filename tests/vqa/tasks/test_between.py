"""Between: by closed form, as the thing moves along and off the line."""

import numpy as np
import pytest
from helpers.golden import Block, golden

from pseudogd.vqa.guards import Margins
from pseudogd.vqa.tasks import answer_in, facts_of
from pseudogd.vqa.tasks.between import places

ENDS = Block("red card", -1.4, 3.0, 0.4, 0.6), Block("green card", 1.4, 4.4, 0.5, 0.6)
OTHERS = Block("white card", 1.1, 2.4, 0.3, 0.3), Block("black card", -3.0, 5.6, 0.5, 0.9)


def asked(share, off):
    along = np.array([2.8, 1.4])
    across = np.array([along[1], -along[0]])
    x, z = np.array([-1.4, 3.0]) + share * along + off * across
    scene = golden([*ENDS, *OTHERS, Block("blue card", float(x), float(z), 0.3, 0.6)])
    facts = list(facts_of("between")(scene, np.random.default_rng(0), Margins()))
    # A card that hides an end, or is hidden, is not asked about.
    return scene, [fact for fact in facts if {"0", "1"} == set(fact.operands[:2])]


@pytest.mark.parametrize("share", [0.35, 0.5, 0.65])
def test_on_the_line(share):
    scene, facts = asked(share, 0.0)
    assert facts and all(fact.answer == "blue card" for fact in facts)
    assert all(answer_in(scene, fact) == "blue card" for fact in facts)
    assert facts[0].value == pytest.approx(share, abs=0.06) or facts[0].value == pytest.approx(1 - share, abs=0.06)


@pytest.mark.parametrize(("share", "off"), [(0.05, 0.0), (0.9, 0.0), (0.5, 0.3), (0.5, -0.3), (1.3, 0.0)])
def test_off_the_line_or_at_its_ends(share, off):
    assert not [fact for fact in asked(share, off)[1] if fact.answer == "blue card"]


def test_places_by_closed_form():
    centres = np.array([[0.0, 0, 0], [4.0, 0, 0], [1.0, 2.0, 0]])
    t, d, sigma = places(centres, np.array([[0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.1]]))
    assert t[0, 1, 2] == pytest.approx(0.25) and d[0, 1, 2] == pytest.approx(0.5)
    assert t[1, 0, 2] == pytest.approx(0.75) and d[1, 0, 2] == pytest.approx(0.5)
    assert sigma[0, 1, 2] == pytest.approx(0.1 * np.sqrt(1 + 0.75**2 + 0.25**2) / 4)

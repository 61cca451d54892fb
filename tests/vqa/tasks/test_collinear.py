"""Three things in line or not: a sweep of offsets against closed form."""

import numpy as np
import pytest
from helpers.golden import Block, golden

from pseudogd.geometry.types import Scale
from pseudogd.vqa.guards import Margins
from pseudogd.vqa.scene import SceneSettings
from pseudogd.vqa.selftest.oracles.collinear import ROW, offset
from pseudogd.vqa.selftest.run import facts_in
from pseudogd.vqa.tasks.collinear import _offset, _triple


def said(aside, **changes):
    """What is sure of three cards of one row, the middle one moved toward the camera by a share of the length."""
    blocks = [
        Block("red card", -1.5, 4.5, 0.4, 0.6),
        Block("blue card", 0.0, 4.5 - 3.0 * aside, 0.3, 0.4),
        Block("green card", 1.5, 4.5, 0.4, 0.7),
    ]
    return _triple(golden(blocks, eye=1.2, **changes), (0, 1, 2), Margins()).said


@pytest.mark.parametrize(
    ("aside", "answer"), [(0.0, "straight"), (0.05, "straight"), (0.15, None), (0.2, None), (0.4, "bent")]
)
def test_offsets(aside, answer):
    assert said(aside) == answer


@pytest.mark.parametrize("aside", [0.0, 0.4])
def test_less_sure_never_asks_more(aside):
    sure = [said(aside, settings=SceneSettings(depth_sigma=sigma)) is not None for sigma in (0.005, 0.05, 0.5)]
    assert sure == sorted(sure, reverse=True) and sure[0] and not sure[2]


def test_in_line_or_not_is_asked_only_where_both_are_to_be_had():
    bent = golden([ROW[0], ROW[3], ROW[4]], eye=1.2)
    assert {fact.form for fact in facts_in(bent, "collinear")} <= {"collinear.side"}


def test_the_camera_side_of_a_line():
    facts = [fact for fact in facts_in(golden(ROW, eye=1.2), "collinear") if fact.form == "collinear.side"]
    assert {fact.answer for fact in facts} == {"near", "far"}
    for fact in facts:
        a, b, c = (ROW[int(operand)] for operand in fact.operands)
        # The segment from the eye to a thing beyond the line crosses the line: a little linear algebra says where.
        steps = np.linalg.solve([[b.x, a.x - c.x], [b.z, a.z - c.z]], [a.x, a.z])
        assert fact.answer == ("far" if 0 < steps[0] < 1 else "near")


def test_the_offset_is_that_of_complex_numbers():
    rng = np.random.default_rng(0)
    for places in rng.normal(size=(200, 3, 2)):
        assert _offset(places)[1] == pytest.approx(offset([complex(x, z) for x, z in places]))


def test_the_one_that_is_left_out_is_the_black_card():
    facts = [f for f in facts_in(golden(ROW, eye=1.2), "collinear") if f.form == "collinear.which"]
    assert facts
    for fact in facts:
        assert offset([complex(ROW[int(o)].x, ROW[int(o)].z) for o in fact.operands[1:]]) < 0.12


def test_needs_a_camera_and_gravity():
    for changes in ({"up_confidence": 0.1}, {"with_camera": False}, {"scale": Scale.AFFINE_DISPARITY}):
        assert not facts_in(golden(ROW, eye=1.2, **changes), "collinear", [0])

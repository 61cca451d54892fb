"""Three things in line or not: a sweep of offsets against closed form."""

import numpy as np
import pytest
from helpers.golden import Block, golden

from pseudogd.geometry.types import Scale
from pseudogd.vqa.scene import SceneSettings
from pseudogd.vqa.selftest.oracles.collinear import ROW, offset
from pseudogd.vqa.selftest.run import facts_in
from pseudogd.vqa.tasks.collinear import _offset


def said(aside, **changes):
    """Three cards of one row, the middle one moved toward the camera by a share of the length."""
    blocks = [
        Block("red card", -1.5, 4.5, 0.4, 0.6),
        Block("blue card", 0.0, 4.5 - 3.0 * aside, 0.3, 0.4),
        Block("green card", 1.5, 4.5, 0.4, 0.7),
    ]
    return {fact.answer for fact in facts_in(golden(blocks, eye=1.2, **changes), "collinear")}


@pytest.mark.parametrize(
    ("aside", "answer"), [(0.0, {"straight"}), (0.02, {"straight"}), (0.15, set()), (0.2, set()), (0.4, {"bent"})]
)
def test_offsets(aside, answer):
    assert said(aside) == answer


def test_less_sure_never_asks_more():
    for aside in (0.0, 0.4):
        asked = [len(said(aside, settings=SceneSettings(depth_sigma=sigma))) for sigma in (0.005, 0.05, 0.5)]
        assert asked == sorted(asked, reverse=True) and asked[0] == 1 and asked[2] == 0


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

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pseudogd.geometry.metrics import ALIGNMENTS, depth_metrics

TRUE = np.random.default_rng(0).uniform(0.5, 8, (20, 30))
KEYS = ["abs_rel", "rmse", "log10", "delta1", "delta2", "delta3", "n"]


@pytest.mark.parametrize("align", ALIGNMENTS)
def test_a_perfect_map_has_no_error(align):
    m = depth_metrics(TRUE, TRUE, align=align)
    assert list(m) == KEYS and m["n"] == TRUE.size
    assert [m[k] for k in KEYS[:3]] == pytest.approx([0, 0, 0], abs=1e-9)
    assert (m["delta1"], m["delta2"], m["delta3"]) == (1, 1, 1)


@given(st.floats(0.3, 3))
def test_a_common_factor_has_closed_forms(factor):
    m = depth_metrics(factor * TRUE, TRUE)
    assert m["abs_rel"] == pytest.approx(abs(factor - 1))
    assert m["rmse"] == pytest.approx(abs(factor - 1) * math.sqrt(np.mean(TRUE**2)))
    assert m["log10"] == pytest.approx(abs(math.log10(factor)))
    for k in (1, 2, 3):
        if abs(abs(math.log(factor)) - k * math.log(1.25)) > 1e-6:
            assert m[f"delta{k}"] == (abs(math.log(factor)) < k * math.log(1.25))


@given(st.floats(1e-3, 1e3))
@pytest.mark.parametrize("align", ["scale", "scale_shift", "median"])
def test_alignment_takes_a_common_factor_out(align, factor):
    assert depth_metrics(factor * TRUE, TRUE, align=align)["abs_rel"] == pytest.approx(0, abs=1e-9)


@given(st.floats(0.01, 100), st.floats(0.0, 5))
def test_scale_shift_takes_out_an_affine_change_of_disparity(scale, shift):
    assert depth_metrics(1 / (scale / TRUE + shift), TRUE, align="scale_shift")["rmse"] == pytest.approx(0, abs=1e-6)


def test_the_least_squares_factor_is_the_best_one():
    noisy = TRUE * np.random.default_rng(1).lognormal(0.3, 0.2, TRUE.shape)
    best = depth_metrics(noisy, TRUE, align="scale")["rmse"]
    for factor in np.linspace(0.3, 2, 200):
        assert best <= depth_metrics(noisy * factor, TRUE)["rmse"] + 1e-12


def test_alignment_worked_by_hand():
    pred, true = np.array([1.0, 2.0, 4.0]), np.array([2.0, 4.0, 2.0])
    # scale: (2 + 8 + 8) / (1 + 4 + 16) = 18/21; median: 2/2 = 1
    expected = np.mean(np.abs(pred * 18 / 21 - true) / true)
    assert depth_metrics(pred, true, align="scale")["abs_rel"] == pytest.approx(expected)
    assert depth_metrics(pred, true, align="median") == depth_metrics(pred, true)


def test_only_known_pixels_of_the_mask_count():
    pred, true, mask = TRUE.copy(), TRUE.copy(), np.zeros(TRUE.shape, bool)
    mask[:10] = True
    pred[0, :3], true[1, :3], pred[10:] = [np.nan, np.inf, 0], [np.nan, np.inf, 0], 99
    m = depth_metrics(pred, true, mask)
    assert m["n"] == 10 * 30 - 6 and m["abs_rel"] == 0


def test_nothing_to_compare_is_nan_not_zero():
    m = depth_metrics(np.full((3, 3), np.nan), np.ones((3, 3)))
    assert m["n"] == 0 and all(math.isnan(m[k]) for k in KEYS[:-1])


def test_a_flat_prediction_can_still_be_aligned():
    m = depth_metrics(np.full(TRUE.shape, 3.0), TRUE, align="scale_shift")
    assert all(math.isfinite(v) for v in m.values())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((np.ones((2, 3)), np.ones((3, 2))), "shape"),
        ((np.ones((2, 3)), np.ones((2, 3)), np.ones(6)), "mask"),
        ((np.ones(3), np.ones(3), None, "shift"), "align"),
    ],
)
def test_what_cannot_be_compared_is_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        depth_metrics(*arguments)

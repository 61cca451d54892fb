"""A number has the unit that the table gives it."""

import numpy as np
import pytest

from pseudogd.errors import InputError
from pseudogd.geometry.types import Scale
from pseudogd.teachers.licences import LICENCES, Terms, check_licence, licence_of
from pseudogd.teachers.units import UNITS, Output, Unit, to_depth, unit_of

RAW = np.array([[0.5, 1.0], [2.0, 4.0]])


def unit(output, **options):
    return Unit("", output, "none", **options)


@pytest.mark.parametrize(
    ("row", "focal", "depth", "scale"),
    [
        (unit(Output.METRIC_DEPTH), None, RAW, Scale.METRIC),
        (unit(Output.METRIC_DEPTH, metres=0.01), 100.0, RAW / 100, Scale.METRIC),
        (unit(Output.CANONICAL_DEPTH, canonical_focal=300.0), 600.0, RAW * 2, Scale.METRIC),
        (unit(Output.CANONICAL_DEPTH, canonical_focal=300.0), None, RAW, Scale.UP_TO_SCALE),
        (unit(Output.CANONICAL_INVERSE_DEPTH), 8.0, 4 / RAW, Scale.METRIC),
        (unit(Output.CANONICAL_INVERSE_DEPTH), None, 0.5 / RAW, Scale.UP_TO_SCALE),
        (unit(Output.SCALE_FREE_DEPTH), 100.0, RAW, Scale.UP_TO_SCALE),
    ],
)
def test_conversions(row, focal, depth, scale):
    found, kind = to_depth(RAW, row, focal)
    assert found == pytest.approx(depth, rel=1e-6) and found.dtype == np.float32 and kind is scale


def test_inverse_depth_keeps_the_order_alone():
    rng = np.random.default_rng(0)
    disparity = rng.uniform(-3, 900, (9, 9))
    depth, scale = to_depth(disparity, unit(Output.INVERSE_DEPTH), 100.0)
    assert scale is Scale.AFFINE_DISPARITY
    assert (np.argsort(depth.ravel()) == np.argsort(-disparity.ravel())).all()
    same, _ = to_depth(7 * disparity + 3, unit(Output.INVERSE_DEPTH), None)
    assert same == pytest.approx(depth, rel=1e-5)
    flat, _ = to_depth(np.zeros((2, 2)), unit(Output.INVERSE_DEPTH), None)
    assert np.isfinite(flat).all() and (flat > 0).all()


def test_what_is_no_depth_becomes_unknown():
    found, _ = to_depth(np.array([[0.0, -1.0, np.nan, np.inf, 2.0]]), unit(Output.METRIC_DEPTH), None)
    assert np.isnan(found[0, :4]).all() and found[0, 4] == 2
    lost, _ = to_depth(np.full((2, 2), np.nan), unit(Output.INVERSE_DEPTH), None)
    assert np.isnan(lost).all()


def test_canonical_depth_needs_its_focal_length():
    with pytest.raises(ValueError, match="canonical focal"):
        to_depth(RAW, unit(Output.CANONICAL_DEPTH), 100.0)


@pytest.mark.parametrize(
    ("model", "output"),
    [
        ("depth-anything/Depth-Anything-V2-Small-hf", Output.INVERSE_DEPTH),
        ("depth-anything/Depth-Anything-V2-Metric-Indoor-Small-hf", Output.METRIC_DEPTH),
        ("LIHEYOUNG/depth-anything-small-hf", Output.INVERSE_DEPTH),
        ("depth-anything/DA3METRIC-LARGE", Output.CANONICAL_DEPTH),
        ("depth-anything/DA3-BASE", Output.SCALE_FREE_DEPTH),
        ("depth-anything/DA3NESTED-GIANT-LARGE-1.1", Output.METRIC_DEPTH),
        ("apple/DepthPro-hf", Output.CANONICAL_INVERSE_DEPTH),
    ],
)
def test_rows_are_found_by_hub_id(model, output):
    assert unit_of(model).output is output


def test_unknown_models_have_no_row():
    assert unit_of("someone/else") is None and licence_of("someone/else") is None
    assert check_licence("someone/else", accepted=False) is None


def test_canonical_rows_carry_their_focal_length():
    rows = [row for row in UNITS if row.output is Output.CANONICAL_DEPTH]
    assert rows and all(row.canonical_focal for row in rows)


@pytest.mark.parametrize(
    ("model", "terms"),
    [
        ("depth-anything/Depth-Anything-V2-Small-hf", Terms.PERMISSIVE),
        ("depth-anything/Depth-Anything-V2-Metric-Outdoor-Small-hf", Terms.PERMISSIVE),
        ("depth-anything/Depth-Anything-V2-Metric-Outdoor-Large-hf", Terms.CONFLICTING),
        ("depth-anything/Depth-Anything-V2-Base-hf", Terms.RESTRICTED),
        ("depth-anything/DA3-LARGE", Terms.RESTRICTED),
        ("depth-anything/DA3-SMALL", Terms.PERMISSIVE),
        ("LiheYoung/depth-anything-base-hf", Terms.UNVERIFIED),
    ],
)
def test_terms(model, terms):
    assert licence_of(model).terms is terms
    if terms in (Terms.RESTRICTED, Terms.CONFLICTING):
        with pytest.raises(InputError, match="accept_licence=true"):
            check_licence(model, accepted=False)
    assert check_licence(model, accepted=True).terms is terms


def test_every_model_with_a_unit_has_a_licence():
    for row in UNITS:
        example = row.models.replace("*", "x")
        assert licence_of(example) in LICENCES, row.models

"""What goes through the PNG codecs comes back within the promised error, and the special values exactly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pseudogd.store import codec

SHAPES = st.tuples(st.integers(1, 7), st.integers(1, 7))
metres = st.floats(float(np.float32(1.001e-3)), codec.FARTHEST_M, width=32)


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.float32, SHAPES, elements=metres))
def test_depth_comes_back_within_two_parts_in_ten_thousand(depth):
    back = codec.decode_depth(codec.encode_depth(depth))
    assert back.dtype == np.float32 and back.shape == depth.shape
    assert np.abs(back / depth - 1).max() < 2e-4


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.float32, SHAPES, elements=metres))
def test_the_order_of_depths_is_kept(depth):
    back = codec.decode_depth(codec.encode_depth(depth)).ravel()
    order = np.argsort(depth.ravel(), kind="stable")
    assert (np.diff(back[order]) >= 0).all()


def test_unknown_and_sky_are_codes_of_their_own():
    depth = np.array([[np.nan, 0.0, -1.0, -np.inf, np.inf, 2.0]], np.float32)
    back = codec.decode_depth(codec.encode_depth(depth))[0]
    assert np.isnan(back[:4]).all() and np.isposinf(back[4]) and back[5] == pytest.approx(2.0, rel=2e-4)


def test_depth_out_of_range_is_clamped_not_lost():
    back = codec.decode_depth(codec.encode_depth(np.array([[1e-6, 1e7]])))[0]
    assert back == pytest.approx([codec.NEAREST_M, codec.FARTHEST_M], rel=1e-6)


def test_decoded_depth_encodes_to_the_same_bytes():
    depth = np.geomspace(0.01, 500, 400, dtype=np.float32).reshape(20, 20)
    data = codec.encode_depth(depth)
    assert codec.encode_depth(codec.decode_depth(data)) == data == codec.encode_depth(depth)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_normals_come_back_within_half_a_degree(seed):
    normals = np.random.default_rng(seed).normal(size=(5, 4, 3))
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    normals[2, 1] = np.nan
    back = codec.decode_normals(codec.encode_normals(normals))
    assert np.isnan(back[2, 1]).all() and np.isfinite(back).sum() == 5 * 4 * 3 - 3
    known = np.isfinite(normals).all(axis=2)
    assert np.linalg.norm(back[known], axis=1) == pytest.approx(1, abs=1e-5)
    cosine = (back[known] * normals[known]).sum(axis=1)
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 0.5


def test_confidence_comes_back_within_one_step():
    confidence = np.linspace(0, 1, 12).reshape(3, 4)
    confidence[0, 0] = np.nan
    back = codec.decode_confidence(codec.encode_confidence(confidence))
    assert back[0, 0] == 0 and np.abs(back - np.nan_to_num(confidence)).max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize("shape", [(3,), (2, 2, 2), (0, 4)])
def test_a_depth_map_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="shape"):
        codec.encode_depth(np.ones(shape))


def test_a_png_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="unexpected PNG"):
        codec.decode_depth(codec.encode_confidence(np.ones((2, 2))))
    with pytest.raises(ValueError, match="unexpected PNG"):
        codec.decode_normals(codec.encode_depth(np.ones((2, 2))))

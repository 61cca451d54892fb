"""Compact maps come back within what they promise, in less room than PNG."""

import struct

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pseudogd.geometry.camera import Camera
from pseudogd.geometry.normals import normals_from_depth
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo
from pseudogd.store import codec, compact
from pseudogd.store.rows import geometry_row, row_geometry
from pseudogd.store.schemas import to_table


def slope(height=96, width=128):
    """A floor and a wall, with a little noise."""
    y = np.linspace(-0.4, 0.6, height)[:, None] * np.ones((1, width))
    depth = np.minimum(1.5 / np.maximum(y, 1e-3), 5.0 + np.linspace(0, 1, width))
    return (depth * np.random.default_rng(0).normal(1, 2e-4, depth.shape)).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 1000))
def test_depth_of_any_size_comes_back_within_one_part_in_ten_thousand(height, width, seed):
    rng = np.random.default_rng(seed)
    depth = np.exp(rng.uniform(np.log(0.0101), np.log(4500), (height, width)))
    depth[rng.random(depth.shape) < 0.2], depth[rng.random(depth.shape) < 0.2] = np.nan, np.inf
    back, derive = compact.decode_depth(compact.encode_depth(depth))
    known = np.isfinite(depth)
    assert not derive and (np.isnan(back) == np.isnan(depth)).all() and (np.isposinf(back) == np.isposinf(depth)).all()
    assert known.sum() == 0 or np.abs(back[known] / depth[known] - 1).max() < 1e-4


def test_out_of_range_depth_is_clamped_and_what_is_no_depth_unknown():
    back, _ = compact.decode_depth(compact.encode_depth(np.array([[1e-5, 1e9, 0.0, -1.0]])))
    assert (
        back[0, :2] == pytest.approx([compact.NEAREST_M, compact.FARTHEST_M], rel=1e-4) and np.isnan(back[0, 2:]).all()
    )


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (7, 4), (5, 5)])
def test_confidence_keeps_its_size_and_mean(shape):
    flat = np.full(shape, 0.6)
    back = compact.decode_confidence(compact.encode_confidence(flat))
    assert back.shape == shape and np.allclose(back, 0.6)
    rough = np.random.default_rng(0).random(shape)
    assert np.abs(compact.decode_confidence(compact.encode_confidence(rough)) - rough).max() <= 1
    assert compact.decode_confidence(compact.encode_confidence(np.full(shape, np.nan))).max() == 0


def test_they_take_less_room_than_png():
    """For maps as networks give them: computed coarsely, then interpolated."""
    x, y = np.meshgrid(np.linspace(0, 6, 64), np.linspace(0, 5, 48))
    coarse = (3 + np.sin(x) * np.cos(y)) * np.random.default_rng(0).normal(1, 0.01, x.shape)
    big = Image.fromarray(coarse.astype(np.float32)).resize((256, 192), Image.Resampling.BICUBIC)
    depth = np.asarray(big)
    assert len(compact.encode_depth(depth)) < 0.7 * len(codec.encode_depth(depth))
    assert compact.encode_depth(depth) == compact.encode_depth(depth)


def earlier_form(codes, kind):
    """A map as the first form of these files had it: differences along both axes, low bytes then high bytes, zstd."""
    rest = np.diff(
        np.diff(codes, axis=1, prepend=np.uint16(0)), axis=0, prepend=np.zeros((1, codes.shape[1]), np.uint16)
    )
    rest = rest.view(np.int16)
    folded = ((rest << 1) ^ (rest >> 15)).view(np.uint16).ravel()
    planes = folded.astype("<u2").view(np.uint8).reshape(-1, 2).T.tobytes()
    return struct.pack("<4sBBII", b"PGDc", kind, 0, *codes.shape) + pa.compress(planes, "zstd", asbytes=True)


def test_folders_in_the_earlier_form_are_read():
    rng = np.random.default_rng(0)
    depth = np.exp(rng.uniform(np.log(0.011), np.log(2400), (13, 22)))
    codes = 1 + np.rint(np.log(depth / 1e-2) / (np.log(2.5e5) / 65533)).astype(np.uint16)
    codes[0, :2] = 0, 65535
    data = earlier_form(codes, 1)
    back, derive = compact.decode_depth(data)
    assert compact.is_compact(data) and not derive and np.isnan(back[0, 0]) and np.isposinf(back[0, 1])
    assert np.abs(back[1:] / depth[1:] - 1).max() < 1e-4
    levels = rng.integers(0, 16, (6, 11)).astype(np.uint16)
    assert np.array_equal(
        compact.decode_confidence(earlier_form(levels, 2))[::2, ::2], np.float32(levels) / np.float32(15)
    )


@pytest.mark.parametrize("shape", [(255, 257), (256, 256), (1, 65536), (70, 1000)])
def test_without_a_word_from_the_user_large_maps_take_this_form(shape):
    geometry = Geometry(
        np.full(shape, 2.0, np.float32), None, scale=Scale.METRIC, teacher=TeacherInfo("t", "1", "2", "3")
    )
    large = shape[0] * shape[1] >= 256 * 256
    assert compact.is_compact(row_of(geometry)["depth"]) is large
    assert compact.is_compact(row_of(geometry, compact_maps=True)["depth"])
    assert not compact.is_compact(row_of(geometry, compact_maps=False)["depth"])


def test_maps_of_few_values_keep_their_repeats():
    """A sensor's millimetres on a wall: the same few numbers again and again."""
    depth = np.tile(np.array([2.0, 2.001, 2.002, 2.001], np.float32), (256, 64))
    assert len(compact.encode_depth(depth)) < 2000


def row_of(geometry, **options):
    made = geometry_row(geometry, image_id="a" * 64, path="a.png", width=128, height=96, **options)
    return to_table("geometry", [made]).to_pylist()[0]


def test_a_row_computes_its_normals_on_reading():
    camera, teacher = Camera.from_fov(128, 96, 60), TeacherInfo("t", "1", "2", "3")
    depth = slope()
    normals = normals_from_depth(depth, camera)
    geometry = Geometry(depth, camera, normals, np.ones((96, 128), np.float32), scale=Scale.METRIC, teacher=teacher)
    stored = row_of(geometry, compact_maps=True, derived_normals=True)
    assert stored["normals"] is None
    back = row_geometry(stored)
    assert np.array_equal(back.normals, normals_from_depth(back.depth, camera), equal_nan=True)
    both = np.isfinite(normals).all(axis=2) & np.isfinite(back.normals).all(axis=2)
    assert both.mean() > 0.8 and np.median((normals * back.normals).sum(axis=2)[both]) > 0.999
    given = row_geometry(row_of(geometry, compact_maps=True))  # the teacher's own normals are kept
    assert np.nanmin((given.normals * normals).sum(axis=2)) > 0.999
    assert given.confidence.min() == 1
    bare = row_geometry(row_of(Geometry(depth, None, scale=Scale.METRIC, teacher=teacher), compact_maps=True))
    assert bare.normals is None and bare.confidence is None


def test_damaged_bytes_are_refused():
    data = compact.encode_depth(slope())
    for broken in (
        data[:5],
        data[:16],
        data[:40],
        data[:-20],
        data[:4] + b"\x02" + data[5:],
        data[:6] + b"\xff" * 8 + data[14:],
    ):
        with pytest.raises((ValueError, OSError)):
            compact.decode_depth(broken)

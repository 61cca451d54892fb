"""Run-length masks against pycocotools and against damage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask

from pseudogd.errors import InputError
from pseudogd.objects import masks


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 30), st.integers(1, 30))))
def test_decoding_undoes_encoding(mask):
    assert np.array_equal(masks.decode(masks.encode(mask)), mask)


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 30), st.integers(1, 30))), st.data())
def test_some_rows_and_columns_are_those_of_the_whole_mask(mask, data):
    rows, columns = (np.array(data.draw(st.lists(st.integers(0, n - 1), min_size=1))) for n in mask.shape)
    assert np.array_equal(masks.decode_at(masks.encode(mask), rows, columns), mask[np.ix_(rows, columns)])


def test_long_runs_agree_with_pycocotools():
    mask = np.zeros((700, 900), bool)
    mask[3:650, 10:880] = True
    mask[100:110, 500:700] = False
    rle = masks.encode(mask)
    assert np.array_equal(masks.decode(rle), coco_mask.decode(rle).astype(bool))


def test_plain_counts_are_column_major_and_start_with_zeros():
    mask = masks.decode({"size": [2, 3], "counts": [1, 2, 3]})
    assert np.array_equal(mask, [[False, True, False], [True, False, False]])


@pytest.mark.parametrize(
    "rle",
    [
        {"size": [2, 2], "counts": [1, 2]},
        {"size": [2, 2], "counts": [5, -1]},
        {"size": [2, 2], "counts": [float("nan"), 4]},
        {"size": [2, 2], "counts": ["a"]},
        {"size": [2, 2], "counts": "\x01"},
        {"size": [2, 2], "counts": "o"},
        {"size": [2, 2], "counts": "ooooooooooooooo1"},
        {"size": [2, 2], "counts": ""},
        {"size": [2, 2]},
        {"size": [1 << 40, 1 << 40], "counts": [1]},
        {"size": [0, 2], "counts": [0]},
        {"counts": [4]},
    ],
)
def test_damaged_runs_are_refused_in_words(rle):
    with pytest.raises(InputError):
        masks.decode(rle)


def test_polygon_fills_its_rectangle():
    mask = masks.from_polygons([[2, 1, 6, 1, 6, 4, 2, 4]], 10, 8)
    assert mask.shape == (8, 10)
    assert masks.box_of(mask) == [2.0, 1.0, 4.0, 3.0]
    assert mask.sum() == 12


def test_far_away_corners_stay_cheap_and_inside():
    mask = masks.from_polygons([[-1e12, -1e12, 1e12, -1e12, 1e12, 1e12, -1e12, 1e12]], 10, 8)
    assert mask.all()


@pytest.mark.parametrize(
    "polygons", [[[1, 2, 3, 4]], [[1, 2, 3]], [["a"] * 6], [[float("inf")] * 6], [], [[[1, 2], [3, 4]]]]
)
def test_bad_polygons_are_refused_in_words(polygons):
    with pytest.raises(InputError):
        masks.from_polygons(polygons, 10, 8)

"""Suppression and containment, against the definition said word for word."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudogd.objects.boxes import area, contained, holds_others, overlap, shared, suppressed

EDGE = st.integers(0, 30)
BOX = st.tuples(EDGE, EDGE, EDGE, EDGE).map(
    lambda b: [min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3])]
)
SOME = st.lists(st.tuples(BOX, st.integers(1, 9), st.integers(0, 1)), min_size=1, max_size=8)


def split(some):
    boxes, scores, classes = zip(*some)
    return np.array(boxes, float), np.array(scores, float), np.array(classes, np.int64)


def painted(boxes):
    masks = np.zeros((len(boxes), 31, 31), bool)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes.astype(int)):
        mask[y0:y1, x0:x1] = True
    return masks


@settings(max_examples=60, deadline=None)
@given(SOME)
def test_areas_and_overlaps_are_those_of_painted_boxes(some):
    boxes = split(some)[0]
    masks = painted(boxes)
    assert np.array_equal(area(boxes), masks.sum(axis=(1, 2)))
    common = (masks[:, None] & masks[None]).sum(axis=(2, 3))
    assert np.array_equal(shared(boxes, boxes), common)
    union = (masks[:, None] | masks[None]).sum(axis=(2, 3))
    assert np.allclose(overlap(boxes, boxes), common / np.maximum(union, 1))


@settings(max_examples=60, deadline=None)
@given(SOME)
def test_what_is_kept_does_not_overlap_and_what_goes_has_a_better_one(some):
    boxes, scores, classes = split(some)
    kept = suppressed(boxes, scores, classes, 0.4, 0.7)
    ious = overlap(boxes, boxes)
    limit = np.where(classes[:, None] == classes[None], 0.4, 0.7)
    assert all(ious[i, j] <= limit[i, j] for i in kept for j in kept if i != j)
    for i in set(range(len(boxes))) - set(kept):
        assert any(ious[i, j] > limit[i, j] and (-scores[j], j) < (-scores[i], i) for j in kept)
    assert [scores[i] for i in kept] == sorted((scores[i] for i in kept), reverse=True)


def test_one_thing_under_two_names_is_one_and_neighbours_stay_two():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9.5], [8, 0, 18, 10]], float)
    assert suppressed(boxes, np.array([0.9, 0.8, 0.7]), np.array([0, 1, 0]), 0.5, 0.8) == [0, 2]


def test_a_part_of_a_thing_goes_and_a_group_is_known():
    row = np.array(
        [[0, 0, 30, 10], [0, 0, 9, 10], [10, 0, 19, 10], [40, 0, 50, 10], [41, 1, 45, 5], [41, 1, 45, 5]], float
    )
    classes = np.array([0, 0, 0, 0, 0, 1])
    assert contained(row, classes, 0.9).tolist() == [False, True, True, False, True, False]
    assert holds_others(row, classes, 0.9, 2).tolist() == [True, False, False, False, False, False]
    twins = np.array([[0, 0, 5, 5], [0, 0, 5, 5]], float)
    assert contained(twins, np.zeros(2, np.int64), 0.9).tolist() == [False, True]
    assert suppressed(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64), 0.5, 0.8) == []

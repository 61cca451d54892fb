"""Marked points: even depth around each of them."""

import numpy as np
import pytest
from helpers.golden import SURE, TEACHER

from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Geometry, Scale
from pseudogd.vqa.build import build_scene
from pseudogd.vqa.marks import AROUND, KNOWN, STEP, build_marks

FULL = 19 * 19


def marks_of(depth):
    height, width = depth.shape
    camera = Camera.from_fov(width, height, 60)
    geometry = Geometry(depth.astype(np.float32), camera, scale=Scale.METRIC, teacher=TEACHER)
    return build_marks(build_scene(geometry, [], settings=SURE))


@pytest.mark.parametrize("side", [64, 128, 320])
@pytest.mark.parametrize("off", [-4, -3, -2, -1, 0, 1, 2, 3, 4])
def test_no_point_stands_beside_an_edge(side, off):
    reach = max(1, round(AROUND * side))
    edge = side // 2 + off  # columns from here on are farther
    depth = np.full((side, side), 2.0)
    depth[:, edge:] = 4.0
    marks = marks_of(depth)
    columns = marks.pixel[:, 1]
    assert ((columns + reach < edge) | (columns - reach >= edge)).all()
    lost = {x * side // 100 for x in range(STEP, 100, STEP) if edge - reach <= x * side // 100 < edge + reach}
    assert len(marks) == FULL - 19 * len(lost)


def test_a_few_pixels_without_depth_do_no_harm_but_many_do():
    rng = np.random.default_rng(0)
    for share, kept in ((0.0, 1.0), (0.1, 0.88), (0.6, 0.0)):
        depth = np.where(rng.random((320, 320)) < share, np.nan, 2.0)
        assert len(marks_of(depth)) == pytest.approx(kept * FULL, abs=0.06 * FULL)
    assert 0.6 < KNOWN < 0.9


def test_every_point_has_depth_itself():
    depth = np.full((320, 320), 2.0)
    depth[160, 160] = np.nan
    marks = marks_of(depth)
    assert np.isfinite(marks.z).all() and len(marks) == FULL - 1


def test_a_picture_smaller_than_the_window_has_none():
    assert not len(marks_of(np.full((2, 40), 2.0)))

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudogd.distill.targets import cell_targets, log_view_focal, split_cells
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo
from pseudogd.student.families.base import grid_boxes

TEACHER = TeacherInfo("made up", "0", "0", "none")
CAMERA = Camera(80.0, 80.0, 28.0, 28.0, 56, 56)


def geometry(depth, scale=Scale.METRIC, camera=CAMERA, **maps):
    return Geometry(np.asarray(depth, np.float32), camera, scale=scale, teacher=TEACHER, **maps)


def whole(g, size=56):
    return grid_boxes((g, g), 14, (size / (14 * g), size / (14 * g)))


def targets(geo, boxes=None, g=4, **kw):
    return cell_targets(geo, whole(g) if boxes is None else boxes, (g, g), 14, True, **kw)


def room():
    depth = np.full((56, 56), 2.0)
    depth[:, 28:] = 8.0
    depth[:14] = np.inf
    depth[42:, :14] = np.nan
    return depth


def test_known_cells_hold_their_depth_and_the_rest_weighs_nothing():
    t = targets(geometry(room()))
    assert np.allclose(np.exp(t.log_depth[4:8]), [2, 2, 8, 8])
    assert np.allclose(t.weight[4:8], 1)
    assert (t.weight[:4] == 0).all() and t.weight[12] == 0
    assert (t.log_depth[:4] == 0).all() and t.log_depth[12] == 0


def test_sky_is_known_to_be_sky_and_unknown_is_known_to_be_nothing():
    t = targets(geometry(room()))
    assert (t.sky[:4] == 1).all() and (t.sky_weight[:4] == 1).all()
    assert (t.sky[4:12] == 0).all() and (t.sky_weight[4:12] == 1).all()
    assert t.sky_weight[12] == 0


def test_boxes_outside_of_the_photo_weigh_nothing():
    outside = np.array([[50.0, 20.0, 90.0, 60.0], [0.0, -40.0, 14.0, -20.0], [-30.0, 0.0, -10.0, 14.0]])
    t = cell_targets(geometry(np.full((56, 56), 3.0)), outside, (3, 1), 14, True)
    assert (t.weight == 0).all() and (t.sky_weight == 0).all()


def test_a_cell_across_an_edge_holds_a_depth_that_exists_and_weighs_little():
    box = np.array([[21.0, 14.0, 35.0, 28.0]])
    t = cell_targets(geometry(room()), box, (1, 1), 14, True)
    assert np.exp(t.log_depth[0]) == pytest.approx(2.0)  # never the 4 m between the two
    assert 0 < t.weight[0] < 0.05


def test_parts_of_a_cell_across_an_edge_know_both_depths():
    """The same cell as above: told apart in four, each part has its own depth and its whole weight."""
    box = np.array([[21.0, 14.0, 35.0, 28.0]])
    t = cell_targets(geometry(room()), box, (1, 1), 14, True, subcells=2)
    assert t.grid == (2, 2)
    assert np.allclose(np.exp(t.log_depth), [2, 8, 2, 8]) and np.allclose(t.weight, 1)
    assert t.log_focal == cell_targets(geometry(room()), box, (1, 1), 14, True).log_focal


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_parts_tile_the_view_row_by_row(parts):
    boxes, grid = split_cells(grid_boxes((2, 3), 14, (1.5, 1.0)), (2, 3), parts)
    assert grid == (2 * parts, 3 * parts)
    width, height = 1.5 * 14 / parts, 14 / parts
    place = np.stack(np.meshgrid(np.arange(3 * parts) * width, np.arange(2 * parts) * height), -1).reshape(-1, 2)
    assert np.allclose(boxes[:, :2], place) and np.allclose(boxes[:, 2:] - place, (width, height))


def test_confidence_is_averaged_into_the_weight():
    conf = np.full((56, 56), 0.25, np.float32)
    conf[:, 14:] = 1.0
    t = targets(geometry(np.full((56, 56), 3.0), confidence=conf))
    assert np.allclose(t.weight.reshape(4, 4)[:, 0], 0.25) and np.allclose(t.weight.reshape(4, 4)[:, 1:], 1)


def test_mean_of_normals_tells_how_flat_a_cell_is():
    normals = np.zeros((56, 56, 3), np.float32)
    normals[..., 2] = -1
    normals[:, 28:42, :] = 0
    normals[::2, 28:42, 0] = 1
    normals[1::2, 28:42, 0] = -1
    normals[:, 42:] = np.nan
    t = targets(geometry(np.full((56, 56), 3.0), normals=normals))
    n, w = t.normals.reshape(4, 4, 3), t.normal_weight.reshape(4, 4)
    assert np.allclose(n[:, 0], [0, 0, -1]) and np.allclose(w[:, :2], 1)
    assert (np.linalg.norm(n[:, 2], axis=-1) < 0.6).all()
    assert (w[:, 3] == 0).all() and (n[:, 3] == 0).all()


def test_a_smaller_map_of_the_same_photo_gives_the_same_targets():
    small = np.kron([[1.0, 2.0], [3.0, 4.0]], np.ones((28, 28)))
    a = targets(geometry(small))
    b = targets(geometry(small[::4, ::4]))  # the camera says how large the photo is
    c = targets(geometry(small[::4, ::4], camera=None), image_size=(56, 56))
    assert np.allclose(a.log_depth, b.log_depth) and np.allclose(a.log_depth, c.log_depth)


def test_fast_targets_agree_with_a_plain_loop():
    rng = np.random.default_rng(0)
    yy, xx = np.mgrid[:200, :300]
    depth = 1 + 2 * np.abs(np.sin(xx / 50)) + yy / 150
    depth[:30] = np.inf
    depth[100:140, 50:90] = np.nan
    conf = rng.random(depth.shape).astype(np.float32)
    boxes = grid_boxes((9, 11), 14, (340 / 154, 240 / 126), (10.0, 10.0))
    t = cell_targets(geometry(depth, camera=None, confidence=conf), boxes, (9, 11), 14, True)
    kept = 0
    for i, (x0, y0, x1, y1) in enumerate(np.round(boxes).astype(int)):
        inside = depth[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
        ok = np.isfinite(inside)
        share = ok.sum() / ((x1 - x0) * (y1 - y0))
        if abs(share - 0.5) < 0.15:
            continue  # the plain loop and the samples may differ at the border
        assert (t.weight[i] > 0) == (share > 0.5)
        if share > 0.5:
            kept += 1
            assert t.log_depth[i] == pytest.approx(np.median(np.log(inside[ok])), abs=0.04)
    assert kept > 40


def test_view_focal_does_not_depend_on_how_large_the_photo_was_saved():
    camera = Camera(1200.0, 1100.0, 800.0, 600.0, 1600, 1200)
    full = log_view_focal(camera, grid_boxes((24, 24), 14, (1600 / 336, 1200 / 336)), 14)
    half = log_view_focal(camera.resized(800, 600), grid_boxes((24, 24), 14, (800 / 336, 600 / 336)), 14)
    assert full == pytest.approx(half)


def test_a_tile_of_twice_the_zoom_has_twice_the_focal_length():
    camera = Camera(1200.0, 1200.0, 800.0, 600.0, 1600, 1200)
    full = log_view_focal(camera, grid_boxes((24, 24), 14, (1600 / 336, 1200 / 336)), 14)
    tile = log_view_focal(camera, grid_boxes((24, 24), 14, (800 / 336, 600 / 336), (-336.0, 0.0)), 14)
    assert tile - full == pytest.approx(np.log(2))
    assert np.exp(log_view_focal(camera, grid_boxes((24, 24), 14, (1.0, 1.0)), 14)) == pytest.approx(1200 / 500)


def test_no_camera_no_focal():
    assert np.isnan(targets(geometry(room(), camera=None)).log_focal)


@settings(max_examples=20, deadline=None)
@given(power=st.floats(0.3, 3.0), factor=st.floats(0.01, 100.0))
def test_relative_depth_gives_ranks_that_no_monotone_change_can_move(power, factor):
    rng = np.random.default_rng(3)
    depth = np.kron(rng.uniform(1, 5, (4, 4)), np.ones((14, 14)))
    a = targets(geometry(depth, Scale.AFFINE_DISPARITY))
    b = targets(geometry(factor * depth**power, Scale.AFFINE_DISPARITY))
    assert np.allclose(a.log_depth, b.log_depth) and np.allclose(a.weight, b.weight)
    assert (np.argsort(a.log_depth) == np.argsort(depth[::14, ::14].ravel())).all()
    assert a.log_depth.min() == 0 and a.log_depth.max() == 1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(list(Scale)), st.booleans())
def test_any_geometry_gives_finite_targets(seed, scale, has_camera):
    rng = np.random.default_rng(seed)
    depth = rng.uniform(0.1, 50, (17, 23)).astype(np.float32)
    depth[rng.random(depth.shape) < rng.random()] = np.nan
    depth[rng.random(depth.shape) < rng.random() / 2] = np.inf
    camera = Camera(20.0, 20.0, 11.0, 8.0, 23, 17) if has_camera else None
    t = targets(geometry(depth, scale, camera), rng.uniform(-20, 40, (16, 4))[:, [0, 1, 0, 1]] + [0, 0, 9, 9])
    for a in (t.log_depth, t.weight, t.normals, t.normal_weight, t.sky, t.sky_weight):
        assert np.isfinite(a).all()
    assert ((t.weight >= 0) & (t.weight <= 1)).all() and ((t.sky >= 0) & (t.sky <= 1)).all()


def test_targets_of_a_view_take_no_more_than_two_milliseconds():
    geo, grid = geometry(2 + np.random.default_rng(0).random((480, 640))), (14, 14)
    boxes = grid_boxes(grid, 16, (640 / 224, 480 / 224))
    spent = []
    for _ in range(20):
        before = time.process_time()
        cell_targets(geo, boxes, grid, 16, True, (640, 480))
        spent.append(time.process_time() - before)
    assert min(spent) < 2e-3

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pseudogd.geometry.camera import Camera

sides = st.integers(2, 200)
cameras = st.builds(
    lambda w, h, fx, fy, cx, cy: Camera(fx * w, fy * h, cx * w, cy * h, w, h),
    sides,
    sides,
    st.floats(0.2, 5.0),
    st.floats(0.2, 5.0),
    st.floats(0.2, 0.8),
    st.floats(0.2, 0.8),
)
depths = st.floats(1e-3, 1e4)


@given(cameras, depths)
def test_project_undoes_unproject(camera, z):
    pixels = camera.project(camera.unproject(np.full((camera.height, camera.width), z)))
    v, u = np.mgrid[: camera.height, : camera.width]
    np.testing.assert_allclose(pixels, np.stack([u, v], axis=-1), atol=1e-9 * camera.width)


@given(cameras, st.integers(1, 300), st.integers(1, 300))
def test_resizing_keeps_every_viewing_ray(camera, width, height):
    small = camera.resized(width, height)
    assert (small.fov_x, small.fov_y) == pytest.approx((camera.fov_x, camera.fov_y))
    for u, v in ((-0.5, -0.5), (width - 0.5, height - 0.5), (0.3 * width, 0.6 * height)):  # edges and an inner place
        ray = [(u - small.cx) / small.fx, (v - small.cy) / small.fy, 1.0]
        expected = ((u + 0.5) * camera.width / width - 0.5, (v + 0.5) * camera.height / height - 0.5)
        assert camera.project(ray) == pytest.approx(np.array(expected), abs=1e-8)


@given(st.integers(2, 40), st.integers(2, 40), st.integers(2, 4))
def test_resizing_the_image_leaves_metric_points_unchanged(width, height, factor):
    camera = Camera.from_fov(width * factor, height * factor, fov_x_deg=60)
    floor = 1.4 / np.maximum(camera.rays() @ [0.1, 0.3, 1.0], 0.05)
    points = camera.unproject(floor)
    if factor % 2:  # odd factors: the centre of a small pixel is the centre of a large one
        small = floor[factor // 2 :: factor, factor // 2 :: factor]
        np.testing.assert_allclose(camera.unproject(small), points[factor // 2 :: factor, factor // 2 :: factor])
    plane = camera.unproject(np.full((height, width), 2.0))
    blocks = camera.unproject(np.full((height * factor, width * factor), 2.0))
    means = blocks.reshape(height, factor, width, factor, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(plane, means, atol=1e-12)


@given(cameras, st.integers(-20, 100), st.integers(-20, 100))
def test_cropping_moves_pixels_and_nothing_else(camera, x0, y0):
    crop = camera.cropped(x0, y0, 7, 9)
    point = np.array([0.3, -0.2, 1.7])
    np.testing.assert_allclose(crop.project(point), camera.project(point) - [x0, y0], atol=1e-9)
    assert (crop.width, crop.height) == (7, 9)


@given(cameras)
def test_mirrored_image_means_mirrored_x(camera):
    depth = np.random.default_rng(0).uniform(1, 5, (camera.height, camera.width))
    points, mirrored = camera.unproject(depth), camera.mirrored().unproject(depth[:, ::-1])
    np.testing.assert_allclose(mirrored[:, ::-1] * [-1, 1, 1], points, atol=1e-9)
    assert camera.mirrored().mirrored().to_dict() == pytest.approx(camera.to_dict())


@given(st.floats(5, 120), st.integers(50, 200), st.integers(50, 200))
def test_field_of_view_is_what_was_asked_for(fov, width, height):
    assert Camera.from_fov(width, height, fov_x_deg=fov).fov_x == pytest.approx(math.radians(fov))
    assert Camera.from_fov(width, height, fov_y_deg=fov).fov_y == pytest.approx(math.radians(fov))


@given(cameras)
def test_rays_are_the_points_at_depth_one(camera):
    rays = camera.rays()
    np.testing.assert_allclose(rays, camera.unproject(np.ones((camera.height, camera.width))))
    u, v = camera.width - 1, camera.height - 1
    np.testing.assert_allclose(camera.matrix @ rays[v, u], [u, v, 1], atol=1e-9)
    assert camera.rays(3, 4).shape == (3, 4, 3)


def test_a_world_yaw_turns_bearings_by_that_yaw():
    from pseudogd.geometry.boxes import yaw_rotation

    rng = np.random.default_rng(1)
    points = rng.normal(size=(50, 3))
    for yaw in (-2.0, -0.3, 0.5, 3.0):
        turned = points @ yaw_rotation(yaw).T
        change = np.arctan2(turned[:, 0], turned[:, 2]) - np.arctan2(points[:, 0], points[:, 2])
        np.testing.assert_allclose(np.exp(1j * change), np.exp(1j * yaw))
        np.testing.assert_allclose(turned[:, 1], points[:, 1])


def test_unknown_and_sky_have_no_point():
    camera = Camera.from_fov(3, 1, fov_x_deg=60)
    depth = np.array([[np.nan, np.inf, 2.0]], np.float32)
    points = camera.unproject(depth)
    assert points.dtype == np.float32
    assert np.isnan(points[0, :2]).all() and np.isfinite(points[0, 2]).all()
    assert np.isposinf(depth[0, 1]), "the caller's map must stay as it was"


def test_a_point_behind_the_camera_has_no_pixel():
    camera = Camera.from_fov(64, 48, fov_x_deg=60)
    assert np.isnan(camera.project([[0, 0, -1.0], [0, 0, 0.0]])).all()


@pytest.mark.parametrize("name", ["fx", "fy"])
@pytest.mark.parametrize("value", [0, -500.0, math.nan, math.inf, -math.inf, "525", None, True, 0.8])
def test_absurd_focal_lengths_are_refused(name, value):
    values = {"fx": 500.0, "fy": 500.0, "cx": 319.5, "cy": 239.5, "width": 640, "height": 480, name: value}
    with pytest.raises(ValueError, match=name):
        Camera.from_dict(values)


@pytest.mark.parametrize(
    "change", [{"cx": math.nan}, {"cy": math.inf}, {"width": 0}, {"height": -3}, {"width": 10.5}, {"height": math.nan}]
)
def test_absurd_sizes_and_centres_are_refused(change):
    values = {"fx": 500.0, "fy": 500.0, "cx": 319.5, "cy": 239.5, "width": 640, "height": 480, **change}
    with pytest.raises(ValueError, match=next(iter(change))):
        Camera.from_dict(values)


def test_missing_intrinsics_are_named():
    with pytest.raises(ValueError, match="fy, cx"):
        Camera.from_dict({"fx": 500, "cy": 2, "width": 640, "height": 480})


@pytest.mark.parametrize("angles", [{}, {"fov_x_deg": 60, "fov_y_deg": 40}, {"fov_x_deg": 0}, {"fov_y_deg": 180}])
def test_field_of_view_needs_one_sensible_angle(angles):
    with pytest.raises(ValueError):
        Camera.from_fov(64, 48, **angles)


def test_dict_round_trip_and_numpy_numbers():
    camera = Camera(np.float32(500.5), 501, 10, 12.5, np.int64(40), 30.0)
    assert Camera.from_dict({**camera.to_dict(), "note": "ignored"}) == camera
    assert all(type(v) in (int, float) for v in camera.to_dict().values())


@pytest.mark.parametrize("shape", [(3,), (2, 3, 1), (0, 4)])
def test_unproject_wants_a_map(shape):
    with pytest.raises(ValueError, match="depth"):
        Camera.from_fov(4, 4, fov_x_deg=60).unproject(np.ones(shape))

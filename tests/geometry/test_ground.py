import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudogd.geometry.gravity import fit_ground, gravity_rotation


def floor(rng, n=1500, height=1.4, noise=0.01):
    """(n, 3) points of a floor in the gravity frame, `height` below the camera."""
    points = np.stack([rng.uniform(-2, 2, n), np.full(n, height), rng.uniform(1, 5, n)], axis=1)
    return points + rng.normal(0, noise, points.shape)


def wall(rng, n=1500, depth=4.0, height=1.4):
    return np.stack([rng.uniform(-2, 2, n), rng.uniform(height - 2.5, height, n), np.full(n, depth)], axis=1)


def angle(a, b):
    return float(np.degrees(np.arccos(np.clip(np.dot(a, b), -1, 1))))


@given(st.floats(0.3, 2.0), st.floats(-40, 40), st.floats(-15, 15), st.integers(0, 100))
def test_ground_withstands_forty_percent_outliers(height, pitch, roll, seed):
    rng = np.random.default_rng(seed)
    clutter = rng.uniform([-2, height - 2.4, 1], [2, height + 0.5, 5], (1000, 3))  # some below the floor too
    p, r = np.radians([pitch, roll])
    up = np.array([np.sin(r) * np.cos(p), -np.cos(r) * np.cos(p), -np.sin(p)])
    to_camera = gravity_rotation(up).T
    points = np.concatenate([floor(rng, 1500, height), clutter]) @ to_camera.T
    plane = fit_ground(points, up)
    assert plane is not None
    assert plane.camera_height == pytest.approx(height, rel=0.02, abs=0.02)
    assert angle(plane.normal, up) < 1.5
    assert 0.5 < plane.inlier_fraction < 0.75


@pytest.mark.parametrize("error_deg", [-6, 4, 7])
def test_ground_mends_a_slightly_wrong_up(error_deg):
    rng = np.random.default_rng(0)
    e = np.radians(error_deg)
    points = np.concatenate([floor(rng), wall(rng, 800)])
    plane = fit_ground(points, [0, -np.cos(e), np.sin(e)])
    assert plane is not None and angle(plane.normal, [0, -1, 0]) < 0.7


@pytest.mark.parametrize("seed", range(5))
def test_walls_and_ceilings_and_clutter_are_no_ground(seed):
    rng = np.random.default_rng(seed)
    up = [0, -1, 0]
    corner = np.concatenate([wall(rng), wall(rng)[:, [2, 1, 0]] * [-0.5, 1, 1]])
    assert fit_ground(wall(rng) + rng.normal(0, 0.01, (1500, 3)), up) is None
    assert fit_ground(corner + rng.normal(0, 0.01, corner.shape), up) is None
    assert fit_ground(floor(rng, height=-1.0), up) is None
    assert fit_ground(rng.uniform([-2, -1, 1], [2, 1.5, 5], (3000, 3)), up) is None


def test_the_floor_wins_over_a_larger_table():
    rng = np.random.default_rng(0)
    table = floor(rng, 1400, 0.7) * [0.4, 1, 0.3]
    plane = fit_ground(np.concatenate([floor(rng, 900), table]), [0, -1, 0])
    assert plane is not None and plane.camera_height == pytest.approx(1.4, abs=0.02)


@settings(max_examples=10)
@given(st.floats(1e-3, 1e3))
def test_ground_scales_with_the_points(factor):
    rng = np.random.default_rng(3)
    points = np.concatenate([floor(rng), wall(rng)])
    plane, scaled = fit_ground(points, [0, -1, 0]), fit_ground(points * factor, [0, -1, 0])
    assert plane is not None and scaled is not None
    assert scaled.camera_height == pytest.approx(plane.camera_height * factor, rel=1e-3)
    assert scaled.inlier_fraction == pytest.approx(plane.inlier_fraction, abs=0.01)


def test_heights_are_measured_along_the_normal():
    rng = np.random.default_rng(0)
    plane = fit_ground(floor(rng, noise=0).reshape(30, 50, 3), [0, -1, 0])
    assert plane is not None
    np.testing.assert_allclose(plane.height([[0, 1.4, 2], [1, 0.9, 3], [0, 0, 0]]), [0, 0.5, 1.4], atol=1e-6)


def test_too_few_or_unknown_points_give_no_ground():
    assert fit_ground(np.full((200, 3), np.nan), [0, -1, 0]) is None
    assert fit_ground(np.zeros((0, 3)), [0, -1, 0]) is None
    assert fit_ground(floor(np.random.default_rng(0), 20), [0, -1, 0]) is None


def test_the_same_points_give_the_same_plane():
    points = floor(np.random.default_rng(0))
    a, b = fit_ground(points, [0, -1, 0]), fit_ground(points, [0, -1, 0])
    assert a is not None and b is not None
    assert a.normal.tolist() == b.normal.tolist() and a.offset == b.offset


def test_points_need_three_components():
    with pytest.raises(ValueError):
        fit_ground(np.ones((50, 2)), [0, -1, 0])

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pseudogd.geometry.boxes import _quantile, robust_extent, yaw_box, yaw_rotation

SIZE, CENTER = np.array([1.2, 0.8, 0.5]), np.array([0.4, 0.9, 3.0])


def cuboid(yaw, faces=((0, -1), (0, 1), (1, -1), (1, 1), (2, -1), (2, 1)), n=4000, noise=0.005, seed=0):
    """(n, 3) points on some faces (axis, sign) of an upright cuboid, by area."""
    rng = np.random.default_rng(seed)
    areas = np.array([SIZE.prod() / SIZE[axis] for axis, _ in faces])
    chosen = rng.choice(len(faces), n, p=areas / areas.sum())
    unit = rng.uniform(-0.5, 0.5, (n, 3))
    for k, (axis, sign) in enumerate(faces):
        unit[chosen == k, axis] = sign / 2
    return unit * SIZE @ yaw_rotation(yaw).T + CENTER + rng.normal(0, noise, (n, 3))


def same_sides(a, b):
    """Difference of two yaws of a box, whose sides repeat every 90 degrees."""
    return np.degrees(abs((a - b + np.pi / 4) % (np.pi / 2) - np.pi / 4))


@given(st.floats(-np.pi, np.pi))
def test_a_turned_cuboid_gives_its_size_and_yaw(yaw):
    box = yaw_box(cuboid(yaw))
    assert same_sides(box.yaw, yaw) < 1.5
    assert -np.pi / 4 <= box.yaw < np.pi / 4
    swapped = abs(np.sin(box.yaw - yaw)) > 0.7
    np.testing.assert_allclose(box.size[[2, 1, 0]] if swapped else box.size, SIZE, rtol=0.06)
    np.testing.assert_allclose(box.center, CENTER, atol=0.03)


@given(st.floats(-0.7, 0.7), st.sampled_from([-1, 1]))
def test_two_visible_sides_are_enough(yaw, side):
    box = yaw_box(cuboid(yaw, faces=((0, side), (2, -1))))
    assert same_sides(box.yaw, yaw) < 3
    np.testing.assert_allclose(box.size, SIZE, rtol=0.1)


@given(st.floats(-1.5, 1.5), st.integers(0, 50))
def test_a_yaw_of_the_world_turns_the_box(yaw, seed):
    points = cuboid(0.2, seed=seed)
    a, b = yaw_box(points), yaw_box(points @ yaw_rotation(yaw).T)
    assert same_sides(b.yaw, a.yaw + yaw) < 1
    np.testing.assert_allclose(b.center, yaw_rotation(yaw) @ a.center, atol=0.02)
    np.testing.assert_allclose(sorted(b.size), sorted(a.size), rtol=0.03)


def test_a_few_wild_points_do_not_matter():
    points = cuboid(0.3)
    points[::100] += [3, -2, 5]
    np.testing.assert_allclose(yaw_box(points).size, SIZE, rtol=0.08)


def test_a_thin_sheet_keeps_its_yaw():
    rng = np.random.default_rng(0)
    sheet = rng.uniform([-1, 0, 0], [1, 1, 0], (1000, 3)) @ yaw_rotation(0.4).T
    assert same_sides(yaw_box(sheet).yaw, 0.4) < 1


def test_corners_hold_the_points_and_axes_are_unit():
    points = cuboid(0.3)
    box = yaw_box(points, 0, 1)
    np.testing.assert_allclose(box.axes @ box.axes.T, np.eye(3), atol=1e-12)
    local = (points - box.center) @ box.axes.T
    assert (np.abs(local) <= box.size / 2 + 1e-9).all()
    assert box.corners.shape == (8, 3)
    np.testing.assert_allclose(np.abs((box.corners - box.center) @ box.axes.T), np.tile(box.size / 2, (8, 1)))


def test_the_z_axis_of_a_box_has_the_bearing_yaw():
    axis = yaw_rotation(0.6) @ [0, 0, 1]
    assert np.arctan2(axis[0], axis[2]) == pytest.approx(0.6)


def test_one_point_is_a_box_without_size_and_none_is_an_error():
    box = yaw_box([[1.0, 2.0, 3.0], [np.nan, 0, 0]])
    np.testing.assert_allclose(box.center, [1, 2, 3])
    np.testing.assert_allclose(box.size, 0, atol=1e-12)
    for bad in (np.zeros((0, 3)), np.full((5, 3), np.nan), np.ones((5, 2))):
        with pytest.raises(ValueError):
            yaw_box(bad)


@given(st.floats(0, 0.49), st.floats(-5, 5), st.floats(0.01, 10))
def test_robust_extent_of_a_uniform_ladder(cut, start, length):
    values = np.linspace(start, start + length, 101)
    low, high = robust_extent(values.reshape(1, -1), cut, 1 - cut)
    assert low == pytest.approx(start + cut * length, abs=1e-9)
    assert high == pytest.approx(start + (1 - cut) * length, abs=1e-9)


def test_robust_extent_forgives_outliers_and_gaps():
    values = np.r_[np.linspace(0, 1, 990), [1e6] * 5, [-1e6] * 5, np.nan, np.inf]
    low, high = robust_extent(values)
    assert 0 <= low < 0.03 and 0.97 < high <= 1
    with pytest.raises(ValueError, match="no finite"):
        robust_extent([np.nan])
    with pytest.raises(ValueError, match="quantiles"):
        robust_extent([1.0], 0.9, 0.1)


@pytest.mark.parametrize("count", [1, 2, 33, 256])
def test_quantiles_of_sorted_values_are_those_of_numpy(count):
    values = np.random.default_rng(count).normal(size=(count, 2))
    for share in (0.0, 0.02, 0.5, 0.98, 1.0):
        assert np.array_equal(_quantile(np.sort(values, axis=0), share), np.quantile(values, share, axis=0))

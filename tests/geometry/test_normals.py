import time

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pseudogd.geometry.camera import Camera
from pseudogd.geometry.normals import normals_from_depth

CAMERA = Camera(60.0, 70.0, 30.0, 25.0, 64, 48)


def plane_depth(camera, normal, distance, shape=None):
    """z-depth of the plane normal . p = -distance, nan where a ray does not meet it in front of the camera."""
    along = camera.rays(*(shape or (camera.height, camera.width))) @ np.asarray(normal)
    return np.where(along < -0.05, -distance / np.where(along < -0.05, along, -1), np.nan)


@given(st.tuples(*[st.floats(-1, 1)] * 3), st.floats(0.1, 50), st.integers(1, 4))
def test_painted_planes_give_their_normal_exactly(direction, distance, radius):
    normal = np.array(direction)
    assume(np.linalg.norm(normal) > 0.1)
    normal /= np.linalg.norm(normal)
    depth = plane_depth(CAMERA, normal, distance)
    got = normals_from_depth(depth, CAMERA, edge=0.3, radius=radius)
    known = np.isfinite(got).all(axis=-1)
    np.testing.assert_allclose(got[known], np.broadcast_to(normal, got[known].shape), atol=1e-5)
    if np.isfinite(depth).sum() > 500:
        assert known.sum() > 0.8 * np.isfinite(depth).sum()


@given(st.integers(0, 2**32 - 1))
def test_normals_are_unit_and_face_the_camera(seed):
    depth = np.random.default_rng(seed).uniform(2.0, 2.06, (48, 64))
    normals = normals_from_depth(depth, CAMERA)
    assert np.isfinite(normals).any()
    lengths, facing = np.linalg.norm(normals, axis=-1), np.einsum("hwc,hwc->hw", normals, CAMERA.rays())
    np.testing.assert_allclose(lengths[np.isfinite(lengths)], 1, atol=1e-5)
    assert (facing[np.isfinite(facing)] < 0).all()


def test_scale_of_depth_does_not_matter_and_mirroring_mirrors():
    depth = plane_depth(CAMERA, [0.3, -0.8, -0.52], 1.5)
    normals = normals_from_depth(depth, CAMERA)
    np.testing.assert_allclose(normals_from_depth(7 * depth, CAMERA), normals, atol=1e-6)
    mirrored = normals_from_depth(depth[:, ::-1], CAMERA.mirrored())[:, ::-1] * np.float32([-1, 1, 1])
    np.testing.assert_allclose(mirrored, normals, atol=1e-6)


@pytest.mark.parametrize("radius", [1, 3])
def test_no_normal_is_taken_across_a_depth_edge(radius):
    depth = np.full((48, 64), 4.0)
    depth[:, 32:] = 2.0
    depth[:, 10] = 1.0  # one column alone has no neighbour to make a slope with
    normals = normals_from_depth(depth, CAMERA, radius=radius)
    assert np.isnan(normals[:, 10]).all()
    rest = np.delete(normals, 10, axis=1)
    np.testing.assert_allclose(rest, np.broadcast_to([0, 0, -1], rest.shape), atol=1e-6)


def test_a_floor_at_a_grazing_angle_is_no_edge():
    camera = Camera.from_fov(64, 64, fov_x_deg=60)
    depth = plane_depth(camera, [0, -1, 0], 1.2)
    jump = np.diff(depth, axis=0) / depth[1:]
    steep = np.nonzero((np.abs(jump[:, 0]) > 0.05) & (np.abs(jump[:, 0]) < 0.2))[0]
    assert len(steep) > 3
    normals = normals_from_depth(depth, camera)
    np.testing.assert_allclose(normals[steep, 5], np.broadcast_to([0, -1, 0], (len(steep), 3)), atol=1e-5)


def test_unknown_sky_and_zero_depth_have_no_normal():
    depth = np.full((48, 64), 3.0, np.float32)
    depth[10, 10], depth[20, 20], depth[30, 30] = np.nan, np.inf, 0
    normals = normals_from_depth(depth, CAMERA)
    assert np.isnan(normals[[10, 20, 30], [10, 20, 30]]).all()
    assert np.isfinite(normals).all(axis=-1).sum() == depth.size - 3
    assert np.isnan(normals_from_depth(np.full((48, 64), np.nan), CAMERA)).all()
    assert np.isnan(normals_from_depth(np.ones((1, 1)), CAMERA)).all()


def test_a_wider_radius_forgives_millimetre_steps():
    camera = Camera.from_fov(640, 480, fov_x_deg=60)
    normal = np.array([0.2, -0.1, -1]) / np.linalg.norm([0.2, -0.1, -1])
    depth = np.round(plane_depth(camera, normal, 3.0), 2)  # centimetres, as a sensor may count

    def error(radius):
        cosine = normals_from_depth(depth, camera, radius=radius) @ normal
        return np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean()

    assert error(None) < 0.7 * error(1)
    assert error(9) < error(None)


def test_a_smaller_map_than_the_photo_uses_the_same_rays():
    photo = Camera.from_fov(640, 480, fov_x_deg=60)
    normal = np.array([0.0, -0.9, -np.sqrt(0.19)])
    normals = normals_from_depth(plane_depth(photo, normal, 1.5, (48, 64)), photo)
    known = normals[np.isfinite(normals).all(axis=-1)]
    np.testing.assert_allclose(known, np.broadcast_to(normal, known.shape), atol=1e-5)


@pytest.mark.parametrize("arguments", [{"edge": 0}, {"edge": np.nan}, {"radius": 0}])
def test_senseless_options_are_refused(arguments):
    with pytest.raises(ValueError):
        normals_from_depth(np.ones((4, 4)), CAMERA, **arguments)


def test_a_small_map_takes_milliseconds():
    depth = plane_depth(CAMERA, [0, -0.8, -0.6], 1.5, (128, 128)).astype(np.float32)
    seconds = []
    for _ in range(10):
        start = time.process_time()
        normals_from_depth(depth, CAMERA)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.02  # 0.5 ms on a free core

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pseudogd.geometry.camera import Camera
from pseudogd.geometry.gravity import UpPrior, _averaged, gravity_rotation, up_from_normals
from pseudogd.geometry.normals import normals_from_depth

vectors = st.tuples(*[st.floats(-1, 1)] * 3).map(np.array)


def angle(a, b):
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), np.dot(a, b))))


def up_of(pitch, roll):
    """Up in the axes of a camera that looks down by `pitch` and is turned by `roll` degrees."""
    p, r = np.radians([pitch, roll])
    return np.array([np.sin(r) * np.cos(p), -np.cos(r) * np.cos(p), -np.sin(p)])


def room(pitch, roll, yaw, height=1.4, noise=0.0, boxes=True, size=128, seed=0):
    """Depth (size, size) of an empty room or one with boxes on its floor, its camera, and the true up."""
    rng = np.random.default_rng(seed)
    camera = Camera.from_fov(size, size, fov_x_deg=62)
    up = up_of(pitch, roll)
    level = gravity_rotation(up)
    rays = camera.rays() @ level.T
    turn = np.radians(yaw)
    x, z = (
        rays[..., 0] * np.cos(turn) - rays[..., 2] * np.sin(turn),
        rays[..., 0] * np.sin(turn) + rays[..., 2] * np.cos(turn),
    )
    y = rays[..., 1]
    with np.errstate(divide="ignore"):
        planes = [height / y, (height - 2.5) / y, 2.2 / x, -1.9 / x, 3.5 / z, -3.0 / z]
    depth = np.min([np.where(p > 0, p, np.inf) for p in planes], axis=0)
    if boxes:  # tops of furniture, seen from above
        for _ in range(3):
            top = rng.uniform(0.4, 0.8)
            t = np.where(y > 0, (height - top) / np.where(y > 0, y, 1), np.inf)
            x0, z0 = rng.uniform(-1.5, 1.0), rng.uniform(1.0, 2.5)
            hit = (np.abs(t * x - x0) < 0.4) & (np.abs(t * z - z0) < 0.4)
            depth = np.where(hit & (t < depth), t, depth)
    return depth * np.exp(noise * rng.normal(size=depth.shape)), camera, up


@given(vectors)
def test_gravity_rotation_is_a_right_handed_rotation_onto_up(up):
    assume(np.linalg.norm(up) > 1e-3)
    rotation, unit = gravity_rotation(up), up / np.linalg.norm(up)
    np.testing.assert_allclose(rotation @ unit, [0, -1, 0], atol=1e-7)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1)


@given(vectors)
def test_gravity_rotation_is_the_smallest_one(up):
    assume(np.linalg.norm(up) > 1e-3 and angle(up, [0, 1, 0]) > 0.1)
    rotation = gravity_rotation(up)
    turned_by = np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1)))
    assert turned_by == pytest.approx(angle(up, [0, -1, 0]), abs=1e-3)


def test_gravity_rotation_of_special_cameras():
    np.testing.assert_allclose(gravity_rotation([0, -2, 0]), np.eye(3), atol=1e-12)
    np.testing.assert_allclose(gravity_rotation([0, 1, 0]), np.diag([-1, -1, 1]))
    np.testing.assert_allclose(gravity_rotation([1e-9, 1, 0]) @ [0, 1, 0], [0, -1, 0], atol=1e-6)
    # a camera that looks down keeps its heading: what is straight ahead stays straight ahead
    ahead = gravity_rotation(up_of(30, 0)) @ [0, 0, 1]
    np.testing.assert_allclose(ahead, [0, 0.5, np.sqrt(0.75)], atol=1e-12)


@pytest.mark.parametrize("up", [[0, 0, 0], [np.nan, 1, 0], [1, 0]])
def test_gravity_rotation_wants_a_direction(up):
    with pytest.raises(ValueError):
        gravity_rotation(up)


@pytest.mark.parametrize(("pitch", "roll", "yaw"), [(0, 0, 0), (15, 0, 20), (25, -4, 40), (-5, 6, 65), (35, 3, 10)])
def test_up_of_exact_rooms(pitch, roll, yaw):
    depth, camera, up = room(pitch, roll, yaw)
    found = up_from_normals(normals_from_depth(depth, camera))
    assert found is not None
    assert angle(found.vector, up) < 0.5
    assert found.confidence > 0.9


def test_up_of_noisy_rooms_and_what_its_confidence_is_worth():
    errors, confidences = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        depth, camera, up = room(rng.uniform(0, 30), rng.uniform(-5, 5), rng.uniform(0, 90), noise=0.01, seed=seed)
        found = up_from_normals(normals_from_depth(depth, camera))
        assert found is not None
        errors.append(angle(found.vector, up))
        confidences.append(found.confidence)
    assert np.median(errors) < 4
    sure = np.array(confidences) > 0.7
    assert (np.array(errors)[sure] < 6).all()


def test_confidence_falls_with_noise():
    mean = [
        np.mean(
            [up_from_normals(normals_from_depth(*room(12, 2, 25, noise=s, seed=k)[:2])).confidence for k in range(4)]
        )
        for s in (0.0, 0.01, 0.04)
    ]
    assert mean[0] > mean[1] > mean[2]


def test_directions_without_order_are_not_believed():
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(4000, 3))
    normals *= -np.sign(normals[:, 2:])
    found = up_from_normals(normals / np.linalg.norm(normals, axis=1, keepdims=True))
    assert found is None or found.confidence < 0.5


def test_one_bare_wall_leaves_doubt():
    """A wall fixes one of the two angles of up; a wall with a floor fixes both."""
    wall = np.broadcast_to([-0.5, 0.0, -np.sqrt(0.75)], (64, 64, 3))
    both = wall.copy()
    both[32:] = up_of(10, 0)
    alone, together = up_from_normals(wall), up_from_normals(both)
    assert alone is not None and together is not None
    assert alone.confidence < together.confidence - 0.1


@pytest.mark.parametrize("pitch", [50, 66, 75, 90])
def test_one_surface_seen_from_above_is_not_believed(pitch):
    """It may as well be a facade that the camera looks up at."""
    found = up_from_normals(np.broadcast_to(up_of(pitch, 0), (64, 64, 3)))
    assert found is None or found.confidence <= 0.5


def test_too_few_normals_say_nothing():
    normals = np.full((64, 64, 3), np.nan)
    assert up_from_normals(normals) is None
    normals[0, :20] = [0, -1, 0]
    assert up_from_normals(normals) is None


def test_a_mirrored_photo_has_the_mirrored_up():
    depth, camera, _ = room(14, 5, 30)
    a = up_from_normals(normals_from_depth(depth, camera))
    b = up_from_normals(normals_from_depth(depth[:, ::-1], camera.mirrored()))
    assert angle(a.vector, b.vector * [-1, 1, 1]) < 0.3


def test_another_prior_reaches_other_photos():
    depth, camera, up = room(50, 0, 30, boxes=False)
    found = up_from_normals(normals_from_depth(depth, camera), UpPrior(pitch=50))
    assert found is not None and angle(found.vector, up) < 0.5


def test_normals_need_three_components():
    with pytest.raises(ValueError):
        up_from_normals(np.ones((10, 2)))


def test_normals_of_a_large_map_are_averaged_over_blocks():
    """Against the mean taken block by block: half known is enough, a crease is not, an edge of the map is left out."""
    rng, block = np.random.default_rng(4), 3
    normals = rng.normal((0, -1, -2), 0.3, (48 * block + 2, 50 * block + 1, 3)).astype(np.float32)
    normals[60:80] *= rng.choice([-1, 1], (20, normals.shape[1], 1))
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    for unknown in (0.0, 0.5):
        seen = normals.copy()
        seen[rng.random(seen.shape[:2]) < unknown] = np.nan
        found, left_out = _averaged(seen), 0
        assert found.shape == (48, 50, 3)
        for row in range(48):
            for column in range(50):
                part = seen[row * block : (row + 1) * block, column * block : (column + 1) * block].reshape(-1, 3)
                known = part[np.isfinite(part[:, 0])]
                mean = known.mean(axis=0) if len(known) else np.zeros(3)
                if 2 * len(known) < block**2 or np.linalg.norm(mean) <= 0.8:
                    assert np.isnan(found[row, column]).all()
                    left_out += 1
                else:
                    assert found[row, column] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)
        assert 200 < left_out < 48 * 50 - 200

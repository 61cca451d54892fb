"""Upright edges of painted pictures: what they say of up is known in closed form."""

import numpy as np
import pytest

from pseudogd.geometry.camera import Camera
from pseudogd.geometry.gravity import gravity_rotation, up_from_normals
from pseudogd.geometry.normals import normals_from_depth
from pseudogd.geometry.uprights import Edges, steep_edges, with_uprights


def angle(a, b):
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), np.dot(a, b))))


def up_of(pitch, roll):
    p, r = np.radians([pitch, roll])
    return np.array([np.sin(r) * np.cos(p), -np.cos(r) * np.cos(p), -np.sin(p)])


def room(pitch, roll, size=128):
    """Depth, grey picture, camera and true up of a room whose walls have painted stripes from floor to ceiling."""
    camera, up = Camera.from_fov(size, size, fov_x_deg=62), up_of(pitch, roll)
    fine = camera.resized(4 * size, 4 * size)

    def seen(view):
        x, y, z = np.moveaxis(view.rays() @ gravity_rotation(up).T, -1, 0)
        with np.errstate(divide="ignore"):
            planes = np.stack([1.4 / y, -1.1 / y, 2.2 / x, -1.9 / x, 3.5 / z])
        planes = np.where(planes > 0, planes, np.inf)
        depth = planes.min(axis=0)
        return depth, planes.argmin(axis=0), x * depth, z * depth

    depth = seen(camera)[0]
    _, surface, x, z = seen(fine)
    along = np.where(surface == 4, x, z)
    grey = np.where(surface >= 2, 90 + 60 * (np.floor(along / 0.5) % 2), np.where(surface == 0, 60, 200))
    return depth, grey.reshape(size, 4, size, 4).mean(axis=(1, 3)), camera, up


def bent(depth, camera, degrees):
    """Depth as a teacher gives it who believes that the camera is pitched by so many degrees more."""
    lean = np.tan(np.radians(degrees))
    return depth / (1.0 - lean * camera.rays()[..., 1])


@pytest.mark.parametrize(("pitch", "roll"), [(8, 0), (14, 2), (20, -3)])
@pytest.mark.parametrize("wrong", [-4.0, 4.0])
def test_upright_edges_find_up_from_a_wrong_start(pitch, roll, wrong):
    _, grey, camera, up = room(pitch, roll)
    start = up_of(pitch + wrong, roll + wrong / 4)
    found, sigma = with_uprights(start, 4.0, steep_edges(grey), camera)
    assert angle(start, up) > 3.9
    assert angle(found, up) < 0.6 * angle(start, up) and sigma < 2.0


def test_bent_depth_is_mended_by_edges_and_exact_depth_is_left_alone():
    depth, grey, camera, up = room(12, 1)
    edges = steep_edges(grey)
    exact = normals_from_depth(depth, camera)
    rng = np.random.default_rng(0)
    waves = sum(
        rng.normal()
        * np.sin(k * np.linspace(0, np.pi, 128) + rng.uniform(0, 6))[:, None]
        * np.cos(k * np.linspace(0, np.pi, 128))[None]
        for k in range(1, 6)
    )
    wrong = normals_from_depth(bent(depth, camera, 5.0) * np.exp(0.02 * waves), camera)
    without = up_from_normals(wrong)
    mended = up_from_normals(wrong, edges=edges, camera=camera)
    assert angle(mended.vector, up) < 0.6 * angle(without.vector, up)
    assert mended.confidence > without.confidence
    left = up_from_normals(exact, edges=edges, camera=camera)
    assert angle(left.vector, up) < 0.2 and left.confidence > 0.95


def test_without_edges_nothing_changes():
    flat = steep_edges(np.full((64, 64), 128.0))
    assert len(flat.weight) == 0
    up = up_of(10, 1)
    found, sigma = with_uprights(up, 2.0, flat, Camera.from_fov(64, 64, fov_x_deg=60))
    assert found == pytest.approx(up) and 0 < sigma <= 2.0


def test_stray_edges_hardly_move_up():
    rng = np.random.default_rng(0)
    turn = rng.uniform(-0.6, 0.6, 600)
    place = rng.uniform(0, 128, (600, 2)).astype(np.float32)
    across = np.stack([np.cos(turn), np.sin(turn)], axis=1).astype(np.float32)
    edges = Edges(place, across, np.ones(600, np.float32), 128, 128)
    found, _ = with_uprights(up_of(12, 0), 2.0, edges, Camera.from_fov(128, 128, fov_x_deg=60))
    assert angle(found, up_of(12, 0)) < 1.5


def test_the_edge_of_a_slanted_half_plane_is_across_it():
    y, x = np.mgrid[:256, :256] / 4.0 - 31.875
    grey = np.where(np.cos(0.2) * x + np.sin(0.2) * y > 0, 180.0, 60.0).reshape(64, 4, 64, 4).mean(axis=(1, 3))
    edges = steep_edges(grey)
    assert len(edges.weight) > 30
    turn = np.degrees(np.arctan2(edges.across[:, 1], edges.across[:, 0]))
    assert np.median(turn) == pytest.approx(np.degrees(0.2), abs=1.0)
    assert len(steep_edges(grey.T).weight) == 0  # near the rows: none of ours


def test_pictures_are_of_one_channel():
    with pytest.raises(ValueError, match="grey"):
        steep_edges(np.zeros((64, 64, 3)))
    assert len(steep_edges(np.zeros((8, 8))).weight) == 0

"""Normals and up are filled in where depth and camera determine them, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest

from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo, Up
from pseudogd.teachers.complete import complete

CAMERA = Camera.from_fov(96, 72, 65)
TEACHER = TeacherInfo("room", "", "", "none")


def room(pitch_deg=20.0, height=1.5, far=4.0):
    """Depth of a floor and a far wall, seen by a camera that looks down by `pitch_deg`; and the true up."""
    pitch = np.radians(pitch_deg)
    up = np.array([0.0, -np.cos(pitch), -np.sin(pitch)])
    forward = np.array([0.0, -np.sin(pitch), np.cos(pitch)])  # horizontal, towards the wall
    rays = CAMERA.rays()
    down, ahead = rays @ -up, rays @ forward
    with np.errstate(divide="ignore"):
        floor = np.where(down > 0, height / down, np.inf)
        wall = np.where(ahead > 0, far / ahead, np.inf)
    return Geometry(np.minimum(floor, wall).astype(np.float32), CAMERA, scale=Scale.METRIC, teacher=TEACHER), up


@pytest.mark.parametrize("pitch", [5.0, 20.0, 35.0])
def test_a_room_gets_its_normals_and_its_up(pitch):
    geometry, up = room(pitch)
    found = complete(geometry)
    assert np.degrees(np.arccos(found.up.vector @ up)) < 1.0
    bottom = found.normals[-5, 48]
    assert bottom @ up == pytest.approx(1, abs=1e-3)  # the floor faces up
    assert np.nanmax(np.einsum("hwc,hwc->hw", found.normals, CAMERA.rays())) < 0


def test_the_factor_of_depth_does_not_matter():
    geometry, _ = room()
    scaled = replace(geometry, depth=geometry.depth * 7, scale=Scale.UP_TO_SCALE)
    assert complete(scaled).up.vector == pytest.approx(complete(geometry).up.vector, abs=2e-3)


def test_what_cannot_be_known_stays_unknown():
    geometry, _ = room()
    for unknown in (
        replace(geometry, camera=None),
        replace(geometry, scale=Scale.AFFINE_DISPARITY),
        replace(geometry, depth=np.full((1, 1), 2.0, np.float32)),
        replace(geometry, depth=np.full((8, 8), np.nan, np.float32)),
    ):
        found = complete(unknown)
        assert found.normals is None and found.up is None


def test_what_the_teacher_said_is_kept():
    geometry, _ = room()
    said = Up([1.0, 0.0, 0.0], 0.4)
    normals = np.zeros((72, 96, 3), np.float32) + np.array([0, 0, -1], np.float32)
    found = complete(replace(geometry, up=said, normals=normals))
    assert found.up is said and (found.normals == normals).all()

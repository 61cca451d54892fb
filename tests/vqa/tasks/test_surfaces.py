"""Marked surfaces: tilts and angles in closed form, and what must not be asked."""

import math
from dataclasses import replace

import numpy as np
import pytest
from helpers.golden import TEACHER, golden

from pseudogd.geometry.camera import Camera
from pseudogd.geometry.normals import normals_from_depth
from pseudogd.geometry.types import Geometry, Scale, Up
from pseudogd.vqa.build import build_scene
from pseudogd.vqa.guards import Margins
from pseudogd.vqa.selftest.oracles.planes import YARD
from pseudogd.vqa.selftest.run import facts_in
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.synth import task_facts
from pseudogd.vqa.tasks._surfaces import build_surfaces, normals_at
from pseudogd.vqa.tasks.faces_camera import slants

TASKS = ("planes", "slope", "faces_camera")
SIDE = 96


def plane_scene(tilt_deg: float, noise: float = 0.0):
    """One plane through (0, 0, 3) that rises by ``tilt_deg`` away from a level camera."""
    camera = Camera.from_fov(SIDE, SIDE, fov_x_deg=60)
    tilt = math.radians(tilt_deg)
    normal = np.array([0.0, -math.cos(tilt), -math.sin(tilt)])
    with np.errstate(divide="ignore"):
        depth = (normal @ [0, 0, 3.0]) / (camera.rays() @ normal)
    depth[(depth <= 0) | (depth > 50)] = np.nan
    depth *= np.exp(np.random.default_rng(0).normal(0, noise, depth.shape))
    depth = depth.astype(np.float32)
    up = Up(np.array([0.0, -1.0, 0.0]), 1.0)
    normals = normals_from_depth(depth, camera)
    return build_scene(Geometry(depth, camera, normals=normals, up=up, scale=Scale.METRIC, teacher=TEACHER), [])


@pytest.mark.parametrize(
    ("tilt", "said"), [(30, None), (45, "sloped"), (40, "sloped"), (60, None), (75, None), (86, "vertical")]
)
def test_a_plane_has_its_tilt(tilt, said):
    facts = [fact for fact in facts_in(plane_scene(tilt), "slope", [0]) if fact.form == "slope.at"]
    assert {fact.answer for fact in facts} == ({said} if said else set())
    for fact in facts:
        assert fact.value == pytest.approx(tilt, abs=1.0)


def test_one_plane_is_not_two_surfaces():
    assert not [fact for fact in facts_in(plane_scene(45), "planes", [0]) if fact.form == "planes.pair"]


def test_one_plane_does_not_face_the_camera_more_than_itself():
    scene = plane_scene(86)
    surfaces = build_surfaces(scene, Margins())
    angle = slants(surfaces.normal, surfaces.marks.points)
    assert np.ptp(angle) > 2 * Margins().surface
    assert not facts_in(scene, "faces_camera", [0])


def test_the_surface_that_faces_the_camera_is_parallel_to_no_other_one():
    scene = golden(YARD, eye=1.6, pitch_deg=15.0)
    facts = facts_in(scene, "faces_camera", range(3))
    assert {fact.form for fact in facts} == {"faces_camera.most", "faces_camera.least"}
    for fact in facts:
        first, *others = normals_at(scene, fact)[1]
        assert max(float(first @ other) for other in others) < math.cos(Margins().surface)


def test_a_rough_surface_has_no_direction():
    scene = plane_scene(45, noise=0.05)
    assert build_surfaces(scene, Margins()) is None
    assert not any(facts_in(scene, task, [0]) for task in TASKS)


@pytest.mark.parametrize("task", TASKS)
def test_nothing_without_normals_or_camera(task):
    for changes in ({"normals": False}, {"with_camera": False}, {"scale": Scale.AFFINE_DISPARITY}):
        assert not facts_in(golden(YARD, eye=1.6, pitch_deg=15.0, **changes), task, [0])


def test_slope_needs_gravity_and_planes_do_not():
    scene = golden(YARD, eye=1.6, pitch_deg=15.0, up_confidence=0.1)
    assert not facts_in(scene, "slope", [0])
    assert facts_in(scene, "planes", [0]) and facts_in(scene, "faces_camera", [0])


@pytest.mark.parametrize("task", ["planes", "slope"])
def test_less_sure_normals_never_ask_more(task):
    scene = golden(YARD, eye=1.6, pitch_deg=15.0)
    counts = []
    for degrees in (2, 8, 20):
        margins = replace(Margins(), normal_sigma=math.radians(degrees))
        counts.append(len(list(task_facts(scene, task, SynthSettings(margins=margins)))))
    assert counts[0] >= counts[1] >= counts[2] == 0 and counts[0] > 0


def test_a_rounded_corner_is_no_slope():
    """Depth smoothed across the foot of a wall has points that lie at 45 degrees; they are not asked about."""
    from scipy.ndimage import gaussian_filter

    sharp = golden([], eye=1.4, pitch_deg=15.0, far=4.0)
    camera = sharp.geometry.camera
    depth = np.exp(gaussian_filter(np.log(sharp.geometry.depth), 4.0)).astype(np.float32)
    normals = normals_from_depth(depth, camera)
    geometry = Geometry(depth, camera, normals=normals, up=sharp.geometry.up, scale=Scale.METRIC, teacher=TEACHER)
    scene = build_scene(geometry, [])
    tilt = np.degrees(np.arccos(np.clip(np.abs(scene.normals[..., 1]), 0, 1)))
    assert ((tilt > 35) & (tilt < 55)).any()
    answers = {fact.answer for fact in facts_in(scene, "slope", [0, 1]) if fact.form == "slope.at"}
    assert answers == {"level", "vertical"}


def test_normals_are_those_of_the_kept_pixels():
    """The depth map is thinned; its normals are thinned alike and turned into the scene's frame."""
    scene = golden(YARD, eye=1.6, pitch_deg=15.0, roll_deg=4.0)
    thin = build_scene(scene.geometry, [], settings=replace(scene.settings, max_side=50))
    assert thin.normals.shape == (50, 50, 3)
    floor = thin.normals[-3:].reshape(-1, 3)
    assert np.nanmedian(floor[:, 1]) == pytest.approx(-1, abs=1e-2)
    rows = ((np.arange(50) + 0.5) * 192 / 50).astype(int)
    seen = scene.normals[np.ix_(rows, rows)]
    assert np.array_equal(np.isnan(seen), np.isnan(thin.normals))
    assert np.allclose(np.nan_to_num(seen), np.nan_to_num(thin.normals), atol=1e-6)

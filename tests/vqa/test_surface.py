"""Which pixels show the thing itself, and that nearest parts are measured to them."""

import numpy as np
import pytest
from helpers.golden import SURE, TEACHER, Block, golden
from scipy.ndimage import binary_dilation

from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Geometry, Scale
from pseudogd.objects.masks import box_of, encode
from pseudogd.vqa.build import build_scene
from pseudogd.vqa.outlines import depth_edges
from pseudogd.vqa.perturb import refocused, scaled, shrunk
from pseudogd.vqa.surface import nearest, outline_first, own_pixels, scattered

SIDE = 120
CAMERA = Camera.from_fov(SIDE, SIDE, 60)


def own(mask, depth, loose=1, span=0.2):
    return own_pixels(mask, depth, np.isfinite(depth) & ~depth_edges(depth, 0.08), 0.08, loose, span)


def thing_of(mask, depth):
    row = {"object_id": "1", "name": "red box", "category": "box", "bbox": box_of(mask), "rle": encode(mask)}
    return build_scene(Geometry(depth, CAMERA, scale=Scale.METRIC, teacher=TEACHER), [row], settings=SURE).objects[0]


def card(wall=5.0):
    mask = np.zeros((SIDE, SIDE), bool)
    mask[40:80, 30:90] = True
    return mask, np.where(mask, 2.0, wall).astype(np.float32)


def test_the_edge_of_a_thing_is_its_own_and_what_is_seen_past_it_is_not():
    mask, depth = card()
    assert (own(mask, depth) == mask).all()
    loose = binary_dilation(mask, iterations=2)
    assert (own(loose, depth, loose=2) == mask).all()


def test_a_wall_seen_through_a_thing_does_not_count_but_a_thing_that_reaches_far_back_does():
    mask, depth = card()
    depth[50:70, 45:60] = 5.0
    assert not own(mask, depth)[50:70, 45:60].any()
    deep = np.where(mask, np.geomspace(2.0, 4.5, SIDE)[:, None], 9.0).astype(np.float32)
    assert (own(mask, deep) == mask).all()


def test_a_pole_has_nothing_but_edges_and_yet_counts():
    mask = np.zeros((SIDE, SIDE), bool)
    mask[20:40, 40:80] = True
    mask[40:110, 60] = True
    depth = np.where(mask, 2.0, 5.0).astype(np.float32)
    assert (own(mask, depth) == mask).all()
    depth[40:110, 60] = 5.0  # a teacher that gives it the depth of the wall
    assert not own(mask, depth)[45:110, 60].any()


def test_unknown_depth_is_nobodys():
    mask, depth = card()
    depth[45:50, 40:50] = np.nan
    found = own(mask, depth)
    assert not found[45:50, 40:50].any() and found.sum() == mask.sum() - 50
    assert not own(mask, np.full_like(depth, np.nan)).any()


def test_nearest_is_the_nearest_and_an_even_choice_keeps_the_ends():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(7, 3)), rng.normal(size=(50, 3))
    assert nearest(a, b) == pytest.approx(np.linalg.norm(a[:, None] - b, axis=-1).min(axis=1))
    assert scattered(5, 9).tolist() == [0, 1, 2, 3, 4]
    chosen = scattered(1000, 100)
    assert (np.diff(chosen) > 0).all() and chosen[0] < 10 and chosen[-1] >= 990


def test_of_many_pixels_the_outline_is_kept():
    mask, _ = card()
    chosen = outline_first(mask, outline=400, inner=10)
    kept = {tuple(pixel) for pixel in chosen.tolist()}
    assert len(chosen) == 2 * (40 + 60) - 4 + 10
    assert {(40, 30), (40, 89), (79, 30), (79, 89)} <= kept


@pytest.mark.parametrize("wide", [1.0, 2.0])
def test_the_distance_to_a_table_is_that_to_its_edge(wide):
    """66 points of its inside were up to 40 cm off."""
    mask, depth = card()
    thing = thing_of(mask, depth)
    points = np.array([[-1.2 * wide, 0.0, 2.0], [1.2 * wide, 0.3, 2.0], [0.0, 0.0, 1.0], [0.0, -2.0, 2.0]])
    ys, xs = np.nonzero(mask)
    every = CAMERA.unproject(depth)[ys, xs]
    truth = np.linalg.norm(points[:, None] - every, axis=-1).min(axis=1)
    assert nearest(points, thing.surface) == pytest.approx(truth, abs=0.015)
    assert nearest(points, thing.skin) == pytest.approx(truth, abs=0.06)


def test_gaps_run_from_edge_to_edge():
    left, right = Block("red box", -0.9, 3.0, 0.8, 0.6, 0.4), Block("blue box", 0.7, 3.0, 0.8, 0.6, 0.4)
    scene = golden([left, right], side=320)
    assert scene.gap(0, 1) == pytest.approx(0.8, abs=0.03)


def test_in_other_geometry_it_moves_with_the_thing():
    scene = golden([Block("red box", 0.2, 2.6, 0.7, 0.9, 0.3)])
    thing = scene.objects[0]
    assert scaled(scene, 2.0).objects[0].surface == pytest.approx(2 * thing.surface)
    assert refocused(scene, 1.25).objects[0].surface[:, :1] == pytest.approx(thing.surface[:, :1] / 1.25, abs=1e-9)
    low, high = (np.ptp(s.objects[0].surface, axis=0) for s in (shrunk(scene, 2), scene))
    assert (low <= high + 1e-9).all() and low[0] < high[0]

"""What is measured of a box in front of a wall, in closed form: smeared edges and loose masks do not move it."""

import numpy as np
import pytest
from helpers.golden import SURE, TEACHER, Block, cast
from scipy.ndimage import binary_dilation, binary_erosion, uniform_filter

from pseudogd.errors import InputError
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.gravity import gravity_rotation
from pseudogd.geometry.types import Geometry, Scale, Up
from pseudogd.objects.masks import box_of, encode
from pseudogd.vqa.build import build_scene
from pseudogd.vqa.outlines import depth_edges, eroded
from pseudogd.vqa.scene import Q02, Q05, Q50, Q98, counted_quantiles, median, quantiles

SIDE, NEAR, FAR = 160, 2.0, 6.0
PLACE = (slice(50, 110), slice(60, 120))
CAMERA = Camera.from_fov(SIDE, SIDE, 70)


def row(mask, name="red box", **extra):
    return {"object_id": "1", "name": name, "category": name.split()[-1], "bbox": box_of(mask), "rle": encode(mask),
            "score": 1.0, "source": "t", "attributes": {}, **extra}  # fmt: skip


def card():
    mask = np.zeros((SIDE, SIDE), bool)
    mask[PLACE] = True
    return mask, np.where(mask, NEAR, FAR).astype(np.float32)


def measured(depth, mask, up=None, **extra):
    geometry = Geometry(depth, CAMERA, up=up, scale=Scale.METRIC, teacher=TEACHER)
    return build_scene(geometry, [row(mask, **extra)], settings=SURE).objects[0]


@pytest.mark.parametrize("smear", [1, 3, 5, 7])
@pytest.mark.parametrize("grown", [-3, 0, 3])
def test_the_depth_of_a_card_stays_right_whatever_the_edge(smear, grown):
    mask, depth = card()
    blurred = uniform_filter(depth, smear, mode="nearest")  # pixels between near and far: they lie nowhere
    loose = binary_dilation(mask, iterations=grown) if grown > 0 else mask
    loose = binary_erosion(mask, iterations=-grown) if grown < 0 else loose
    thing = measured(blurred, loose)
    assert thing.z[Q50] == pytest.approx(NEAR, rel=1e-6)
    assert thing.z[[Q02, Q05]] == pytest.approx([NEAR, NEAR], rel=1e-3)
    assert thing.z[Q98] <= NEAR * 1.05


def test_without_these_steps_the_smeared_edge_would_be_seen():
    mask, depth = card()
    blurred = uniform_filter(depth, 7, mode="nearest")
    assert np.quantile(blurred[mask], 0.98) > 1.4 * NEAR


def test_depth_edges_are_both_pixels_of_a_jump_and_nothing_else():
    _, depth = card()
    jumps = depth_edges(depth, 0.08)
    ys, xs = np.nonzero(jumps)
    assert set(ys[(xs > 70) & (xs < 110)]) == {49, 50, 109, 110}
    ramp = np.geomspace(1.0, 4.0, 100, dtype=np.float32)[None].repeat(3, 0)  # 1.4 % a pixel: a slope, no edge
    assert not depth_edges(ramp, 0.08).any()


def test_erosion_takes_one_pixel_all_round_but_not_at_the_border():
    mask = np.zeros((10, 10), bool)
    mask[0:5, 2:8] = True
    assert np.argwhere(eroded(mask)).min(0).tolist() == [0, 3]
    assert np.argwhere(eroded(mask)).max(0).tolist() == [3, 6]


def test_a_thing_of_few_pixels_is_not_eroded_away():
    depth = np.full((SIDE, SIDE), FAR, np.float32)
    mask = np.zeros((SIDE, SIDE), bool)
    mask[80:83, 20:140] = True  # a pole of three pixels
    depth[mask] = NEAR
    assert measured(depth, mask).z[Q50] == pytest.approx(NEAR)


def test_size_is_that_of_the_card():
    mask, depth = card()
    up = Up(np.array([0.0, -1.0, 0.0]), 1.0)
    thing = measured(uniform_filter(depth, 3, mode="nearest"), mask, up)
    size = 60 * NEAR / CAMERA.fx
    assert thing.tall == pytest.approx(size, rel=0.03) and thing.wide == pytest.approx(size, rel=0.03)


@pytest.mark.parametrize("rows", [32, 64, 61])
def test_the_width_of_a_card_does_not_depend_on_how_its_pixels_fall_into_step(rows):
    up = Up((0.0, -1.0, 0.0), 1.0)
    for columns in range(24, 72, 4):  # 64 rows of 32 pixels thinned to 512: each fourth would be of one column in four
        mask = np.zeros((SIDE, SIDE), bool)
        mask[40 : 40 + rows, 44 : 44 + columns] = True
        thing = measured(np.where(mask, NEAR, FAR).astype(np.float32), mask, up=up)
        assert thing.wide == pytest.approx(columns * NEAR / CAMERA.fx, rel=0.045)


def test_truncated_occluded_and_cut():
    mask, depth = card()
    assert not measured(depth, mask).truncated and measured(depth, mask).occluded == 0
    edge = np.zeros_like(mask)
    edge[50:110, :60] = True
    assert measured(np.where(edge, NEAR, FAR).astype(np.float32), edge).truncated
    post = np.zeros_like(mask)
    post[:, 110:125] = True  # in front of the right side
    hidden = measured(np.where(post, 1.0, depth).astype(np.float32), mask & ~post)
    assert hidden.occluded == pytest.approx(60 / (2 * 60 + 2 * 50), abs=0.02) and hidden.cut
    behind = measured(np.where(post & ~mask, 4.0, depth).astype(np.float32), mask)
    assert behind.occluded == 0 and not behind.cut


@pytest.mark.parametrize("pitch", [0.0, 12.0])
def test_a_stated_front_is_turned_into_the_scenes_frame(pitch):
    block = Block("red chair", 0.2, 3.0, 0.6, 0.9)
    camera, up, depth, index = cast([block], pitch_deg=pitch, side=SIDE)
    geometry = Geometry(depth, camera, up=Up(up, 1.0), scale=Scale.METRIC, teacher=TEACHER)
    world = np.array([0.6, 0.0, -0.8])  # level: to the right and towards the camera
    stated = (gravity_rotation(up).T @ world * 3.0).tolist()
    one = build_scene(geometry, [row(index == 0, "red chair", front=stated, front_confidence=0.7)]).objects[0]
    assert one.front == pytest.approx(world, abs=1e-6) and one.front_confidence == 0.7
    plain = build_scene(geometry, [row(index == 0, "red chair", front=stated)]).objects[0]
    assert plain.front_confidence == 1.0
    none = build_scene(geometry, [row(index == 0, "red chair")]).objects[0]
    assert none.front is None and none.front_confidence is None
    for bad in ([0, 0, 0], [1, 2], [float("nan"), 0, 1]):
        with pytest.raises(InputError, match="red chair: front"):
            build_scene(geometry, [row(index == 0, "red chair", front=bad)])


@pytest.mark.parametrize("count", [1, 2, 7, 60, 61])
def test_quick_medians_and_quantiles_are_those_of_numpy(count):
    values = np.random.default_rng(count).normal(size=(count, 3))
    assert np.array_equal(median(values), np.median(values, axis=0))
    assert median(values[:, 0].astype(np.float32)) == np.median(values[:, 0].astype(np.float32))
    whole = np.random.default_rng(count).integers(0, 9, count)
    assert np.array_equal(counted_quantiles(np.bincount(whole)), quantiles(whole.astype(float)))


def test_gaps_of_all_are_those_of_each_pair():
    mask, depth = card()
    other = np.zeros_like(mask)
    other[10:40, 20:24] = True
    depth = np.where(other, 3.0, depth).astype(np.float32)
    geometry = Geometry(depth, CAMERA, up=Up([0, -1, 0], 1.0), scale=Scale.METRIC, teacher=TEACHER)
    rows = [row(mask), row(other, "blue pole", object_id="2")]
    scene, again = (build_scene(geometry, rows, size=(SIDE, SIDE)) for _ in range(2))
    assert scene.gaps[0, 1] == scene.gaps[1, 0] == pytest.approx(again.gap(0, 1), rel=1e-9)
    assert scene.gaps[0, 0] == scene.gaps[1, 1] == 0

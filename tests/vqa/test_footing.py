"""Depth against the floor on which a foot is seen, in closed form, and what is not asked of things that differ."""

import math
from dataclasses import replace

import numpy as np
import pytest
from helpers.golden import SURE, TEACHER, Block, cast, golden, rows_of

from pseudogd.geometry.ground import Plane
from pseudogd.geometry.types import Geometry, Scale, Up
from pseudogd.vqa.build import build_scene
from pseudogd.vqa.footing import BEHIND, SLACK, disagreement, floor_distance
from pseudogd.vqa.guards import Margins
from pseudogd.vqa.scene import SceneSettings
from pseudogd.vqa.tasks._plan import placed
from pseudogd.vqa.tasks.cannot_tell import _upright
from pseudogd.vqa.tasks.hypothetical import far_enough

BOX = Block("red box", 0.0, 4.0, 0.6, 0.9)
FLOOR = Plane(np.array([0.0, -1.0, 0.0]), 1.2, 1.0)
PIXEL = 0.005
"""What the lowest pixel of 960 may reach too low moves a foot that is 4 m away by half a percent."""
DOUBTING = replace(SURE, foot_doubt=1.5)


def painted(blocks, depth_of, settings=SURE, **view):
    """A scene whose first block has the depth ``depth_of(rows, columns, true depth of its pixels)``."""
    camera, up, depth, index = cast(blocks, **view)
    rows, columns = np.nonzero(index == 0)
    depth = depth.copy()
    depth[rows, columns] = depth_of(rows, columns, depth[rows, columns])
    geometry = Geometry(depth, camera, up=Up(up, 1.0), scale=Scale.METRIC, teacher=TEACHER)
    return build_scene(geometry, rows_of(blocks, index), settings=settings)


@pytest.mark.parametrize("degrees", [5.0, 20.0, 45.0, 80.0])
@pytest.mark.parametrize("bearing", [0.0, 0.7, 2.5])
def test_where_a_ray_meets_the_floor(degrees, bearing):
    down = math.radians(degrees)
    ray = np.array([math.sin(bearing) * math.cos(down), math.sin(down), math.cos(bearing) * math.cos(down)])
    assert floor_distance(3.0 * ray, FLOOR) == pytest.approx(1.2 / math.tan(down))
    assert floor_distance(ray * [1, -1, 1], FLOOR) == floor_distance(ray * [1, 0, 1], FLOOR) == math.inf


def test_how_much_place_and_foot_may_differ():
    within = 4.0 * math.exp(-SLACK), (4.0 + BEHIND * 0.5) * math.exp(SLACK)
    for place in np.linspace(*within, 7):
        assert disagreement(float(place), 4.0, 0.5, True) == pytest.approx(0.0, abs=1e-12)
    assert disagreement(within[1] * 1.2, 4.0, 0.5, True) == pytest.approx(math.log(1.2))
    assert disagreement(within[0] / 1.2, 4.0, 0.5, True) == pytest.approx(math.log(1.2))
    assert disagreement(2.0, 4.0, 0.5, False) == 0.0  # it stands on something, and the floor is seen behind it
    assert disagreement(2.0, math.inf, 0.5, True) == disagreement(2.0, 0.0, 0.5, True) == 0.0


@pytest.mark.parametrize(("factor", "off"), [(1.0, 0.0), (0.95, 0.0), (0.93, math.log(1 / 0.93) - SLACK)])
def test_what_stands_too_near_is_as_doubtful_as_it_is_off(factor, off):
    box = painted([BOX], lambda _, __, z: z * factor, DOUBTING, side=960).objects[0]
    assert box.sigma == pytest.approx(math.hypot(SURE.depth_sigma, 1.5 * off), abs=1.5 * PIXEL)


@pytest.mark.parametrize("doubt", [1.5, 3.0, 0.0])
def test_what_stands_too_far_too(doubt):
    settings = replace(SURE, foot_doubt=doubt, sunk=1.0)
    box = painted([BOX], lambda _, __, z: 1.3 * z, settings, side=960).objects[0]
    off = math.log(1.3 * 3.99 / (3.99 + BEHIND * 1.3 * 0.6)) - SLACK
    assert off > 0.1 and box.sigma == pytest.approx(math.hypot(SURE.depth_sigma, doubt * off), abs=doubt * PIXEL)


def test_true_depth_is_not_doubted():
    blocks = [BOX, Block("blue box", 1.3, 3.0, 0.8, 0.5, depth=0.6), Block("green box", -1.4, 5.0, 0.9, 1.8, depth=0.5)]
    for pitch in (0.0, 15.0):
        scene = golden(blocks, settings=DOUBTING, pitch_deg=pitch)
        assert [thing.sigma for thing in scene.objects] == [SURE.depth_sigma] * 3
    # What goes on below the picture has its foot there, and on a table the floor is seen behind the foot.
    near, table = Block("red bin", 0.0, 1.2, 0.5, 1.0), Block("blue table", 0.0, 3.0, 1.4, 0.7, depth=0.8)
    assert golden([near], settings=DOUBTING).objects[0].sigma == SURE.depth_sigma
    on_it = Block("red cup", 0.0, 3.0, 0.3, 0.3, base=0.7)
    assert golden([on_it, table], settings=DOUBTING).objects[0].sigma == SURE.depth_sigma


def test_what_stands_on_a_thing_and_has_the_depth_of_the_wall_is_not_placed():
    settings = replace(SURE, lifted_doubt=2.0)
    blocks = [Block("red cup", 0.0, 2.8, 0.3, 0.3, base=0.5), Block("blue table", 0.0, 2.8, 1.2, 0.5, depth=0.6)]
    view = {"eye": 1.2, "pitch_deg": 8.0, "far": 4.0, "side": 256}
    assert placed(painted(blocks, lambda _, __, z: z, settings, **view)).tolist() == [True, True]
    empty = cast([], **view)[2]
    assert placed(painted(blocks, lambda r, c, _: empty[r, c], settings, **view)).tolist() == [False, True]
    picture = replace(blocks[0], z=3.98, base=1.0)  # nothing is right below it
    assert placed(golden([picture, blocks[1]], settings=settings, **view)).tolist() == [True, True]


def test_no_direction_is_asked_between_places_of_which_either_may_be_the_farther():
    blocks = [
        Block("red box", 0.0, 4.0, 0.3, 0.5),
        Block("blue box", 0.0, 5.2, 0.3, 1.1),
        Block("green box", 2.0, 4.5, 0.3, 0.5),
    ]
    for sigma, asked in ((0.03, True), (0.08, True), (0.1, False)):  # 2 sigma hypot(4, 5.2) is above 1.2 from 0.091 on
        scene = golden(blocks, settings=SceneSettings(depth_sigma=sigma, lifted_doubt=1.0, hidden_doubt=1.0))
        far = far_enough(scene, Margins())
        assert far[0, 1, 2] == far[1, 0, 2] == far[0, 2, 1] == asked
        assert far[2, 0, 1]  # across the line of sight no error turns a line round


def test_what_lies_down_like_the_floor_is_not_looked_over():
    floor = cast([], pitch_deg=15.0)[2]
    upright = painted([BOX], lambda _, __, z: z, pitch_deg=15.0)
    lying = painted([BOX], lambda rows, columns, _: floor[rows, columns], pitch_deg=15.0)
    assert _upright(upright.objects[0], upright) and not _upright(lying.objects[0], lying)

"""Truth of the world, checked against geometry that the renderer does not use."""

import numpy as np
import pytest

from pseudogd.world.folder import render_photo, visible
from pseudogd.world.layout import HELD_OUT, SPLITS, TRAIN, make_room
from pseudogd.world.render import render
from pseudogd.world.shapes import KINDS, part_triangles, template


@pytest.fixture(scope="module")
def picture():
    return render_photo("train", 3, 0, 96)


def world_points(picture):
    points = picture.camera.unproject(picture.depth)
    return points @ picture.room.pose.rotation + picture.room.pose.position


def test_same_seed_same_picture(picture):
    again = render_photo("train", 3, 0, 96)
    assert np.array_equal(again.image, picture.image)
    assert np.array_equal(again.depth, picture.depth)
    assert not np.array_equal(render_photo("train", 3, 1, 96).image, picture.image)


def test_floor_pixels_lie_on_the_floor(picture):
    """Unprojected with the written camera, pixels of the shell lie on a wall, the floor or the ceiling."""
    p = world_points(picture)[picture.ids < 0]
    (hx, hz), h = picture.room.half, picture.room.height
    off = np.min([abs(p[:, 1]), abs(p[:, 1] + h), abs(abs(p[:, 0]) - hx), abs(abs(p[:, 2]) - hz)], axis=0)
    assert off.max() < 2e-3


def test_object_pixels_lie_in_their_box(picture):
    p = world_points(picture)
    for i in visible(picture):
        thing = picture.room.things[i]
        q = p[picture.ids == i] - (thing.x, -thing.bottom, thing.z)
        c, s = np.cos(thing.yaw), np.sin(thing.yaw)
        local = np.stack([c * q[:, 0] - s * q[:, 2], -q[:, 1], s * q[:, 0] + c * q[:, 2]], -1)
        w, height, d = thing.size
        assert (np.abs(local[:, [0, 2]]) <= np.array((w, d)) * 0.75 + 0.06).all()
        assert local[:, 1].min() > -0.02 and local[:, 1].max() < height + 0.06


def test_normals_agree_with_neighbouring_depth(picture):
    """A plane through neighbouring points has the normal that the renderer wrote, away from borders."""
    points = picture.camera.unproject(picture.depth)
    dx, dy = points[1:-1, 2:] - points[1:-1, :-2], points[2:, 1:-1] - points[:-2, 1:-1]
    fitted = np.cross(dy, dx)
    fitted /= np.linalg.norm(fitted, axis=-1, keepdims=True)
    shell = (picture.ids[1:-1, 1:-1] < 0) & (picture.ids[1:-1, 2:] < 0) & (picture.ids[2:, 1:-1] < 0)
    cosine = np.abs((fitted * picture.normals[1:-1, 1:-1]).sum(-1))[shell]
    assert np.median(cosine) > 0.999
    facing = (picture.normals * picture.camera.rays()).sum(-1)
    assert (facing <= 1e-5).all()
    assert np.allclose(np.linalg.norm(picture.normals, axis=-1), 1, atol=1e-5)


def test_up_is_against_gravity(picture):
    floor = (picture.ids < 0) & (np.abs(world_points(picture)[..., 1]) < 1e-3)
    assert floor.any()
    assert (
        (picture.normals[floor] @ picture.up) > 0.9999
    ).mean() > 0.99  # a wall pixel may lie within 1 mm of the floor


def test_camera_ranges_of_both_splits_hold_and_do_not_meet():
    for split in SPLITS.values():
        for i in range(40):
            room = make_room(np.random.default_rng([9, i]), split)
            fov = np.degrees(room.pose.fov_x)
            assert 45 <= fov <= 80 and any(a <= fov <= b for a, b in split.fov)
            assert 0.9 <= -room.pose.position[1] <= 1.8
            assert len(room.things) <= 8
            names = [t.name for t in room.things]
            assert len(set(names)) == len(names)
    assert not set(TRAIN.textures) & set(HELD_OUT.textures)
    for key in ("fov", "height", "size", "room"):
        for a, b in getattr(TRAIN, key):
            assert all(b <= c or d <= a for c, d in getattr(HELD_OUT, key))


def test_things_do_not_stand_in_each_other():
    for i in range(30):
        room = make_room(np.random.default_rng([11, i]), TRAIN)
        floor = [t for t in room.things if t.bottom == 0]
        for k, a in enumerate(floor):
            assert (np.abs(a.corners()) <= np.array(room.half) + 1e-9).all()
            for b in floor[:k]:
                gap = np.linalg.norm(a.corners().mean(0) - b.corners().mean(0))
                assert gap > (min(a.size[0], a.size[2]) + min(b.size[0], b.size[2])) / 2


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_parts_fill_the_stated_box(kind):
    rng = np.random.default_rng(0)
    w, h, d = (np.mean(r) for r in kind.size)
    if kind.name in ("ball", "cup", "vase", "lamp", "stool", "bin", "plant"):
        d = w
    if kind.name == "ball":
        w = d = h
    t = np.concatenate([part_triangles(p) for p in kind.build(w, h, d, rng)]).reshape(-1, 3)
    low, high = t.min(0), t.max(0)
    assert low[1] > -0.011 and abs(high[1] - h) < 0.13 * h + 0.03
    assert (high - low)[0] <= 1.35 * w + 0.05 and (high - low)[2] <= 1.2 * d + 0.05
    assert (high - low)[0] >= 0.6 * w and (high - low)[2] >= 0.6 * d


@pytest.mark.parametrize("kind", ["box", "ball", "cylinder", "frustum"])
def test_templates_have_unit_size(kind):
    t = template(kind).reshape(-1, 3)
    assert np.allclose(t.max(0) - t.min(0), 1, atol=0.04)


def test_light_casts_shadows():
    """The same room without its things is nowhere darker on the floor than with them, and somewhere brighter."""
    rng = np.random.default_rng([1, 3, 0])
    room = make_room(rng, TRAIN)
    full = render(room, 64, np.random.default_rng(0))
    things, room.things = room.things, []
    empty = render(room, 64, np.random.default_rng(0))
    room.things = things
    floor = (full.ids < 0) & np.isclose(full.depth, empty.depth)
    difference = empty.image.astype(int).sum(-1) - full.image.astype(int).sum(-1)
    assert (difference[floor] > 30).any()
    assert np.percentile(difference[floor], 1) > -12

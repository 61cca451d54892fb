"""The drawing vocabulary: a place is the same place in the picture and from above, and bad items give a reason."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from helpers.golden import ROOM, golden

from pseudogd.geometry.boxes import YawBox
from pseudogd.reports.drawings import PLAN
from pseudogd.reports.viewer.draw import KINDS, Canvas, NotDrawn
from pseudogd.reports.viewer.ground import plan_of


@pytest.fixture(scope="module")
def canvas():
    scene = golden(ROOM, pitch_deg=8)
    return Canvas(scene, (192, 192), plan_of(scene))


def test_a_place_on_the_ground_is_on_the_floor_and_where_the_camera_sees_it(canvas):
    scene = canvas.scene
    for x, z in ((0.0, 3.0), (-1.5, 5.0), (1.0, 2.5)):
        spot = canvas.spot([x, z], "ground")
        assert scene.ground.height(spot.space) == pytest.approx(0, abs=1e-9)
        column, row = (spot.picture - 0.5).round().astype(int)
        if 0 <= column < 192 and 0 <= row < 192 and scene.floor[row, column]:
            assert scene.points[row, column, ::2] == pytest.approx([x, z], abs=0.12)


@pytest.mark.parametrize("percent", [[50, 80], [30, 60], [70, 75]])
def test_a_pixel_lifted_into_space_projects_to_itself(canvas, percent):
    spot = canvas.spot(percent, "picture")
    assert spot.picture == pytest.approx(np.array(percent) * 1.92)
    assert canvas.in_space(spot.space).picture == pytest.approx(spot.picture, abs=1.0)


def test_the_centre_of_an_object_can_be_named_by_its_id(canvas):
    thing = canvas.scene.objects[2]
    spot = canvas.spot(thing.object_id, "ground")
    assert spot.space == pytest.approx(thing.centre)
    x, y, w, h = thing.bbox
    assert x <= spot.picture[0] <= x + w and y <= spot.picture[1] <= y + h


def test_a_line_that_begins_behind_the_camera_is_cut_on_the_line(canvas):
    item = {"kind": "segment", "in": "ground", "from": [0.5, 0.3, -1.0], "to": [0.6, 0.4, 3.0]}
    mark = canvas.item(item)
    seen = np.array(
        [canvas.in_space(np.array([0.5, 0.3, -1.0]) + t * np.array([0.1, 0.1, 4.0])).picture for t in (0.6, 0.8, 1)]
    )
    start, end = np.array(mark["p"])
    assert end == pytest.approx(seen[-1], abs=0.1)
    for place in seen[:2]:
        assert np.cross(end - start, place - start) / np.linalg.norm(end - start) == pytest.approx(0, abs=0.2)


def test_an_arrow_that_leaves_the_drawing_ends_at_its_border(canvas):
    mark = canvas.item({"kind": "arrow", "in": "ground", "from": [0, 3], "to": [40, 43]})
    start, end = (np.array(place) for place in mark["g"])
    assert start == pytest.approx(canvas.plan.place([0, 3]), abs=0.1)
    assert max(*end) == pytest.approx(PLAN, abs=0.1) or min(*end) == pytest.approx(0, abs=0.1)
    assert (end - start) / np.linalg.norm(end - start) == pytest.approx([np.sqrt(0.5), -np.sqrt(0.5)], abs=0.01)
    assert (np.array(mark["p"]) >= 0).all() and (np.array(mark["p"]) <= 192).all()
    outside = canvas.item({"kind": "segment", "in": "pixels", "from": [500, 500], "to": [600, 700]})
    assert outside["p"] == [[500, 500], [600, 700]]


def test_an_angle_keeps_its_distance_and_spans_the_two_directions(canvas):
    mark = canvas.item({"kind": "angle", "in": "ground", "at": [0, 3], "from": [1, 3], "to": [0, 5]})
    arms = np.array(mark["g"]) - canvas.plan.place([0, 3])
    assert np.ptp(np.linalg.norm(arms, axis=1)) < 0.2
    assert arms[0] / np.linalg.norm(arms[0]) == pytest.approx([1, 0], abs=0.02)
    assert arms[-1] / np.linalg.norm(arms[-1]) == pytest.approx([0, -1], abs=0.02)


@pytest.mark.parametrize("yaw", [0, 25, -40])
def test_a_box_on_the_ground_is_the_box_of_the_geometry(canvas, yaw):
    mark = canvas.item({"kind": "box", "in": "ground", "at": [0.4, 4], "size": [1.0, 2.0], "yaw": yaw})
    box = YawBox(np.array([0.4, 0.0, 4.0]), np.array([1.0, 0.5, 2.0]), math.radians(yaw))
    wanted = canvas.plan.place(box.corners)
    assert len({tuple(corner) for corner in mark["g"]}) == 4
    for corner in mark["g"]:
        assert np.linalg.norm(wanted - corner, axis=1).min() < 0.1


def test_a_box_in_the_picture_is_not_drawn_from_above(canvas):
    mark = canvas.item({"kind": "box", "in": "pixels", "at": [10, 20, 40, 60], "label": "a"})
    assert mark["p"] == [[10, 20], [40, 20], [40, 60], [10, 60]] and "g" not in mark
    assert canvas.item({"kind": "box", "at": [0, 0, 50, 100]})["p"][2] == [96, 192]  # percent


GOOD = {
    "point": {"at": [0, 3]},
    "text": {"at": [0, 3], "label": "a"},
    "box": {"at": [0, 3], "size": [1, 1]},
    "segment": {"from": [0, 3], "to": [1, 3]},
    "arrow": {"from": [0, 3], "to": "1"},
    "polygon": {"at": [[0, 3], [1, 3], [0, 4]]},
    "angle": {"at": [0, 3], "from": [1, 3], "to": [0, 4]},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_on_the_ground_is_drawn_in_both_views(canvas, kind):
    mark = canvas.item({"kind": kind, "in": "ground", "object": "0", **GOOD[kind]})
    assert mark["p"] and mark["g"] and len(mark["p"]) == len(mark["g"]) and mark["o"] == 0


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("text", "no item"),
        ({"kind": "circle", "at": [1, 2]}, "kind='circle'"),
        ({"kind": "point", "in": "sky", "at": [1, 2]}, "in='sky'"),
        ({"kind": "point", "at": [1, 2, 3]}, "no place"),
        ({"kind": "point", "at": [1, "x"]}, "no place"),
        ({"kind": "point", "at": [1, True]}, "no place"),
        ({"kind": "point", "at": [1e300, 1]}, "no place"),
        ({"kind": "point"}, "no place"),
        ({"kind": "arrow", "in": "ground", "from": "99", "to": [1, 2]}, "no object '99'"),
        ({"kind": "text", "at": [1, 2]}, "without a label"),
        ({"kind": "polygon", "at": [[1, 2], [2, 3]]}, "three corners"),
        ({"kind": "box", "in": "ground", "at": [1, 2]}, "size"),
        ({"kind": "angle", "in": "ground", "at": [0, 3], "from": [0, 3], "to": [1, 2]}, "coincide"),
    ],
)
def test_what_cannot_be_drawn_gives_a_reason_and_leaves_the_rest(canvas, item, reason):
    with pytest.raises(NotDrawn, match=reason):
        canvas.item(item)
    marks, reasons = canvas.items([item, {"kind": "point", "at": [5, 5]}])
    assert len(marks) == len(reasons) == 1


def test_without_a_camera_only_the_picture_is_drawn_on():
    scene = golden(ROOM, with_camera=False)
    canvas = Canvas(scene, (192, 192), plan_of(scene))
    assert canvas.plan is None and "g" not in canvas.item({"kind": "point", "at": [5, 5]})
    with pytest.raises(NotDrawn, match="neither"):
        canvas.item({"kind": "point", "in": "ground", "at": [0, 3]})


def test_the_items_of_the_docs_are_those_that_are_drawn(canvas):
    page = (Path(__file__).parents[3] / "docs" / "viewer.md").read_text(encoding="utf-8")
    lines = [line.strip() for line in page.splitlines() if line.strip().startswith('{"kind"')]
    items = [json.loads(line[: line.rindex("}") + 1].replace('"25"', '"1"').replace('"27"', '"2"')) for line in lines]
    assert {item["kind"] for item in items} == set(KINDS)
    marks, reasons = canvas.items(items)
    assert len(marks) == len(items) and not reasons

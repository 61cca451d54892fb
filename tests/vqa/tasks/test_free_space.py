"""Free floor: what is clear, and what is not asked."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.golden import Block, golden

from pseudogd.geometry.types import Scale
from pseudogd.vqa.guards import Margins
from pseudogd.vqa.marks import build_marks
from pseudogd.vqa.selftest.oracles.free_space import LOW
from pseudogd.vqa.selftest.run import facts_in
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.synth import task_facts
from pseudogd.vqa.tasks.free_space import free_places

VIEW = {"eye": 1.6, "pitch_deg": 20.0}


def test_free_places_are_clear_of_every_footprint():
    scene = golden(LOW, **VIEW)
    marks = build_marks(scene)
    free = free_places(scene, marks, Margins())
    assert free.sum() > 40
    places = marks.points[free]
    for block in LOW:
        across = np.maximum(np.abs(places[:, 0] - block.x) - block.width / 2, 0)
        along = np.maximum(np.abs(places[:, 2] - block.z) - block.depth / 2, 0)
        assert np.hypot(across, along).min() > 0.12
    assert np.abs(1.6 - places[:, 1]).max() < 0.04


def test_a_wider_radius_leaves_less_free():
    scene = golden(LOW, **VIEW)
    marks = build_marks(scene)
    areas = [free_places(scene, marks, replace(Margins(), free_radius=radius)).sum() for radius in (0.0, 0.2, 0.8, 9.0)]
    assert areas[0] > areas[1] > areas[2] > areas[3] == 0


def test_nothing_is_free_under_a_board():
    """A thing that hangs over the floor takes the place, though the floor under it is seen."""
    board = Block("board", 0.0, 3.2, 1.2, 0.05, 1.2, base=0.7)
    scene = golden([board], eye=1.2, pitch_deg=12.0)
    marks = build_marks(scene)
    under = marks.floor & (np.abs(marks.points[:, 0]) < 0.4) & (np.abs(marks.points[:, 2] - 2.75) < 0.1)
    assert under.any()
    assert not free_places(scene, marks, Margins())[under].any()


def test_what_geometry_cannot_carry_is_not_asked():
    for changes in ({"up_confidence": 0.1}, {"with_camera": False}, {"scale": Scale.AFFINE_DISPARITY}):
        assert not facts_in(golden(LOW, **VIEW, **changes), "free_space", [0])
    forms = {fact.form for fact in facts_in(golden(LOW, **VIEW, scale=Scale.UP_TO_SCALE), "free_space", [0])}
    assert "free_space.next" not in forms and "free_space.between" in forms


def test_it_does_not_need_normals():
    scene = golden(LOW, **VIEW, normals=False)
    assert scene.normals is None and facts_in(scene, "free_space", [0])


def test_a_thing_on_a_shelf_has_no_floor_beside_it():
    high = [replace(block, base=0.5) for block in LOW]
    assert not facts_in(golden(high, **VIEW), "free_space", [0])


def test_wrong_points_are_not_all_off_the_floor():
    for fact in facts_in(golden(LOW, **VIEW), "free_space", [0, 2]):
        floor = [point["floor"] for point in fact.evidence["points"]]
        assert floor[0] and any(floor[1:])


@pytest.mark.parametrize("radius", [0.2, 0.5])
def test_less_free_never_asks_more(radius):
    scene = golden(LOW, **VIEW)
    few = list(task_facts(scene, "free_space", SynthSettings(margins=replace(Margins(), free_radius=radius + 0.4))))
    many = list(task_facts(scene, "free_space", SynthSettings(margins=replace(Margins(), free_radius=radius))))
    assert len(few) <= len(many)


def test_wrong_points_are_on_the_free_floor_too_where_there_are_such():
    """Else "which of these is floor at all" would answer a fair question."""
    facts = facts_in(golden(LOW, eye=1.9, pitch_deg=30.0), "free_space", [1, 3])  # odd seeds are fair
    floor = [fact.evidence["points"][1]["floor"] for fact in facts]
    assert facts and 0.2 < np.mean(floor) < 0.9

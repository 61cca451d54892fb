"""Boxes, quarters, coordinates and points of the thing that meets a condition."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.golden import ROOM, golden

from pseudogd.geometry.types import Scale
from pseudogd.vqa.guards import Margins
from pseudogd.vqa.scene import SceneSettings
from pseudogd.vqa.selftest.oracles._conditions import full_of, numbers_of
from pseudogd.vqa.selftest.run import facts_in, mirrored
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.synth import task_facts
from pseudogd.vqa.tasks._conditions import to_mirror, touchable
from pseudogd.vqa.tasks.region import box_text


def box_of(mask):
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    height, width = mask.shape
    return [columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height]


def test_a_box_is_that_of_the_mask():
    scene = golden(ROOM)
    facts = [fact for fact in facts_in(scene, "region") if fact.form.startswith("region.box")]
    scales = set()
    for fact in facts:
        candidates = [entry["id"] for entry in fact.evidence["objects"] if entry["role"] != "anchor"]
        for operand, text in zip(candidates, (fact.answer, *fact.wrong)):
            full = full_of(text, fact.slots["units"])
            scales.add(full)
            told = np.array(numbers_of(text)) / full
            assert told == pytest.approx(box_of(scene.objects[scene.index(operand)].mask), abs=0.51 / full)
    assert scales == {100.0, 1000.0}


@pytest.mark.parametrize("task", ["region", "point_in"])
def test_points_lie_well_inside_what_is_seen(task):
    scene = golden(ROOM)
    seen = 0
    for fact in facts_in(scene, task):
        if task == "region" and "coordinate" not in fact.form:
            continue
        candidates = [entry["id"] for entry in fact.evidence["objects"] if entry["role"] != "anchor"]
        for operand, text in zip(candidates, (fact.answer, *fact.wrong)):
            x, y = np.array(numbers_of(text)) / full_of(text, fact.slots.get("units", ""))
            row, column = int(y * 192), int(x * 192)
            assert (scene.labels[row - 1 : row + 2, column - 1 : column + 2] == scene.index(operand)).all()
            seen += 1
    assert seen > 50


def test_a_ring_is_touched_on_its_rim():
    """The middle of a thing may not be on it."""
    scene = golden(ROOM)
    y, x = np.mgrid[:192, :192]
    away = np.hypot(y - 96, x - 96)
    labels = np.where((away > 30) & (away < 60), 0, -1).astype(np.int16)
    place = touchable(replace(scene, labels=labels), 0)
    assert place is not None
    assert 33 < np.hypot(place[0] * 1.92 - 96, place[1] * 1.92 - 96) < 57
    thin = np.where((away > 30) & (away < 31.5), 0, -1).astype(np.int16)
    assert touchable(replace(scene, labels=thin), 0) is None


@pytest.mark.parametrize("task", ["region", "point_in"])
def test_small_things_and_few_things_are_left_out(task):
    assert not facts_in(golden(ROOM[:2]), task)
    large = replace(Margins(), region_share=0.9)
    assert not list(task_facts(golden(ROOM), task, SynthSettings(margins=large)))


@pytest.mark.parametrize("task", ["region", "point_in"])
def test_only_the_order_to_the_camera_is_asked_of_an_affine_disparity(task):
    forms = {fact.form for fact in facts_in(golden(ROOM, scale=Scale.AFFINE_DISPARITY), task)}
    assert forms and all(form.endswith("camera") for form in forms)


@pytest.mark.parametrize("task", ["region", "point_in"])
def test_less_sure_never_asks_more(task):
    """Of the conditions that are asked: a larger error of depth leaves fewer winners."""
    won = []
    for sigma in (0.005, 0.08, 0.2):
        scene = golden(ROOM, settings=SceneSettings(depth_sigma=sigma))
        facts = facts_in(scene, task, range(6))
        won.append({(fact.form, fact.operands[0], frozenset(fact.operands)) for fact in facts})
    assert len(won[0]) > len(won[1]) > len(won[2])


def test_no_thing_is_right_because_of_its_place_in_the_list():
    """The names are listed in random order: the winner stands first as often as its share says."""
    first = []
    for fact in facts_in(golden(ROOM), "point_in", range(6)):
        winner = next(entry["name"] for entry in fact.evidence["objects"] if entry["role"] == "answer")
        first.append(fact.slots["list"].startswith(f"the {winner}"))
    assert len(first) > 300 and 0.2 < np.mean(first) < 0.42


def test_mirrored_texts():
    assert to_mirror("[10, 20, 30, 40]", 100) == "[70, 20, 90, 40]"
    assert to_mirror("(250, 40)", 1000) == "(750, 40)"
    assert to_mirror("(0.32, 0.70)", 1) == "(0.68, 0.70)"
    assert box_text((0.1, 0.2, 0.333, 1.0), 1000) == "[100, 200, 333, 1000]"
    for fact in facts_in(golden(ROOM), "region", [0]):
        again = mirrored(mirrored(fact)[0])[0]
        assert (again.answer, again.wrong) == (fact.answer, fact.wrong)

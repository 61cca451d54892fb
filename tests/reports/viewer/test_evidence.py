"""Evidence as drawings and tables: gazes, angles, letters; and any evidence at all is shown."""

import json
import math

import numpy as np
import pytest
from helpers.golden import ROOM, golden
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from pseudogd.reports.drawings import PLAN
from pseudogd.reports.viewer.draw import Canvas
from pseudogd.reports.viewer.evidence import lettered, marks_of
from pseudogd.reports.viewer.ground import plan_data, plan_of
from pseudogd.reports.viewer.photo import question_data
from pseudogd.reports.viewer.words import columns
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.synth import synthesise

SCENE = golden(ROOM, pitch_deg=8)
CANVAS = Canvas(SCENE, (192, 192), plan_of(SCENE))


def asked(task, count=12):
    made = synthesise(SCENE, settings=SynthSettings(tasks={task: count}), seed=3, path="golden.png")
    return [question.row() for question in made]


def bearing(start, end):
    """Direction in plan coordinates, degrees, right positive, up is 0."""
    return math.degrees(math.atan2(end[0] - start[0], start[1] - end[1]))


def test_the_arrow_looks_where_the_question_says_and_the_angle_is_its_value():
    questions = asked("hypothetical")
    assert {question["evidence"]["form"] for question in questions} == {"hypothetical.facing", "hypothetical.away"}
    for question in questions:
        marks, reasons = marks_of(question, question["evidence"], CANVAS)
        assert not reasons
        (arrow,) = (mark for mark in marks if mark["k"] == "arrow")
        stand, faced, goal = (CANVAS.plan.place(entry["centre"]) for entry in question["evidence"]["objects"])
        turn = 180 if question["evidence"]["form"].endswith("away") else 0
        assert (bearing(*arrow["g"]) - bearing(stand, faced) - turn + 180) % 360 - 180 == pytest.approx(0, abs=1.5)
        angle = (bearing(stand, goal) - bearing(*arrow["g"]) + 180) % 360 - 180
        assert angle == pytest.approx(question["value"], abs=1.5)
        arc = next(mark for mark in marks if mark["k"] == "line")
        assert arc["l"] == f"{abs(question['value']):.0f}°"
        assert sum(mark["k"] == "segment" and mark.get("t") == "help" for mark in marks) == 4


def test_a_distance_is_drawn_along_what_was_measured():
    for question in asked("distance"):
        evidence = question["evidence"]
        marks, _ = marks_of(question, evidence, CANVAS)
        (line,) = (mark for mark in marks if mark["k"] == "segment")
        level = math.dist(*line["g"]) / CANVAS.plan.unit
        assert level <= question["value"] + 0.02 and line["l"].endswith(" m")
        if evidence["form"] == "distance.camera":
            assert line["g"][0] == pytest.approx(CANVAS.plan.place([0, 0]), abs=0.1)


def test_letters_are_those_of_the_options_and_one_is_right():
    questions = [question for question in asked("localization", 30) if "points" in question["evidence"]]
    assert {question["evidence"]["format"] for question in questions} >= {"mc"}
    for question in questions:
        points = lettered(question, question["evidence"])
        assert [right for _, right, _ in points].count(True) == 1
        if question["options"]:
            assert next(letter for letter, right, _ in points if right) == question["answer"]
        data = question_data(question, CANVAS)
        assert len([mark for mark in data["marks"] if mark["k"] == "letter"]) == len(points) == len(data["points"])


def test_numbers_go_to_their_objects_and_points():
    evidence = {
        "objects": [{}, {}, {}],
        "z05": [1.0, 2.0, 3.0],
        "gaps": [0.5, 0.25],
        "z": [1, 2, 3, 4],
        "odd": [[[1]], [2]],
    }
    by_object, by_point, used = columns(evidence, 3, 4)
    assert by_object == [[["z05", "1"]], [["z05", "2"], ["gaps", "0.5"]], [["z05", "3"], ["gaps", "0.25"]]]
    assert columns({"places": [[0.5, 1], [0.25, 2]]}, 4, 0)[0] == [
        [],
        [],
        [["places", "0.5, 1"]],
        [["places", "0.25, 2"]],
    ]
    assert by_point == [[["z", "1"]], [["z", "2"]], [["z", "3"]], [["z", "4"]]] and used == {"z05", "gaps", "z"}


@pytest.mark.parametrize(
    ("evidence", "kinds"),
    [
        ({"stand": [0, 3], "facing": [1, 4]}, ["stand", "arrow"]),
        ({"stand": "1", "away": {"at": [0, 3]}}, ["stand", "arrow"]),
        ({"objects": [{"id": "0", "role": "a", "centre": [0, 0.5, 3], "front": [0, 0, -1]}]}, ["arrow"]),
        ({"segments": [[[0, 0, 3], [1, 0, 3]], {"from": [1, 2], "to": [3, 4], "in": "pixels"}]}, ["segment"] * 2),
        ({"rays": [{"from": [0, 0, 0], "to": [1, 0.3, 3], "label": "first"}]}, ["arrow"]),
        ({"target": [0.2, 3]}, ["point"]),
        (
            {"stand": "1", "facing": "2", "draw": [{"kind": "arrow", "in": "ground", "from": "1", "to": "2"}]},
            ["stand", "arrow"],
        ),
        ({"points": [[50, 60]], "draw": [{"kind": "point", "at": [50, 60]}]}, ["point", "letter"]),
        ({"points": [{"pixel": [20, 30], "right": True}, [50, 60]]}, ["letter", "letter"]),
        (
            {"objects": [{"id": "gone", "name": "lamp", "bbox": [1, 2, 3, 4], "centre": [0, 0, 3]}]},
            ["polygon", "point"],
        ),
        ({"stand": [0, 3], "facing": [0, 3]}, ["stand"]),
    ],
)
def test_evidence_of_new_tasks_is_drawn_by_its_keys(evidence, kinds):
    marks, _ = marks_of({"frame": "none"}, evidence, CANVAS)
    assert [mark["k"] for mark in marks if mark.get("t") != "help" or mark["k"] == "point"] == kinds


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.floats(-9, 9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)
KEYS = "objects points segments rays draw ends target stand facing away sectors sigma shortcut teacher form format odd"


@limits(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS.split()), JSON, max_size=6), st.none() | st.floats(-9, 9))
def test_any_evidence_makes_a_question_that_can_be_shown(evidence, value):
    row = asked_row() | {"evidence": evidence, "value": value}
    data = question_data(row, CANVAS)
    assert json.loads(json.dumps(data, allow_nan=False)) and data["stem"]


def asked_row():
    return {
        **{"question_id": "q", "task": "t", "kind": "k", "frame": "none", "text": "Where?", "answer": "there"},
        **{"options": None, "answer_index": None, "unit": None, "margin": None, "stability": None, "messages": None},
    }


def test_evidence_without_a_place_of_its_own_is_listed():
    row = asked_row() | {"evidence": {"weight": 2.5, "parts": {"a": [1, 2]}, "objects": "none"}, "value": None}
    assert question_data(row, CANVAS)["other"] == [["weight", "2.5"], ["parts", '{"a": [1, 2]}'], ["objects", "none"]]


def test_from_above_footprints_stand_around_what_was_seen():
    data = plan_data(CANVAS.plan)
    for corners, centre, dots in zip(data["boxes"], data["centres"], data["dots"]):
        low, high = np.min(corners, axis=0) - 3, np.max(corners, axis=0) + 3
        seen = np.array(dots).reshape(-1, 2)
        assert (low <= centre).all() and (centre <= high).all()
        assert ((seen >= low) & (seen <= high)).all(axis=1).mean() > 0.8
    assert data["eye"][1] == pytest.approx(max(data["eye"][1], *(c[1] for c in data["centres"])))
    assert 0 < data["bar"]["length"] <= 0.41 * PLAN and data["bar"]["text"].endswith(" m")

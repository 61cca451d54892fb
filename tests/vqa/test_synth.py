"""Questions of a photo: deterministic, within quotas, with evidence enough to do them again."""

import json
import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from helpers.golden import ROOM, SURE, TEACHER, cast, golden, rows_of
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudogd.errors import InputError
from pseudogd.geometry.types import Geometry, Scale, Up
from pseudogd.vqa.build import build_scene
from pseudogd.vqa.guards import in_turns
from pseudogd.vqa.marks import build_marks
from pseudogd.vqa.render import FORMATS
from pseudogd.vqa.scene import CannotAnswer
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.synth import synthesise
from pseudogd.vqa.tasks import TASKS, facts_of
from pseudogd.vqa.tasks._points_draw import lowest_of_four
from pseudogd.vqa.tasks.hypothetical import SECTORS, bearings, sector_index


@pytest.fixture(scope="module")
def scene():
    return golden(ROOM)


def test_tasks_are_found_by_their_files():
    assert {"direction", "distance", "hypothetical", "localization", "nearer", "size"} <= set(TASKS)
    assert not [task for task in TASKS if task.startswith("_")]
    with pytest.raises(KeyError):
        facts_of("nonsense")


def test_same_seed_same_rows_other_seed_other_rows(scene):
    rows = [q.row() for q in synthesise(scene, seed=1)]
    assert rows == [q.row() for q in synthesise(golden(ROOM), seed=1)]
    assert rows != [q.row() for q in synthesise(scene, seed=2)]


def test_one_task_does_not_depend_on_the_others(scene):
    alone = {q.text for q in synthesise(scene, ["size"], seed=3)}
    together = {q.text for q in synthesise(scene, seed=3) if q.task == "size"}
    assert alone == together and alone


def test_photos_differ_by_id_alone(scene):
    other = replace(scene, image_id="another")
    assert [q.text for q in synthesise(scene)] != [q.text for q in synthesise(other)]


def test_quotas_and_formats(scene):
    quotas = {"nearer": 1, "hypothetical": 3, "size": 0}
    plan = SynthSettings(tasks=quotas, formats={"open": 1.0})
    counts = Counter(q.task for q in synthesise(scene, settings=plan))
    assert counts == {"nearer": 1, "hypothetical": 3}
    formats = Counter()
    for seed in range(60):
        plan = SynthSettings(tasks={"hypothetical": 2.5}, formats={"mc": 0.5, "yesno": 0.5})
        formats.update(q.evidence["format"] for q in synthesise(scene, settings=plan, seed=seed))
    assert set(formats) == {"mc", "yesno"}
    assert 120 < sum(formats.values()) < 180
    assert abs(formats["mc"] - formats["yesno"]) < 0.2 * sum(formats.values())


def test_rows_are_complete_and_say_how_they_were_made(scene):
    questions = synthesise(scene, seed=7, path="a/b.png")
    assert len({q.question_id for q in questions}) == len(questions) > 10
    for q in questions:
        row = q.row()
        json.dumps(row, allow_nan=False)
        assert row["path"] == "a/b.png" and row["image_id"] == scene.image_id
        assert math.isfinite(row["value"]) and row["margin"] > 0
        evidence = row["evidence"]
        assert evidence["teacher"] == {"name": TEACHER.name, "revision": "1"}
        assert evidence["seed"] == 7 and evidence["formula"] and evidence["scale"] == "metric"
        assert evidence["format"] in FORMATS and row["text"].startswith(evidence["question"])
        assert "objects" in evidence
        user, reply = row["messages"]
        assert user["content"] == [{"type": "image"}, {"type": "text", "text": row["text"]}]
        assert reply == {"role": "assistant", "content": [{"type": "text", "text": row["answer"]}]}
        if evidence["format"] == "mc":
            assert row["answer"] == "ABCD"[row["answer_index"]]
            assert row["options"][row["answer_index"]] and len(set(row["options"])) == len(row["options"])
        else:
            assert row["options"] is None and row["answer_index"] is None
            assert 1 <= len(row["answer"].split()) <= 4
        if row["task"] == "hypothetical":
            assert row["frame"].startswith("stand:") and evidence["twin"]


def test_hypothetical_answers_are_all_used(scene):
    answers = Counter()
    for seed in range(20):
        plan = SynthSettings(tasks={"hypothetical": 8}, formats={"open": 1.0})
        answers.update(q.answer for q in synthesise(scene, settings=plan, seed=seed))
    assert set(answers) == {"left", "right", "in front", "behind"}
    assert answers["left"] == answers["right"] and answers["in front"] == answers["behind"]


def test_the_shortcut_of_the_picture_is_often_wrong(scene):
    right = Counter()
    for seed in range(60):
        for q in synthesise(scene, ["hypothetical", "localization"], SynthSettings(fair=False), seed=seed):
            # In this room all but the floor is high in the picture and far: no points speak against "lower is nearer".
            if "shortcut" in q.evidence and not q.evidence["form"].endswith("_camera"):
                right[q.task, q.evidence["shortcut"]["right"]] += 1
    for task in ("hypothetical", "localization"):
        assert right[task, False] >= 0.4 * (right[task, True] + right[task, False])
        assert right[task, False] + right[task, True] > 100


def test_where_points_speak_against_the_shortcut_a_coin_decides():
    rng = np.random.default_rng(0)
    percent = rng.integers(5, 96, (80, 2))
    score, lower = rng.random(80), -percent[:, 1]
    drawn = [lowest_of_four(score, np.full(80, 0.1), lower, percent, np.random.default_rng(k)) for k in range(400)]
    assert all(score[picks].argmin() == 0 and lead > 0.1 for picks, lead, _ in drawn)
    assert all(shortcut == (lower[picks].argmin() == 0) for picks, _, shortcut in drawn)
    assert abs(np.mean([shortcut for _, _, shortcut in drawn]) - 0.5) < 0.1


def test_sector_is_rounded_never_floored():
    for degree in range(-180, 541):
        want = min(range(4), key=lambda k: abs((degree - 90 * k + 180) % 360 - 180))
        if degree % 90 != 45:
            assert sector_index(np.radians(degree)) == want
    assert SECTORS == ("front", "right", "behind", "left")


def test_bearing_error_is_that_of_a_simulation():
    scene = golden(ROOM)
    theta, sigma = bearings(scene)
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((4000, len(scene)))
    centres = scene.centres[None] + noise[..., None] * scene.errors[None]
    x, y, z = 0, 1, 2
    line = centres[:, :, ::2]
    to_y, to_z = line[:, y] - line[:, x], line[:, z] - line[:, x]
    spread = np.arctan2(to_z[:, 0], to_z[:, 1]) - np.arctan2(to_y[:, 0], to_y[:, 1])
    spread = np.remainder(spread - theta[x, y, z] + math.pi, 2 * math.pi) - math.pi
    assert spread.std() == pytest.approx(sigma[x, y, z], rel=0.1)


def test_distance_error_is_that_of_a_simulation():
    scene = golden(ROOM)
    rng = np.random.default_rng(1)
    centres = scene.centres[None] + rng.standard_normal((4000, len(scene), 1)) * scene.errors[None]
    lengths = np.linalg.norm(centres[:, 0] - centres[:, 2], axis=-1)
    assert lengths.std() == pytest.approx(scene.distance_errors[0, 2], rel=0.1)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=30), st.integers(0, 1000))
def test_in_turns_gives_everything_once_and_rare_classes_early(classes, seed):
    order = list(in_turns(classes, np.random.default_rng(seed)))
    assert sorted(order) == list(range(len(classes)))
    kinds = len(set(classes))
    assert len({classes[i] for i in order[:kinds]}) == kinds


def test_more_doubt_never_asks_more():
    camera, up, depth, index = cast(ROOM)
    counts = []
    for sigma in (0.005, 0.05, 0.15, 0.5):
        geometry = Geometry(depth, camera, up=Up(up, 1.0), scale=Scale.METRIC, teacher=TEACHER)
        scene = build_scene(geometry, rows_of(ROOM, index), settings=replace(SURE, depth_sigma=sigma))
        plan = SynthSettings(tasks={t: 1000 for t in ("nearer", "distance", "hypothetical", "size")}, fair=False)
        counts.append(Counter(q.task for q in synthesise(scene, settings=plan)))
    for task in counts[0]:
        seen = [count[task] for count in counts]
        assert seen == sorted(seen, reverse=True) and seen[-1] < seen[0]


def test_teacher_doubt_widens_the_error():
    camera, _, depth, index = cast(ROOM)
    confidence = np.where(index == 0, 0.2, 1.0).astype(np.float32)
    geometry = Geometry(depth, camera, confidence=confidence, scale=Scale.METRIC, teacher=TEACHER)
    red, blue, *_ = build_scene(geometry, rows_of(ROOM, index), settings=SURE).objects
    assert red.sigma == pytest.approx(1.8 * SURE.depth_sigma) and blue.sigma == SURE.depth_sigma


def test_boxes_without_masks_are_asked_less():
    camera, up, depth, index = cast(ROOM)
    rows = [{**row, "rle": None} for row in rows_of(ROOM, index)]
    geometry = Geometry(depth, camera, up=Up(up, 1.0), scale=Scale.METRIC, teacher=TEACHER)
    scene = build_scene(geometry, rows, size=(depth.shape[1], depth.shape[0]), settings=SURE)
    assert all(obj.boxes_only and obj.sigma == 2 * SURE.depth_sigma for obj in scene.objects)
    tasks = Counter(q.evidence["form"] for q in synthesise(scene))
    assert tasks and not [form for form in tasks if form.startswith(("size", "distance.gap", "distance.centre"))]


def test_smaller_depth_than_the_photo_measures_the_same():
    camera, up, depth, index = cast(ROOM, side=192)
    geometry = Geometry(depth[1::2, 1::2], camera, up=Up(up, 1.0), scale=Scale.METRIC, teacher=TEACHER)
    small = build_scene(geometry, rows_of(ROOM, index), settings=SURE)
    for a, b in zip(small.objects, golden(ROOM).objects):
        assert np.linalg.norm(a.centre - b.centre) < 0.06
        assert a.tall == pytest.approx(b.tall, rel=0.12, abs=0.04)


def test_holes_sky_and_nothing_at_all():
    camera, up, depth, index = cast(ROOM)
    depth = depth.copy()
    depth[index == 1] = np.nan
    depth[:30] = np.inf
    geometry = Geometry(depth, camera, up=Up(up, 1.0), scale=Scale.METRIC, teacher=TEACHER)
    scene = build_scene(geometry, rows_of(ROOM, index), settings=SURE)
    assert scene.skipped == (("1", "too few pixels with known depth"),)
    assert "1" not in {o for q in synthesise(scene) for e in q.evidence["objects"] for o in [e["id"]]}
    empty = Geometry(np.full((20, 20), np.nan), camera, scale=Scale.METRIC, teacher=TEACHER)
    assert synthesise(build_scene(empty, rows_of(ROOM, index))) == []
    assert synthesise(build_scene(Geometry(np.ones((1, 1)), None, scale=Scale.METRIC, teacher=TEACHER), [])) == []


@pytest.mark.parametrize("factor", [0.75, 1.0, 1.25, 2.0])
def test_a_thing_with_the_depth_of_the_wall_behind_it_is_left_out(factor):
    """Farther away along its rays it would reach below the floor; nearer it might stand on something."""
    camera, up, depth, index = cast(ROOM)
    stool = next(i for i, thing in enumerate(golden(ROOM).objects) if abs(thing.ground_gap) < 0.03)
    name = golden(ROOM).objects[stool].object_id
    depth = np.where(index == int(name), factor * depth, depth)
    geometry = Geometry(depth, camera, up=Up(up, 1.0), scale=Scale.METRIC, teacher=TEACHER)
    scene = build_scene(geometry, rows_of(ROOM, index), settings=SURE)
    left_out = (name, "its depth puts it below the floor")
    assert (left_out in scene.skipped) == (factor > 1)
    assert (name in {thing.object_id for thing in scene.objects}) == (factor <= 1)
    marks = build_marks(scene)
    shown = index[tuple(marks.pixel.T)]
    assert not (factor > 1 and (shown == int(name)).any())
    for label, thing in zip(marks.label, shown):  # the others keep their labels, however many were left out before them
        assert (label < 0) == (thing < 0) and (label < 0 or scene.objects[label].object_id == str(thing))


def test_sizes_that_disagree_are_one_clear_line():
    camera, _, depth, index = cast(ROOM)
    geometry = Geometry(depth, camera, scale=Scale.METRIC, teacher=TEACHER)
    with pytest.raises(InputError, match="camera is 192 x 192, photo is 64 x 48"):
        build_scene(geometry, rows_of(ROOM, index), size=(64, 48))


def test_kinds_are_refused_in_words():
    scene = golden(ROOM, scale=Scale.UP_TO_SCALE)
    scene.require("ratio")
    with pytest.raises(CannotAnswer, match="metric question cannot be answered from up_to_scale depth"):
        scene.require("metric")
    with pytest.raises(ValueError, match="unknown kind"):
        scene.supports("volume")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"task": {}}, "nearest is 'tasks'"),
        ({"tasks": {"neerer": 1}}, "nearest is 'nearer'"),
        ({"tasks": {"nearer": -1}}, "at least 0"),
        ({"tasks": {"nearer": float("nan")}}, "at least 0"),
        ({"tasks": ["nearer"]}, "names with values"),
        ({"formats": {"mcq": 1}}, "nearest is 'mc'"),
        ({"formats": {"mc": 0}}, "above zero"),
        ({"scene": {"depth_sigm": 1}}, "nearest is 'depth_sigma'"),
        ({"margins": {"sector": "wide"}}, "sector='wide'"),
    ],
)
def test_wrong_settings_are_named_with_the_mend(values, message):
    with pytest.raises(InputError, match=message):
        SynthSettings.from_dict(values)


def test_settings_survive_a_round_trip():
    plan = SynthSettings.from_dict({"tasks": {"size": 2}, "margins": {"size_ratio": 1.5}})
    assert SynthSettings.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan

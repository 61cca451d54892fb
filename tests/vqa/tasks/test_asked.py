"""What holds for all tasks of relations and lengths: surer guards ask less, mute scenes nothing, steps survive disk."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pseudogd.geometry.types import Scale
from pseudogd.vqa.fact import restored
from pseudogd.vqa.guards import Margins
from pseudogd.vqa.render import FORMATS, formats_of, render
from pseudogd.vqa.scene import SceneSettings
from pseudogd.vqa.selftest import run
from pseudogd.vqa.selftest.oracles import rooms_of
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.synth import synthesise
from pseudogd.vqa.tasks import answer_in, facts_of, module_of

TASKS = (
    "above",
    "between",
    "camera_height",
    "counting",
    "extent",
    "ground_distance",
    "in_front",
    "occlusion",
    "ranking",
    "times",
)


@pytest.fixture(scope="module")
def scenes():
    """The first golden scene of each task."""
    return {task: rooms_of(task)[0].scene() for task in TASKS}


def asked(scene, task, margins=None):
    return list(facts_of(task)(scene, np.random.default_rng(0), margins or Margins()))


@pytest.mark.parametrize("task", TASKS)
def test_less_sure_never_asks_more(task):
    room = rooms_of(task)[0]
    counts = [
        len(asked(room.scene(settings=SceneSettings(depth_sigma=sigma, up_sigma=0.002 + sigma / 10)), task))
        for sigma in (0.005, 0.05, 0.1, 0.4)
    ]
    assert counts[0] > 0 and counts == sorted(counts, reverse=True)
    assert counts[-1] < counts[0]


@pytest.mark.parametrize("task", TASKS)
def test_wider_margins_never_ask_more(task, scenes):
    plain = Margins()
    wide = replace(plain, **{name: 2 * getattr(plain, name) for name in ("sigmas", "rank_gap", "side_gap", "plan_gap")})
    wide = replace(wide, depth_ratio=plain.depth_ratio**2, size_ratio=plain.size_ratio**2, distance_sigmas=12.0)
    assert len(asked(scenes[task], task, wide)) <= len(asked(scenes[task], task))


@pytest.mark.parametrize("task", TASKS)
def test_nothing_that_the_geometry_cannot_carry(task):
    room, needs = rooms_of(task)[0], module_of(task).NEEDS
    kinds = ("ordinal", "ratio", "bearing", "metric")
    for scale, able in ((Scale.UP_TO_SCALE, kinds[:3]), (Scale.AFFINE_DISPARITY, kinds[:1])):
        facts = asked(room.scene(scale=scale), task)
        assert {fact.kind for fact in facts} <= set(able)
        assert bool(facts) == (needs in able), scale
    assert {fact.kind for fact in asked(room.scene(with_camera=False), task)} <= {"ordinal"}
    for fact in asked(room.scene(up_confidence=None), task):
        assert fact.frame != "gravity", fact.form


@pytest.mark.parametrize("task", TASKS)
def test_an_empty_or_small_scene_is_no_trouble(task, scenes):
    scene = scenes[task]
    for count in (0, 1, 2):
        small = replace(scene, objects=scene.objects[:count], labels=np.where(scene.labels < count, scene.labels, -1))
        asked(small, task)


@pytest.mark.parametrize("task", TASKS)
def test_a_question_from_disk_has_its_steps_and_its_answer(task, scenes):
    scene = scenes[task]
    settings = SynthSettings(tasks={task: 8}, formats={"open": 1.0})
    questions = synthesise(scene, [task], settings)
    assert questions
    for question in questions:
        fact = restored(json.loads(json.dumps(question.row())), json.loads(json.dumps(question.evidence)))
        told = module_of(task).steps(fact)
        assert 2 <= len(told) <= 4
        assert all(line[0].isupper() and line.endswith(".") and "None" not in line for line in told)
        said = answer_in(scene, fact)
        assert said == pytest.approx(fact.value, rel=0.01) if fact.style == "number" else said == fact.answer


@pytest.mark.parametrize("task", TASKS)
def test_numbers_carry_their_metres_and_are_spaced(task, scenes):
    for fact in asked(scenes[task], task):
        if fact.style != "number":
            continue
        numbers = [float(text.split()[0]) for text in (fact.answer, *fact.wrong)]
        assert len(numbers) == 4 and min(numbers) > 0
        ordered = np.sort(numbers)
        assert (ordered[1:] / ordered[:-1]).min() >= fact.evidence["spacing"] - 0.01
        assert abs(numbers[0] - fact.value) <= 0.13 * fact.value + 0.05
        if fact.unit == "m":
            assert fact.amounts == pytest.approx(numbers, abs=0.001)


@pytest.mark.parametrize("task", TASKS)
def test_every_wording_can_be_filled(task, scenes):
    seen = set()
    for fact in asked(scenes[task], task):
        if fact.form in seen:
            continue
        seen.add(fact.form)
        rng = np.random.default_rng(1)
        for fmt in formats_of(fact):
            for _ in range(12):
                words = render(fact, fmt, rng)
                assert "{" not in words.text and words.answer
        assert {"mc", "open", "steps"} <= set(formats_of(fact)) <= set(FORMATS)
    assert seen


def test_there_are_at_least_eight_wordings_of_each_form():
    for task in TASKS:
        for name, form in module_of(task).FORMS.items():
            assert len(list(form.wordings())) >= 8, name


@pytest.mark.parametrize("task", ["counting"])
def test_mirrored_twice_is_the_same(task, scenes):
    for fact in run.facts_in(scenes[task], task, [0]):
        once = run.mirrored(fact)
        again = run.mirrored(once[0])
        assert again[0].form == fact.form and again[1] == fact.answer

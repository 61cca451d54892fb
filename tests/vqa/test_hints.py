"""Names that say where or how large a thing is are not asked about that."""

from dataclasses import replace

import pytest
from helpers.golden import ROOM, golden

from pseudogd.vqa.hints import names_tell, telling
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.synth import task_facts
from pseudogd.vqa.tasks import TASKS, forms

NAMES = ("left card", "tall card", "upper card", "Farthest card", "bright card", "card")


@pytest.fixture(scope="module")
def scene():
    return golden([replace(block, name=name) for block, name in zip(ROOM, NAMES)])


def facts(scene, task):
    return [fact for seed in range(6) for fact in task_facts(scene, task, SynthSettings(fair=False), seed)]


@pytest.mark.parametrize(
    ("form", "telling"),
    [
        ("direction.side", {"left card"}),
        ("direction.height", {"upper card"}),
        ("direction.quadrant", {"left card", "Farthest card"}),
        ("nearer", {"Farthest card"}),
        ("size", {"tall card"}),
    ],
)
def test_a_name_is_not_asked_what_it_says(scene, form, telling):
    plain = golden(ROOM)  # the same blocks under names that say nothing
    hidden = {block.name for block, name in zip(ROOM, NAMES) if name in telling}
    found = [fact for fact in facts(scene, form.split(".")[0]) if fact.form.startswith(form)]
    expected = [fact for fact in facts(plain, form.split(".")[0]) if fact.form.startswith(form)]
    asked = {entry["name"] for fact in found for entry in fact.evidence["objects"]}
    assert found and not asked & telling
    assert len(found) < len(expected)
    assert len(found) == sum(not hidden & {entry["name"] for entry in fact.evidence["objects"]} for fact in expected)


@pytest.mark.parametrize("task", ["distance", "hypothetical", "localization"])
def test_other_questions_keep_such_names(scene, task):
    assert len(facts(scene, task)) == len(facts(golden(ROOM), task))


def test_words_are_whole_words(scene):
    fact = next(iter(task_facts(golden(ROOM), "nearer")))
    things = [{**entry, "name": name} for entry, name in zip(fact.evidence["objects"], ("backpack", "nearby shop"))]
    assert not names_tell(replace(fact, evidence={"objects": things}))


def test_every_entry_is_of_a_form_or_task_that_exists():
    assert set(telling()) <= {*forms(), *TASKS}

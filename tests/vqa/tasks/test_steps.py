"""Steps are written from a fact's own numbers, also after it has been on disk."""

import json
import re

import pytest

from pseudogd.vqa import phrasing
from pseudogd.vqa.fact import restored
from pseudogd.vqa.selftest.oracles import rooms_of
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.synth import synthesise
from pseudogd.vqa.tasks import forms, module_of

TASKS = ("region", "point_in", "free_space", "planes", "slope", "faces_camera", "fits", "collinear", "cannot_tell")


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("scale", ["metric", "up_to_scale"])
def test_steps_of_restored_facts(task, scale):
    seen = set()
    settings = SynthSettings(tasks={task: 60.0}, formats={"mc": 0.0, "open": 0.0, "yesno": 0.0, "steps": 1.0})
    for room in rooms_of(task):
        for question in synthesise(room.scene(scale=scale), settings=settings, seed=1):
            row = json.loads(json.dumps(question.row()))
            fact = restored(row, row["evidence"])
            steps = module_of(task).steps(fact)
            seen.add(fact.form)
            assert 1 <= len(steps) <= 4
            for step in steps:
                assert step[0].isupper() and step.endswith(".") and "{" not in step and "  " not in step, step
            said = forms()[fact.form].answers.get(fact.answer, fact.answer)
            assert question.answer == "\n".join([*steps, f"Answer: {said}"])
            if scale != "metric" and fact.form != "cannot_tell.meters":
                assert not re.search(rf"\d {phrasing.METRE}\b", " ".join(steps)), steps
    wanted = {name for name, form in module_of(task).FORMS.items() if form.open}
    assert seen and seen <= wanted
    assert scale != "metric" or task == "region" or seen == wanted

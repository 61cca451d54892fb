"""Answers with their steps: every task has them, they survive the disk, and they end with the answer."""

import json
import re

import numpy as np
import pytest

from pseudogd.geometry.types import Scale
from pseudogd.vqa.fact import restored
from pseudogd.vqa.render import Words, formats_of, render
from pseudogd.vqa.selftest import run
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.synth import synthesise
from pseudogd.vqa.tasks import TASKS, module_of

SCALES = (Scale.METRIC, Scale.UP_TO_SCALE, Scale.AFFINE_DISPARITY)


@pytest.mark.parametrize("task", TASKS)
def test_steps_are_sentences_and_do_not_need_the_scene(task):
    steps = module_of(task).steps
    seen = set()
    for room in run.rooms_of(task):
        for scale in SCALES:
            scene = room.scene(scale=scale)
            for fact in run.facts_in(scene, task, [0])[:60]:
                seen.add(fact.form)
                for sentence in steps(fact):
                    assert sentence[0].isupper() or not sentence[0].isalpha(), sentence
                    assert sentence.endswith("."), sentence
                    assert "nan" not in sentence and "{" not in sentence
                    if scale is not Scale.METRIC:
                        assert not re.search(r"\d m\b", sentence), sentence
    assert seen


@pytest.mark.parametrize("units", ["m", "ft"])
def test_rendered_with_steps_now_or_from_disk(units):
    plan = SynthSettings.from_dict({"formats": {"steps": 1.0}, "units": units, "tasks": dict.fromkeys(TASKS, 2.0)})
    count = 0
    for task in ("nearer", "distance", "size", "hypothetical", "localization", "direction"):
        scene = run.rooms_of(task)[0].scene()
        for question in synthesise(scene, [task], plan):
            if question.evidence["format"] != "steps":
                continue  # facts that have only options
            count += 1
            lines = question.answer.split("\n")
            assert lines[-1].startswith("Answer: ") and len(lines) > 1
            assert units == "m" or not re.search(r"\d m\b", question.answer)
            row = {**question.row(), "evidence": json.loads(json.dumps(question.evidence))}
            fact = restored(row, row["evidence"])
            assert "steps" in formats_of(fact)
            again = render(fact, "steps", np.random.default_rng(0), Words(units=units, numbers="honest"))
            assert again.answer.split("\n")[:-1] == lines[:-1]
    assert count > 10

"""A recipe that will train passes every check; one that will not fails where it is wrong, in one line."""

import json

import pytest
from helpers.tiny import FAMILIES

import pseudogd
from pseudogd.student.load import load_student
from pseudogd.training.doctor.estimate import part_sizes
from pseudogd.training.parameters import prepare


@pytest.fixture
def doctor(recipe_of, tmp_path):
    def look(**changes):
        return pseudogd.doctor(recipe_of(**changes), out=tmp_path / "doctor", quiet=True)

    return look


def statuses(diagnosis):
    return {check.name: check.status for check in diagnosis.checks}


@pytest.mark.slow
@pytest.mark.parametrize("family", ["llava", "qwen2_5_vl", "smolvlm"])
def test_a_recipe_that_trains_passes_and_shows_what_the_student_sees(family, doctor, tmp_path, recipe_of):
    student = FAMILIES[family].save(tmp_path / "student")
    found = doctor(model__path=str(student), lora={"tower": {"r": 2}})
    assert set(statuses(found).values()) == {"pass"}, [c for c in found.checks if c.status != "pass"]
    for name in ("doctor.html", "doctor.json", "views.png"):
        assert (tmp_path / "doctor" / name).stat().st_size > 500
    told = json.loads((tmp_path / "doctor" / "doctor.json").read_text())
    assert {check["name"] for check in told["checks"]} == set(statuses(found))
    assert not (tmp_path / "run").exists()  # nothing of the run itself


@pytest.mark.slow
def test_what_is_wrong_fails_and_what_needs_it_is_not_looked_at(doctor, tmp_path):
    found = statuses(doctor(model__path=str(tmp_path / "nothing")))
    assert found["family"] == "fail" and found["parameters"] == found["step"] == "skip" and found["licence"] == "pass"
    found = statuses(doctor(data__max_length=4))
    assert found["rows"] == "fail" and found["views"] == "skip"


def test_parameters_are_counted_exactly(recipe_of, student_path):
    recipe = recipe_of(lora={"tower": {"r": 3}}, optim__lr={"tower": 1e-3, "projector": 1e-3, "llm": 0.0})
    student = load_student(student_path)
    model = prepare(student.model, student.family, recipe)
    sizes = part_sizes(model, student.family, None)
    assert sum(size.total for size in sizes.values()) == sum(p.numel() for p in model.parameters())
    assert sum(size.trained for size in sizes.values()) == sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert (sizes["tower"].how, sizes["projector"].how, sizes["llm"].how) == ("LoRA", "full", "frozen")

"""What leaves is plain: bit-equal in a process that knows transformers alone, and nothing of ours in it."""

import json

import pytest
import torch
from safetensors.torch import load_file

from pseudogd.errors import InputError, PseudoGDError
from pseudogd.student.load import load_student
from pseudogd.training.card import evaluations, model_card
from pseudogd.training.export import check_export, export, write_plain
from pseudogd.training.train import run_training


def plain_config(folder):
    """config.json without the dtype, which the library also notes in the parts of a model that it has loaded."""
    config = json.loads((folder / "config.json").read_text())
    for part in (config, config["text_config"], config["vision_config"]):
        part.pop("dtype", None)
    return config


@pytest.mark.slow
def test_a_trained_model_leaves_bit_equal_and_plain(recipe_of, student_path, tmp_path):
    recipe = recipe_of(optim__steps=2, optim__precision="bf16")
    result = run_training(recipe, quiet=True)
    assert result.max_abs_logit_diff == 0.0
    out = export(result.out, tmp_path / "exported")
    assert plain_config(out) == plain_config(student_path)
    for name in ("tokenizer.json", "chat_template.jinja", "processor_config.json", "generation_config.json"):
        assert (out / name).read_text() == (student_path / name).read_text(), name
    assert {p.name for p in out.iterdir()} == {p.name for p in student_path.iterdir()} | {"README.md"}
    with pytest.raises(InputError, match="not empty"):
        export(result.out, out)
    half = export(result.out, tmp_path / "half", "bfloat16")
    before, after = (load_file(folder / "model.safetensors") for folder in (out, half))
    assert before.keys() == after.keys() and {t.dtype for t in after.values()} == {torch.bfloat16}
    assert all(torch.equal(after[name], value.bfloat16()) for name, value in before.items())
    assert {p.name for p in half.iterdir()} == {p.name for p in out.iterdir()}
    assert check_export(half) == 0.0


@pytest.mark.slow
def test_the_check_sees_a_weight_that_differs_and_a_checkpoint_that_cannot_run(student_path, tmp_path):
    student = load_student(student_path)
    write_plain(student.model, student.processor, tmp_path / "copy", "card")
    with torch.no_grad():
        next(iter(student.model.parameters())).view(-1)[0] += 1.0
    assert check_export(tmp_path / "copy", student.model, student.processor) > 0
    (tmp_path / "copy" / "model.safetensors").unlink()
    with pytest.raises(PseudoGDError, match="plain transformers cannot run"):
        check_export(tmp_path / "copy", student.model, student.processor)


def test_a_run_that_is_not_finished_cannot_be_exported(tmp_path):
    with pytest.raises(InputError, match="no finished training run"):
        export(tmp_path, tmp_path / "out")


def test_the_card_says_what_the_model_was_made_from_and_no_path_of_this_machine(tmp_path):
    recipe = {
        "arm": "vqa_only",
        "out": str(tmp_path / "run"),
        "model": {"path": "owner/base"},
        "data": {"path": str(tmp_path / "photos"), "turns_per_row": 12},
    }
    card = model_card("owner/base", recipe, {"questions": 30}, {"teacher 1": "Apache-2.0"})
    for words in ("base_model: owner/base", "questions: 30", "teacher 1: licence Apache-2.0", "turns_per_row: 12"):
        assert words in card
    assert "`vqa_only`" in card and "without geometry distillation" in card
    local = model_card(str(tmp_path), recipe | {"model": {"path": str(tmp_path)}}, {}, {})
    assert str(tmp_path) not in card + local and "base_model" not in local and tmp_path.name in local


def test_the_card_of_an_export_has_what_evaluations_said(tmp_path):
    assert evaluations(tmp_path) == ""
    said = {"bench": "world", "accuracy": {"overall": 0.5}, "n": {"overall": 80}, "ci95": {"overall": [0.4, 0.61]}}
    for name, text in (("world", json.dumps(said)), ("broken", "{"), ("other", '{"bench": "x"}')):
        (tmp_path / "eval" / name).mkdir(parents=True)
        (tmp_path / "eval" / name / "summary.json").write_text(text)
    section = evaluations(tmp_path)
    assert "| world | overall | 80 | 50.0 | 40.0 to 61.0 |" in section and section.count("\n|") == 3

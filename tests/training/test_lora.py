"""Training of adapters: what moves, what is saved, what leaves."""

import pytest
import torch
from safetensors.torch import load_file

from pseudogd.errors import InputError
from pseudogd.store.dataset import Store
from pseudogd.training import setup
from pseudogd.training.recipe import load_recipe
from pseudogd.training.train import run_training

BOTH = {"tower": {"r": 4}, "llm": {"r": 2, "alpha": 2.0}}
RATES = {"tower": 1e-2, "projector": 0.0, "llm": 1e-2, "head": 1e-2}


def weights(folder):
    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize("arm", ["joint", "vqa_only"])
def test_adapters_learn_are_merged_and_the_export_answers_alike(arm, recipe_of, student_path):
    recipe = recipe_of(arm=arm, lora=BOTH, optim__lr=RATES)
    result = run_training(recipe, quiet=True, check=arm == "joint")  # merging knows of no arm
    assert arm != "joint" or result.max_abs_logit_diff < 1e-5
    before, after = weights(student_path), weights(result.model)
    assert before.keys() == after.keys()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    linears = {"q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert moved and all(name.endswith(".weight") and name.split(".")[-2] in linears for name in moved)
    assert any("vision_tower" in name for name in moved) and any("language_model" in name for name in moved)
    assert (result.out / "adapter" / "adapter_model.safetensors").is_file()


def test_adapters_on_their_own_load_over_the_base(recipe_of, student_path):
    from peft import PeftModel

    from pseudogd.student.load import load_student

    result = run_training(recipe_of(lora=BOTH, optim__lr=RATES), quiet=True, check=False)
    base = load_student(student_path)
    adapted = PeftModel.from_pretrained(base.model, result.out / "adapter").merge_and_unload()
    want = weights(result.model)
    for name, value in adapted.state_dict().items():
        if name in want:
            assert torch.allclose(value, want[name], atol=1e-6), name


def test_one_part_by_adapters_the_other_in_full(recipe_of, data_path):
    recipe = recipe_of(lora={"tower": {"r": 4}}, optim__lr={"tower": 1e-3, "projector": 1e-3, "llm": 0.0, "head": 1e-3})
    joint = setup.build(recipe, Store(data_path)).joint
    trained = {name for name, p in joint.named_parameters() if p.requires_grad}
    assert {n for n in trained if "vision_tower" in n} == {n for n in trained if ".lora_" in n} != set()
    assert any("multi_modal_projector" in n for n in trained)
    assert not any("language_model" in n for n in trained)


def test_adapters_start_as_the_seed_decides(recipe_of, data_path):
    def start(seed, arm="joint"):
        joint = setup.build(recipe_of(lora=BOTH, seed=seed, arm=arm), Store(data_path)).joint
        return torch.cat([p.flatten() for name, p in joint.model.named_parameters() if "lora_A" in name])

    first = start(0)
    torch.rand(3)  # whatever was drawn before
    assert torch.equal(first, start(0)) and torch.equal(first, start(0, "vqa_only"))
    assert not torch.equal(first, start(1))


def test_frozen_weights_may_be_bfloat16_and_trained_ones_are_not(recipe_of, data_path):
    recipe = recipe_of(lora=BOTH, optim__precision="bf16", model__dtype="bfloat16", optim__steps=2)
    joint = setup.build(recipe, Store(data_path)).joint
    for name, p in joint.named_parameters():
        assert p.dtype == (torch.float32 if p.requires_grad else torch.bfloat16), name
    result = run_training(recipe, quiet=True)
    assert result.max_abs_logit_diff < 1e-4
    assert {t.dtype for t in weights(result.model).values()} == {torch.float32}


def test_the_anchor_holds_to_the_model_without_adapters_at_no_cost_of_memory(recipe_of, data_path):
    joint = setup.build(recipe_of(lora=BOTH), Store(data_path)).joint
    (frozen,) = joint._frozen
    mine = {name: p for name, p in joint.model.named_parameters()}
    for name, p in frozen.named_parameters():
        own = "projector" in name or ("vision_tower" in name and ".lora_" in name)
        assert (p is mine[name]) == (not own), name


def test_a_resumed_run_ends_with_the_same_weights(recipe_of, tmp_path):
    settings = {"lora": BOTH, "optim__lr": {**RATES, "projector": 1e-2}, "checkpoint__keep": 9}
    whole = run_training(recipe_of(out=str(tmp_path / "whole"), **settings), quiet=True, check=False)
    import shutil

    part = tmp_path / "part"
    shutil.copytree(whole.out, part)
    for name in ("model", "adapter"):
        shutil.rmtree(part / name)
    (part / "train.json").unlink()
    shutil.rmtree(part / "checkpoint-4")
    recipe = load_recipe(part / "recipe.yaml", {"out": str(part)})
    again = run_training(recipe, quiet=True, check=False)
    a, b = weights(whole.model), weights(again.model)
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_settings_that_would_do_nothing_are_refused(recipe_of):
    with pytest.raises(InputError, match=r"lora\.llm\.r is set but optim\.lr\.llm is 0"):
        recipe_of(lora=BOTH, optim__lr={"tower": 1e-3, "llm": 0.0})
    with pytest.raises(InputError, match="bfloat16 needs"):
        recipe_of(model__dtype="bfloat16", optim__precision="fp32")

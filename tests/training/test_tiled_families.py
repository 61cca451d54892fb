"""Whole runs of the families that cut photos into tiles, over photos of which each has another number of them."""

import json

import pytest
import torch
from helpers.tiny import FAMILIES
from helpers.tiny_data import save_tiny_data

from pseudogd.store.dataset import Store
from pseudogd.student.joint import Items
from pseudogd.student.load import load_processor, load_student
from pseudogd.training.collator import IGNORED
from pseudogd.training.metrics import MetricsLog
from pseudogd.training.setup import build
from pseudogd.training.train import run_training

NAMES = ["smolvlm", "internvl", "idefics3"]
CASES = [(name, variant) for name in NAMES for variant in FAMILIES[name].VARIANTS]
SIZES = [(150, 97), (72, 72), (60, 233), (311, 97)]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return save_tiny_data(tmp_path_factory.mktemp("data"), photos=4, turns=3, size=SIZES)


@pytest.fixture
def recipe(recipe_of, data, tmp_path):
    def make(name, variant=None, **changes):
        module = FAMILIES[name]
        folder = module.save(tmp_path / "student", **module.VARIANTS[variant or next(iter(module.VARIANTS))])
        plain = {"model__path": str(folder), "data__path": str(data), "optim__steps": 3}
        return recipe_of(**plain | changes)

    return make


@pytest.mark.slow
@pytest.mark.parametrize("turns", ["chat", "isolated"])
@pytest.mark.parametrize("name", NAMES)
def test_a_joint_run_trains_and_leaves_bit_equal(name, turns, recipe):
    made = recipe(name, data__turns=turns)
    result = run_training(made, quiet=True, check=True)
    assert result.max_abs_logit_diff == 0.0 and not result.left_out
    seen = [row["loss"] for row in MetricsLog(result.out / "metrics.jsonl").rows() if "loss" in row]
    assert len(seen) == 3 and all(torch.isfinite(torch.tensor(seen))) and min(seen[1:]) < seen[0]
    before, after = load_processor(made.model.path), load_processor(result.model)
    assert after.to_dict() == before.to_dict() and after.chat_template == before.chat_template
    kept = json.loads((result.model / "generation_config.json").read_text())["eos_token_id"]
    assert kept == load_student(made.model.path).model.generation_config.eos_token_id


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_adapters_are_merged(name, recipe):
    rates = {"tower": 1e-2, "projector": 1e-3, "llm": 1e-2, "head": 1e-3}
    result = run_training(recipe(name, lora__tower__r=2, lora__llm__r=2, optim__lr=rates), quiet=True, check=True)
    assert result.max_abs_logit_diff < 1e-5


@pytest.mark.parametrize("place", ["projector", "llm"])
@pytest.mark.parametrize("name", NAMES)
def test_a_run_in_bfloat16_with_geometry_read_elsewhere(name, place, recipe):
    result = run_training(recipe(name, optim__precision="bf16", geometry__place=place), quiet=True, check=False)
    seen = [row["loss"] for row in MetricsLog(result.out / "metrics.jsonl").rows() if "loss" in row]
    assert len(seen) == 3 and min(seen[1:]) < seen[0]


@pytest.mark.parametrize("name, variant", CASES)
def test_the_joint_loss_is_the_models_own(name, variant, recipe):
    made = recipe(name, variant, data__turns="chat")
    setup = build(made, Store(made.data.path))
    batch = setup.collator([setup.rows[i] for i in range(3)])
    plain = load_student(made.model.path, dtype="float32")
    with torch.no_grad():
        own = plain.model(**batch["inputs"])
        joint = setup.joint.eval()(batch["inputs"], batch["geometry"])
    torch.testing.assert_close(joint.lm_loss, own.loss, rtol=1e-6, atol=1e-6)
    learnt = batch["inputs"]["labels"][:, 1:] != IGNORED
    torch.testing.assert_close(joint.logits, own.logits[:, :-1][learnt], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_different_numbers_of_tiles_may_be_shared_out_over_micro_batches(name, recipe):
    made = recipe(name)
    setup = build(made, Store(made.data.path))
    joint, rows = setup.joint, [setup.rows[i] for i in range(4)]

    def gradients(parts):
        batches = [setup.collator(part) for part in parts]
        items = Items(
            labels=sum((b["inputs"]["labels"][:, 1:] != IGNORED).sum() for b in batches),
            views=sum(b["geometry"].items() for b in batches),
            tokens=sum((b["inputs"]["input_ids"] == joint.family.image_token_id).sum() for b in batches),
        )
        joint.zero_grad()
        for batch in batches:
            joint(**batch, items=items, seed=0).loss.backward()
        return {n: p.grad.clone() for n, p in joint.named_parameters() if p.grad is not None}

    together, apart = gradients([rows]), gradients([rows[:1], rows[1:]])
    assert len({setup.photos[row.image_id].targets.tokens for row in rows}) > 1
    for key, want in together.items():
        torch.testing.assert_close(apart[key], want, rtol=1e-3, atol=2e-5, msg=key)

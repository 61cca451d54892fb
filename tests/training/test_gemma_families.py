"""Whole runs of Gemma's families: they train, leave bit-equal, and pay the loss that the model itself would ask for."""

import pytest
import torch
from helpers.tiny import FAMILIES
from helpers.tiny_data import save_tiny_data

from pseudogd.errors import InputError
from pseudogd.store.dataset import Store
from pseudogd.student.load import load_student
from pseudogd.training.collator import IGNORED
from pseudogd.training.metrics import MetricsLog
from pseudogd.training.setup import build
from pseudogd.training.train import run_training

NAMES = ("gemma3", "paligemma", "gemma4")
CASES = [(name, variant) for name in NAMES for variant in FAMILIES[name].VARIANTS]
SIZES = [(150, 97), (64, 64), (60, 233)]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return save_tiny_data(tmp_path_factory.mktemp("data"), photos=3, turns=3, size=SIZES)


@pytest.fixture
def recipe(recipe_of, data, tmp_path):
    def make(name, variant=None, **changes):
        module = FAMILIES[name]
        options = module.VARIANTS[variant or next(iter(module.VARIANTS))]
        folder = module.save(tmp_path / "student", **options)
        plain = {"model__path": str(folder), "data__path": str(data), "data__turns": "chat"}
        every_step_sees_all = {"data__turns_per_row": 1, "optim__batch_size": 9, "optim__steps": 8}
        gently = {"optim__lr": {"tower": 3e-4, "projector": 3e-4, "llm": 3e-4, "head": 1e-3}}
        return recipe_of(**plain | gently | every_step_sees_all | changes)

    return make


def losses_of(result):
    return [row["lm_loss"] for row in MetricsLog(result.out / "metrics.jsonl").rows() if "lm_loss" in row]


@pytest.mark.slow
@pytest.mark.parametrize("name, variant", CASES)
def test_a_joint_run_trains_and_its_export_is_bit_equal(name, variant, recipe):
    result = run_training(recipe(name, variant), quiet=True, check=True)
    assert result.max_abs_logit_diff == 0.0
    losses = losses_of(result)
    assert len(losses) == 8 and max(losses[-2:]) < losses[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_run_in_bfloat16_with_geometry_read_off_the_language_model(name, recipe):
    result = run_training(recipe(name, optim__precision="bf16", geometry__place="llm"), quiet=True, check=False)
    losses = losses_of(result)
    assert len(losses) == 8 and max(losses[-2:]) < losses[0]


@pytest.mark.parametrize("name, variant", CASES)
def test_the_joint_loss_is_the_models_own(name, variant, recipe):
    made = recipe(name, variant, data__turns_per_row=3)
    setup = build(made, Store(made.data.path))
    batch = setup.collator([setup.rows[i] for i in range(2)])
    plain = load_student(made.model.path, dtype="float32")
    with torch.no_grad():
        own = plain.model(**batch["inputs"])
        joint = setup.joint.eval()(batch["inputs"], batch["geometry"])
    torch.testing.assert_close(joint.lm_loss, own.loss, rtol=1e-6, atol=1e-6)
    learnt = batch["inputs"]["labels"][:, 1:] != IGNORED
    got = joint.logits if setup.joint.answer_logits else joint.logits[:, :-1][learnt]
    torch.testing.assert_close(got, own.logits[:, :-1][learnt], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_turns_that_see_only_themselves_are_refused(name, recipe):
    made = recipe(name, data__turns="isolated")
    with pytest.raises(InputError, match=r"data.turns=isolated.*set data.turns=chat"):
        build(made, Store(made.data.path))

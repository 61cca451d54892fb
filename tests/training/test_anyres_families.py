"""Whole runs of the families that cut photos into tiles of a padded canvas."""

import pytest
import torch
from helpers.tiny import FAMILIES
from helpers.tiny_data import save_tiny_data

from pseudogd.store.dataset import Store
from pseudogd.student.load import load_processor, load_student
from pseudogd.training.collator import IGNORED
from pseudogd.training.metrics import MetricsLog
from pseudogd.training.setup import build
from pseudogd.training.train import run_training

NAMES = [name for name in ("llava_next", "llava_onevision") if name in FAMILIES]
CASES = [(name, variant) for name in NAMES for variant in FAMILIES[name].VARIANTS]
SIZES = [(150, 97), (64, 64), (60, 233)]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return save_tiny_data(tmp_path_factory.mktemp("data"), photos=3, turns=3, size=SIZES)


@pytest.fixture
def recipe(recipe_of, data, tmp_path):
    def make(name, variant=None, **changes):
        module = FAMILIES[name]
        folder = module.save(tmp_path / "student", **module.VARIANTS[variant or next(iter(module.VARIANTS))])
        plain = {"model__path": str(folder), "data__path": str(data), "data__turns": "chat", "optim__steps": 6}
        return recipe_of(**plain | changes)

    return make


def finite_and_learnt(made, result):
    """Every step's losses are numbers, and the trained model explains the answers better than the base does."""
    steps = [row for row in MetricsLog(result.out / "metrics.jsonl").rows() if "loss" in row]
    for name in ("loss", "lm_loss", "geometry_loss"):
        assert len(steps) == 6 and all(torch.isfinite(torch.tensor([row[name] for row in steps])))
    setup = build(made, Store(made.data.path))
    inputs = setup.collator([setup.rows[i] for i in range(3)])["inputs"]
    with torch.no_grad():
        before, after = (load_student(path, "float32").model(**inputs).loss for path in (made.model.path, result.model))
    assert after < before


@pytest.mark.slow
@pytest.mark.parametrize("name, variant", CASES)
def test_a_joint_run_trains_and_leaves_with_all_that_it_came_with(name, variant, recipe):
    made = recipe(name, variant)
    result = run_training(made, quiet=True, check=True)
    assert result.max_abs_logit_diff == 0.0
    finite_and_learnt(made, result)
    before, after = load_processor(made.model.path), load_processor(result.model)
    assert after.to_dict() == before.to_dict() and after.chat_template == before.chat_template


@pytest.mark.parametrize("place", ["projector", "llm"])
@pytest.mark.parametrize("name", NAMES)
def test_a_run_in_bfloat16_with_geometry_read_elsewhere(name, place, recipe):
    made = recipe(name, optim__precision="bf16", geometry__place=place)
    finite_and_learnt(recipe(name), run_training(made, quiet=True, check=False))


@pytest.mark.parametrize("name, variant", CASES)
def test_the_joint_loss_is_the_models_own(name, variant, recipe):
    made = recipe(name, variant)
    setup = build(made, Store(made.data.path))
    batch = setup.collator([setup.rows[i] for i in range(3)])
    plain = load_student(made.model.path, dtype="float32")
    with torch.no_grad():
        own = plain.model(**batch["inputs"])
        joint = setup.joint.eval()(batch["inputs"], batch["geometry"])
    torch.testing.assert_close(joint.lm_loss, own.loss, rtol=1e-6, atol=1e-6)
    learnt = batch["inputs"]["labels"][:, 1:] != IGNORED
    got = joint.logits if setup.joint.answer_logits else joint.logits[:, :-1][learnt]
    torch.testing.assert_close(got, own.logits[:, :-1][learnt], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name, variant", CASES)
def test_turns_that_see_only_themselves_give_the_logits_of_conversations_of_their_own(name, variant, recipe):
    made = recipe(name, variant, data__turns="isolated")
    setup = build(made, Store(made.data.path))
    model = setup.joint.plain_model().eval()
    row = setup.rows[0]
    batch = setup.collator([row])["inputs"]
    with torch.no_grad():
        packed = model(**{k: v for k, v in batch.items() if k != "labels"}).logits[0]
    turns = sorted(set(row.turn[row.turn > 0]))
    assert len(turns) == 3
    pixels = setup.joint.family.pixel_inputs(batch)
    for turn in turns:
        own = (row.turn == 0) | (row.turn == turn)
        ids = torch.from_numpy(row.ids[own])[None]
        with torch.no_grad():
            alone = model(input_ids=ids, attention_mask=torch.ones_like(ids), **pixels).logits[0]
        torch.testing.assert_close(packed[: len(own)][torch.from_numpy(own)], alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_run_of_isolated_turns(name, recipe):
    made = recipe(name, data__turns="isolated")
    finite_and_learnt(made, run_training(made, quiet=True, check=False))

"""Whole runs of the families that cut photos into tiles of a padded canvas."""

import pytest
import torch
from helpers.tiny import FAMILIES
from helpers.tiny_data import save_tiny_data

from pseudogd.store.dataset import Store
from pseudogd.student.load import load_student
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

"""Whole runs of Gemma's families: they train, leave bit-equal, and pay the loss that the model itself would ask for."""

import pytest
from helpers.tiny import FAMILIES
from helpers.tiny_data import save_tiny_data

from pseudogd.errors import InputError
from pseudogd.store.dataset import Store
from pseudogd.training.metrics import MetricsLog
from pseudogd.training.setup import build

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


@pytest.mark.parametrize("name", NAMES)
def test_turns_that_see_only_themselves_are_refused(name, recipe):
    made = recipe(name, data__turns="isolated")
    with pytest.raises(InputError, match=r"data.turns=isolated.*set data.turns=chat"):
        build(made, Store(made.data.path))

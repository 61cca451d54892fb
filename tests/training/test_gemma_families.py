"""What Gemma's families cannot do in training, and that rows of every kind can be mixed for them."""

import math

import pytest
from helpers.tiny import FAMILIES
from helpers.tiny_data import save_tiny_data
from helpers.tiny_general import ROWS, save_tiny_general

from pseudogd.errors import InputError
from pseudogd.store.dataset import Store
from pseudogd.training.metrics import MetricsLog
from pseudogd.training.sections import KINDS
from pseudogd.training.setup import build
from pseudogd.training.train import run_training

NAMES = ("gemma3", "paligemma", "gemma4")
SIZES = [(150, 97), (64, 64), (60, 233)]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return save_tiny_data(tmp_path_factory.mktemp("data"), photos=3, turns=3, size=SIZES)


@pytest.fixture
def recipe(recipe_of, data, tmp_path):
    def make(name, **changes):
        folder = FAMILIES[name].save(tmp_path / "student")
        return recipe_of(**{"model__path": str(folder), "data__path": str(data)} | changes)

    return make


@pytest.mark.parametrize("name", NAMES)
def test_turns_that_see_only_themselves_are_refused(name, recipe):
    made = recipe(name, data__turns="isolated")
    with pytest.raises(InputError, match=r"data.turns=isolated.*set data.turns=chat"):
        build(made, Store(made.data.path))


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_every_kind_are_trained_on(name, recipe, tmp_path):
    """One row a batch: some hold words alone, some a photo without words."""
    kinds = {f"data__mix__{kind}": 1.0 for kind in KINDS}
    general = save_tiny_general(tmp_path / "general", "parquet", ROWS[:2])
    made = recipe(name, **kinds, data__general=str(general), optim__batch_size=1, optim__steps=8, data__turns_per_row=2)
    setup = build(made, Store(made.data.path))
    rows = [setup.rows[index] for index in range(len(setup.rows))]
    assert {row.kind for row in rows} == set(KINDS)
    assert any(not row.photos for row in rows)
    result = run_training(made, quiet=True, check=False)
    losses = [row["loss"] for row in MetricsLog(result.out / "metrics.jsonl").rows()]
    assert len(losses) == 8 and all(math.isfinite(loss) for loss in losses)

"""Whole runs of the families that cut photos into tiles, over photos of which each has another number of them."""

import pytest
import torch
from helpers.tiny import FAMILIES
from helpers.tiny_data import save_tiny_data

from pseudogd.store.dataset import Store
from pseudogd.student.joint import Items
from pseudogd.training.collator import IGNORED
from pseudogd.training.setup import build

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
            joint(batch["inputs"], batch["geometry"], items=items, seed=0).loss.backward()
        return {n: p.grad.clone() for n, p in joint.named_parameters() if p.grad is not None}

    together, apart = gradients([rows]), gradients([rows[:1], rows[1:]])
    assert len({setup.photos[row.photos[0]].targets.tokens for row in rows}) > 1
    for key, want in together.items():
        torch.testing.assert_close(apart[key], want, rtol=1e-3, atol=2e-5, msg=key)

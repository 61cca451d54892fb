"""Whole runs of the Qwen families: they train, pay the model's own loss, and leave with all that they came with."""

from pathlib import Path

import pytest
import torch
from helpers.tiny import FAMILIES
from helpers.tiny_data import save_tiny_data
from safetensors import safe_open
from safetensors.torch import load_file

from pseudogd.errors import InputError
from pseudogd.store.dataset import Store
from pseudogd.student.load import load_student
from pseudogd.training.metrics import MetricsLog
from pseudogd.training.parameters import parameter_groups
from pseudogd.training.setup import build
from pseudogd.training.train import run_training

NAMES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_5")
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
        plain = {"model__path": str(folder), "data__path": str(data), "data__turns": "chat", "optim__steps": 3}
        return recipe_of(**plain | changes)

    return make


def losses(result):
    return [row["loss"] for row in MetricsLog(result.out / "metrics.jsonl").rows() if "loss" in row]


@pytest.mark.parametrize("name", NAMES)
def test_adapters_under_checkpointing_learn_in_both_parts(name, recipe):
    """Where a tower's input needs no gradient, checkpointing of the other kind would lose the adapters' silently."""
    made = recipe(
        name,
        lora={"tower": {"r": 4}, "llm": {"r": 2}},
        optim__lr={"tower": 1e-2, "projector": 1e-2, "llm": 1e-2, "head": 1e-2},
        optim__gradient_checkpointing=True,
    )
    result = run_training(made, quiet=True, check=False)
    before, after = (load_file(f / "model.safetensors") for f in (Path(made.model.path), result.model))
    assert before.keys() == after.keys()
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    blocks = {key for key in before if "visual.blocks" in key and key.endswith(".weight") and "norm" not in key}
    assert blocks <= moved and not any("patch_embed" in key or "pos_embed" in key for key in moved)
    assert any("merger" in key for key in moved) and any(".layers." in key for key in moved)


@pytest.mark.parametrize("name", NAMES)
def test_positions_count_the_rows_and_columns_of_the_photo(name, recipe):
    """Without the extras that the collator adds, the model would read another text: they must arrive."""
    made = recipe(name)
    setup = build(made, Store(made.data.path))
    inputs = setup.collator([setup.rows[i] for i in range(2)])["inputs"]
    model = setup.joint.plain_model().eval()
    seen = []
    model.model.language_model.register_forward_pre_hook(
        lambda m, a, k: seen.append(k["position_ids"]), with_kwargs=True
    )
    encoded = setup.joint.family.encode(model, inputs, hidden_states=False)
    model(**{k: v for k, v in setup.joint.family.language_inputs(inputs, encoded).items() if k != "labels"})
    for i in range(2):
        photo = inputs["input_ids"][i] == model.config.image_token_id
        height, width = (int(v) // 2 for v in inputs["image_grid_thw"][i, 1:])
        t, h, w = seen[0][-3:, i, photo]
        begin = int(photo.int().argmax())
        assert (t == begin).all()
        assert h.tolist() == [begin + r for r in range(height) for _ in range(width)]
        assert w.tolist() == [begin + c for _ in range(height) for c in range(width)]
        after = begin + height * width
        assert seen[0][-3:, i, after].tolist() == [begin + max(height, width)] * 3


@pytest.mark.parametrize("name", NAMES)
def test_tied_embeddings_are_trained_once_and_leave_tied(name, recipe):
    variant = next(v for v, options in FAMILIES[name].VARIANTS.items() if options.get("tied"))
    made = recipe(name, variant)
    setup = build(made, Store(made.data.path))
    trained = [p for group in parameter_groups(setup.joint, made.optim) for p in group["params"]]
    assert len({id(p) for p in trained}) == len(trained)
    result = run_training(made, quiet=True, check=False)
    with safe_open(result.model / "model.safetensors", "pt") as f:
        assert not any(key.endswith("lm_head.weight") for key in f.keys())  # noqa: SIM118 (not a mapping)
    model = load_student(result.model).model
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


@pytest.mark.parametrize("name", NAMES)
def test_turns_that_see_only_themselves_are_refused(name, recipe):
    made = recipe(name, data__turns="isolated")
    with pytest.raises(InputError, match=r"data.turns=isolated.*set data.turns=chat"):
        build(made, Store(made.data.path))

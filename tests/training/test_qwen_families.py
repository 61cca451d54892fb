"""Whole runs of the Qwen families: they train, pay the model's own loss, and leave with all that they came with."""

import json
from pathlib import Path

import pytest
import torch
from helpers.tiny import FAMILIES
from helpers.tiny._qwen import VIDEO
from helpers.tiny_data import save_tiny_data
from safetensors import safe_open
from safetensors.torch import load_file

from pseudogd.errors import InputError
from pseudogd.store.dataset import Store
from pseudogd.student.load import load_processor, load_student
from pseudogd.training.collator import IGNORED
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


@pytest.mark.slow
@pytest.mark.parametrize("name, variant", CASES)
def test_a_joint_run_trains_and_leaves_with_all_that_it_came_with(name, variant, recipe):
    made = recipe(name, variant)
    result = run_training(made, quiet=True, check=True)
    assert result.max_abs_logit_diff == 0.0
    seen = losses(result)
    assert len(seen) == 3 and all(torch.isfinite(torch.tensor(seen))) and seen[-1] < seen[0]
    before, after = load_processor(made.model.path), load_processor(result.model)
    assert after.image_processor.to_dict() == before.image_processor.to_dict()
    assert after.chat_template == before.chat_template
    beside = result.model / "video_preprocessor_config.json"
    settings = json.loads((result.model / "processor_config.json").read_text())
    assert (json.loads(beside.read_text()) if beside.exists() else settings["video_processor"]) == VIDEO
    assert settings["processor_class"] == type(before).__name__


@pytest.mark.parametrize("place", ["projector", "llm"])
@pytest.mark.parametrize("name", NAMES)
def test_a_run_in_bfloat16_with_geometry_read_elsewhere(name, place, recipe):
    result = run_training(recipe(name, optim__precision="bf16", geometry__place=place), quiet=True, check=False)
    seen = losses(result)
    assert len(seen) == 3 and seen[-1] < seen[0]


@pytest.mark.parametrize("arm", ["vqa_only", "geometry_only", "two_stage"])
@pytest.mark.parametrize("name", NAMES)
def test_the_other_arms_run(name, arm, recipe):
    result = run_training(recipe(name, arm=arm), quiet=True, check=False)
    assert len(losses(result)) == 3 and all(torch.isfinite(torch.tensor(losses(result))))


@pytest.mark.parametrize("name", NAMES)
def test_adapters_under_checkpointing_learn_in_both_parts(name, recipe):
    """Where a tower's input needs no gradient, checkpointing of the other kind would lose the adapters' silently."""
    made = recipe(
        name,
        lora={"tower": {"r": 4}, "llm": {"r": 2}},
        optim__lr={"tower": 1e-2, "projector": 1e-2, "llm": 1e-2, "head": 1e-2},
        optim__gradient_checkpointing=True,
    )
    result = run_training(made, quiet=True, check=True)
    assert result.max_abs_logit_diff < 1e-5
    before, after = (load_file(f / "model.safetensors") for f in (Path(made.model.path), result.model))
    assert before.keys() == after.keys()
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    blocks = {key for key in before if "visual.blocks" in key and key.endswith(".weight") and "norm" not in key}
    assert blocks <= moved and not any("patch_embed" in key or "pos_embed" in key for key in moved)
    assert any("merger" in key for key in moved) and any(".layers." in key for key in moved)


@pytest.mark.parametrize("name, variant", CASES)
def test_the_joint_loss_is_the_models_own(name, variant, recipe):
    made = recipe(name, variant)
    setup = build(made, Store(made.data.path))
    batch = setup.collator([setup.rows[i] for i in range(2)])
    plain = load_student(made.model.path, dtype="float32")
    with torch.no_grad():
        own = plain.model(**batch["inputs"])
        joint = setup.joint.eval()(batch["inputs"], batch["geometry"])
    torch.testing.assert_close(joint.lm_loss, own.loss, rtol=1e-6, atol=1e-6)
    learnt = batch["inputs"]["labels"][:, 1:] != IGNORED
    torch.testing.assert_close(joint.logits, own.logits[:, :-1][learnt], rtol=1e-5, atol=1e-5)


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

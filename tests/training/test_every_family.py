"""What training must do with every family, over photos of different sizes: the columns of docs/families.md.

Runs that are compared have AdamW's eps far above every gradient: its steps are then linear in the gradients, and
rounding is not blown up to whole steps.
"""

import json
import shutil
from itertools import product

import pytest
import torch
from helpers import rank_jobs
from helpers.ranks import forked
from helpers.tiny import FAMILIES
from helpers.tiny_data import save_tiny_data
from safetensors.torch import load_file
from torch.utils.flop_counter import FlopCounterMode

from pseudogd.store.dataset import Store
from pseudogd.student.load import load_processor, load_student
from pseudogd.training import checkpoints, plain_probe
from pseudogd.training.collator import IGNORED
from pseudogd.training.export import differences
from pseudogd.training.metrics import MetricsLog
from pseudogd.training.recipe import load_recipe, recipe_text
from pseudogd.training.setup import build
from pseudogd.training.train import run_training

SIZES = [(150, 97), (72, 72), (60, 233), (97, 150)]
RATE = {"tower": 1e-3, "projector": 1e-3, "llm": 1e-3, "head": 1e-3}
STEADY = {"optim.eps": 1.0, "optim.lr": {part: 1.0 for part in RATE}, "data.group_by_length": False}
STEADY |= {"checkpoint.every": 0}
CASES = [(name, variant) for name, module in FAMILIES.items() for variant in module.VARIANTS]
HELD = {"order": 1.0, "anchor": 0.5, "gram": 0.5}
ADAPTERS = {"lora.tower.r": 2, "lora.llm.r": 2}

KINDS = {
    "joint": {"optim.lr": RATE},
    "lora": {"optim.lr": {**RATE, "tower": 1e-2, "llm": 1e-2}, **ADAPTERS},
    "whole": STEADY | {"optim.batch_size": 4, "geometry.weights": HELD},
    "accumulated": STEADY | {"optim.batch_size": 2, "optim.grad_accum": 2, "geometry.weights": HELD},
    "ranks": STEADY | {"optim.batch_size": 2, "geometry.weights": HELD},
    "sharded": STEADY
    | {"optim.batch_size": 2, "geometry.weights": HELD}
    | {"optim.fsdp": True, "optim.gradient_checkpointing": True},
}


class Runs:
    """Trains every family once in each way, when it is asked for."""

    def __init__(self, scratch):
        self.scratch = scratch
        self.data = save_tiny_data(scratch / "data", photos=8, turns=2, size=SIZES)
        self.made = {}
        self.logits = {}

    def folder(self, name, variant=None):
        """Of the family's ordinary variant, or of another."""
        number = 0 if variant is None else list(FAMILIES[name].VARIANTS).index(variant)
        return self.scratch / (f"{name}-{number}" if number else name)

    def student(self, name, variant=None):
        folder = self.folder(name, variant) / "student"
        if not folder.exists():
            options = FAMILIES[name].VARIANTS[variant or next(iter(FAMILIES[name].VARIANTS))]
            FAMILIES[name].save(folder, **options)
        return folder

    def recipe(self, name, kind, variant=None, **changes):
        values = {
            "out": str(self.folder(name, variant) / kind),
            "model.path": str(self.student(name, variant)),
            "data.path": str(self.data),
            "data.turns": "chat",
            "optim.steps": 2,
            "optim.batch_size": 4,
            "optim.precision": "fp32",
            "geometry.head_width": 16,
            "checkpoint.every": 1,
            "checkpoint.keep": 2,
            "log_every": 1,
            "device": "cpu",
        }
        return load_recipe(None, values | KINDS[kind] | changes)

    def __call__(self, name, kind, variant=None):
        key = self.folder(name, variant), kind
        if key not in self.made:
            ordinary = self.folder(name, variant) == self.folder(name)
            shorter = {} if ordinary else {"optim.steps": 1, "checkpoint.every": 0}
            self.made[key] = run_training(self.recipe(name, kind, variant, **shorter), quiet=True, check=False)
        return self.made[key]

    def weights(self, name, kind):
        return load_file(self.scratch / name / kind / "model" / "model.safetensors")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return Runs(tmp_path_factory.mktemp("families"))


def agree(one, two, atol=1e-5):
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-4, atol=atol, msg=lambda text, n=name: f"{n}: {text}")


@pytest.mark.column("joint step")
@pytest.mark.parametrize("name", FAMILIES)
def test_a_joint_run_learns_geometry_and_language(name, runs):
    result = runs(name, "joint")
    assert not result.left_out
    rows = MetricsLog(result.out / "metrics.jsonl").rows()
    assert len(rows) == 2
    for key in ("loss", "lm_loss", "geometry_loss", "structure", "scale", "normal", "order"):
        assert all(key in row and row[key] == row[key] for row in rows), key
    before, after = load_file(runs.student(name) / "model.safetensors"), runs.weights(name, "joint")
    assert before.keys() == after.keys()
    moved = {key for key, value in before.items() if not torch.equal(value, after[key])}
    student = load_student(result.model)
    frozen = set(student.family.unused_parameters(student.model))
    assert moved and not {key for key in moved if key in frozen}


@pytest.mark.column("joint step")
@pytest.mark.parametrize("name, variant", CASES)
def test_the_joint_loss_is_the_model_s_own(name, variant, runs):
    recipe = runs.recipe(name, "joint", variant)
    setup = build(recipe, Store(runs.data))
    batch = setup.collator([setup.rows[i] for i in range(3)])
    plain = load_student(recipe.model.path, dtype="float32")
    with torch.no_grad():
        own = plain.model(**batch["inputs"])
        joint = setup.joint.eval()(batch["inputs"], batch["geometry"])
    torch.testing.assert_close(joint.lm_loss, own.loss, rtol=1e-6, atol=1e-6)
    logits = own.logits
    if setup.joint.answer_logits:  # of the tokens before labels alone
        logits = logits[:, :-1][batch["inputs"]["labels"][:, 1:] != IGNORED]
    torch.testing.assert_close(joint.logits, logits, rtol=1e-5, atol=1e-5)


@pytest.mark.column("joint step")
@pytest.mark.parametrize("name", FAMILIES)
def test_geometry_read_off_the_language_model_in_bfloat16(name, runs):
    changes = {"optim.precision": "bf16", "geometry.place": "llm", "out": str(runs.folder(name) / "llm")}
    result = run_training(runs.recipe(name, "joint", **changes), quiet=True, check=False)
    for row in MetricsLog(result.out / "metrics.jsonl").rows():
        assert row["geometry_loss"] > 0 and row["lm_loss"] > 0


@pytest.mark.column("LoRA")
@pytest.mark.parametrize("name", FAMILIES)
def test_adapters_alone_learn_and_are_merged(name, runs):
    result = runs(name, "lora")
    recipe = runs.recipe(name, "lora", out=str(runs.scratch / name / "unused"))
    joint = build(recipe, Store(runs.data)).joint
    adapted = {n.partition(".lora_")[0] for n, p in joint.model.named_parameters() if ".lora_" in n}
    assert {"tower", "llm"} == {"tower" if _in(joint, n) else "llm" for n in adapted}
    before, after = load_file(runs.student(name) / "model.safetensors"), runs.weights(name, "lora")
    assert before.keys() == after.keys()
    trained = checkpoints.load_trained(result.out / "checkpoint-2", joint.model)
    assert all(v.isfinite().all() for v in trained.values())
    learnt = [n for n, v in trained.items() if "lora_B" in n and v.abs().sum() > 0]
    assert len(learnt) == sum("lora_B" in n for n in trained) > 4


def _in(joint, name):
    module = joint.model.get_submodule(name)
    return any(module is m for m in joint.family.tower(joint.model).modules())


@pytest.mark.column("accumulation")
@pytest.mark.parametrize("name", FAMILIES)
def test_four_at_once_is_two_times_two(name, runs):
    """Photos of different sizes, so that micro-batches differ in labels, views and visual tokens."""
    runs(name, "whole"), runs(name, "accumulated")
    agree(runs.weights(name, "whole"), runs.weights(name, "accumulated"))


@pytest.mark.column("resume")
@pytest.mark.parametrize("name", FAMILIES)
def test_a_resumed_run_ends_with_the_very_same_weights(name, runs):
    result = runs(name, "joint")
    out = runs.scratch / name / "stopped"  # as the run stood after its first step
    shutil.copytree(result.out, out, ignore=shutil.ignore_patterns("model", "checkpoint-2"))
    recipe = runs.recipe(name, "joint", out=str(out))
    again = run_training(recipe, quiet=True, check=False)
    assert not again.already_done and MetricsLog(out / "metrics.jsonl").rows()[-1]["step"] == 2
    one, two = load_file(result.model / "model.safetensors"), load_file(again.model / "model.safetensors")
    assert one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)


@pytest.fixture(scope="module")
def two_ranks(runs):
    paths = []
    for name, kind in product(FAMILIES, ("ranks", "sharded")):
        path = runs.scratch / f"{name}-{kind}.yaml"
        path.write_text(recipe_text(runs.recipe(name, kind)))
        paths.append(path)
    return forked(rank_jobs.train, *paths, seconds=900)


@pytest.mark.slow
@pytest.mark.column("DDP")
@pytest.mark.parametrize("name", FAMILIES)
def test_two_ranks_train_what_one_process_trains(name, runs, two_ranks):
    assert two_ranks.returncode == 0, two_ranks.stdout[-4000:]
    runs(name, "whole")
    agree(runs.weights(name, "whole"), runs.weights(name, "ranks"))


@pytest.mark.slow
@pytest.mark.column("FSDP2")
@pytest.mark.parametrize("name", FAMILIES)
def test_two_ranks_that_share_all_weights_do_too(name, runs, two_ranks):
    """Every block on its own, recomputed in the backward pass; the frozen copy of the anchor whole on each."""
    assert two_ranks.returncode == 0, two_ranks.stdout[-4000:]
    runs(name, "whole")
    agree(runs.weights(name, "whole"), runs.weights(name, "sharded"))


@pytest.fixture(scope="module")
def exported(runs):
    """(difference of logits between model and export by plain transformers, rounding of those logits) of every run."""
    ours, rounding = {}, {}
    for name, variant in CASES:
        model = runs(name, "joint", variant).model
        student = load_student(model)
        ours[model] = plain_probe.logits(student.model, student.processor)
    for name in FAMILIES:
        result = runs(name, "lora")
        student = load_student(result.model)
        merged = plain_probe.logits(student.model, student.processor)
        exact = plain_probe.logits(student.model.double(), student.processor)
        rounding[result.model] = max(float((merged[key] - exact[key]).abs().max()) for key in merged)
        # what was trained, before anything was merged
        joint = build(runs.recipe(name, "lora"), Store(runs.data)).joint
        trained = checkpoints.load_trained(result.out / "checkpoint-2", joint.model)
        joint.model.load_state_dict(trained, strict=False)
        ours[result.model] = plain_probe.logits(joint.model, student.processor)
    found = differences(ours, torch.device("cpu"))
    return {model: (off, rounding.get(model, 0.0)) for model, off in found.items()}


@pytest.mark.slow
@pytest.mark.column("export")
@pytest.mark.parametrize("name, variant", CASES)
def test_plain_transformers_runs_the_export(name, variant, runs, exported):
    result = runs(name, "joint", variant)
    assert exported[result.model][0] == 0.0
    before, after = load_student(runs.student(name, variant)).processor, load_processor(result.model)
    assert after.to_dict() == before.to_dict() and after.chat_template == before.chat_template


@pytest.mark.slow
@pytest.mark.column("export")
@pytest.mark.parametrize("name", FAMILIES)
def test_merged_adapters_say_what_they_said_on_their_own(name, runs, exported):
    off, rounding = exported[runs(name, "lora").model]
    assert off <= max(1e-5, 4 * rounding)  # some of these tiny models are made so sharp that float32 itself is off more


@pytest.mark.column("export")
@pytest.mark.parametrize("name", FAMILIES)
def test_the_export_is_as_large_and_as_costly_as_the_base(name, runs):
    base, made = runs.student(name), runs(name, "lora").model

    def cost(folder):
        student = load_student(folder)
        with FlopCounterMode(display=False) as counted:
            plain_probe.logits(student.model, student.processor)
        return sum(p.numel() for p in student.model.parameters()), counted.get_total_flops()

    assert cost(base) == cost(made)
    before, after = (json.loads((folder / "config.json").read_text()) for folder in (base, made))
    assert _without_dtype(after) == _without_dtype(before)


def _without_dtype(config):
    return {k: _without_dtype(v) if isinstance(v, dict) else v for k, v in config.items() if k != "dtype"}

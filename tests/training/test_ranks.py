"""Two processes train as one does.

One run each by torchrun and by `accelerate launch`, and the one that a launcher has to end, are started as users do.
"""

import json
import re
import shutil

import pytest
import torch
from helpers import rank_jobs
from helpers.ranks import accelerate, forked, torchrun
from safetensors.torch import load_file

from pseudogd.errors import InputError
from pseudogd.training.metrics import MetricsLog
from pseudogd.training.recipe import recipe_text
from pseudogd.training.train import run_training

ADAPTER = "adapter_model.safetensors"
# with eps far above the gradients an AdamW step is linear in them, and rounding is not blown up to a whole step
STEADY = {"optim__eps": 1.0, "optim__lr": {"tower": 1.0, "projector": 1.0, "llm": 1.0, "head": 1.0}}


def written(recipe, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe_text(recipe))
    return path


def started(recipe, tmp_path, launcher=None):
    """`pseudogd train` on two ranks."""
    arguments = "train", written(recipe, tmp_path), "--no-check"
    return launcher("-m", "pseudogd", *arguments) if launcher else forked(rank_jobs.command, *arguments)


def agree(a, b, tolerance=1e-5):
    one, two = (load_file(folder / "model.safetensors") for folder in (a, b))
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert torch.allclose(value, two[name], atol=tolerance), name


@pytest.mark.slow
@pytest.mark.parametrize(
    "arm, fsdp, launcher", [("joint", False, torchrun), ("two_stage", False, accelerate), ("joint", True, None)]
)
def test_two_ranks_train_what_one_process_trains(arm, fsdp, launcher, recipe_of, tmp_path):
    """Rows of unlike lengths, photos without a neighbour's geometry: only sums over all ranks agree."""
    common = {"arm": arm, "data__group_by_length": False, "optim__grad_accum": 2, **STEADY}
    alone = run_training(recipe_of(out=str(tmp_path / "one"), optim__batch_size=2, **common), quiet=True, check=False)
    two = recipe_of(out=str(tmp_path / "two"), optim__batch_size=1, optim__fsdp=fsdp, **common)
    done = started(two, tmp_path, launcher=launcher)
    assert done.returncode == 0, done.stdout
    agree(alone.model, tmp_path / "two" / "model")
    a, b = (MetricsLog(tmp_path / name / "metrics.jsonl").rows() for name in ("one", "two"))
    assert len(a) == len(b) == 4
    for mine, theirs in zip(a, b):
        for key in ("loss", "lm_loss", "geometry_loss", "structure", "grad_norm", "epoch"):
            assert (key in mine) == (key in theirs)
            if key in mine:
                assert mine[key] == pytest.approx(theirs[key], rel=1e-4, abs=1e-6), key
    result = json.loads((tmp_path / "two" / "train.json").read_text())["result"]
    assert result["steps"] == 4
    assert done.stdout.count("4 steps on") == 1  # one process speaks
    if launcher is None:  # threads of a group that is still there when Python ends may abort it
        assert done.stdout.count("has left") == 2


@pytest.mark.slow
@pytest.mark.parametrize("fsdp", [False, True], ids=["ddp", "fsdp"])
def test_two_ranks_go_on_from_their_checkpoint_and_another_number_is_refused(fsdp, recipe_of, tmp_path):
    run = tmp_path / "run"
    lora = {"llm": {"r": 2, "alpha": 8.0}, "dropout": 0.3}  # the random numbers of every rank must go on too
    recipe = recipe_of(out=str(run), optim__batch_size=1, checkpoint__keep=9, lora=lora, optim__fsdp=fsdp)
    assert started(recipe, tmp_path).returncode == 0
    whole = load_file(run / "model" / "model.safetensors")
    for name in ("model", "checkpoint-4"):
        shutil.rmtree(run / name)
    message = "needs a launcher" if fsdp else "was made by 2 processes, now there are 1"
    with pytest.raises(InputError, match=message):
        run_training(recipe, quiet=True, check=False)
    done = started(recipe, tmp_path)
    assert done.returncode == 0, done.stdout
    again = load_file(run / "model" / "model.safetensors")
    assert all(torch.equal(whole[name], again[name]) for name in whole)


@pytest.mark.slow
def test_sharded_adapters_over_bfloat16_weights_train_as_in_one_process(recipe_of, tmp_path):
    """Frozen weights and adapters of one block have different types; rounding to bfloat16 is all that may differ."""
    lora = {"tower": {"r": 2}, "llm": {"r": 2}}
    common = {"lora": lora, "model__dtype": "bfloat16", "optim__precision": "bf16", "data__group_by_length": False}
    common |= {"optim__gradient_checkpointing": True, **STEADY}
    alone = run_training(recipe_of(out=str(tmp_path / "one"), optim__batch_size=2, **common), quiet=True, check=False)
    two = recipe_of(out=str(tmp_path / "two"), optim__batch_size=1, optim__fsdp=True, **common)
    done = started(two, tmp_path)
    assert done.returncode == 0, done.stdout
    one, two = (load_file(folder / "adapter" / ADAPTER) for folder in (alone.out, tmp_path / "two"))
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert torch.allclose(value, two[name], atol=2e-3), name
    assert any(value.abs().max() > 1e-2 for name, value in one.items() if "lora_B" in name)


@pytest.mark.slow
def test_each_rank_holds_its_share_of_every_weight(recipe_of, tmp_path):
    recipe = recipe_of(out=str(tmp_path / "run"), optim__batch_size=1, optim__fsdp=True, optim__steps=1)
    done = forked(rank_jobs.train_and_say_shares, written(recipe, tmp_path))
    assert done.returncode == 0, done.stdout
    shares = [float(found) for found in re.findall(r"holds (\d\.\d\d)", done.stdout)]  # both may share a line
    assert len(shares) == 2 and sum(shares) == pytest.approx(1, abs=0.011) and max(shares) < 0.6


DEAD = """
import os, signal, sys
from pseudogd.exits import explain
from pseudogd.training import ranks, trainer
from pseudogd.training.recipe import load_recipe
from pseudogd.training.train import run_training
first = trainer.PseudoGDTrainer.before_step
def before(self):
    if ranks.rank() == 1 and self.state.global_step == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return first(self)
trainer.PseudoGDTrainer.before_step = before
try:
    run_training(load_recipe(sys.argv[1]), quiet=True, check=False)
except BaseException as error:
    os._exit(explain(error))
"""


@pytest.mark.slow
def test_ranks_that_drift_apart_are_caught(recipe_of, tmp_path):
    recipe = recipe_of(out=str(tmp_path / "run"), optim__batch_size=1)
    done = forked(rank_jobs.train_and_drift, written(recipe, tmp_path))
    assert done.returncode != 0
    assert "no longer hold the same weights after step 2 (1 of" in done.stdout
    assert not list((tmp_path / "run").glob("checkpoint-*"))


@pytest.mark.slow
def test_a_rank_that_dies_takes_the_run_down_and_the_checkpoint_stays(recipe_of, tmp_path):
    recipe = recipe_of(out=str(tmp_path / "run"), optim__batch_size=1, optim__steps=6)
    (tmp_path / "dead.py").write_text(DEAD)
    done = torchrun(tmp_path / "dead.py", written(recipe, tmp_path))
    assert done.returncode != 0
    assert (tmp_path / "run" / "checkpoint-2" / "progress.json").is_file()
    done = started(recipe, tmp_path)
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "run" / "model" / "config.json").is_file()

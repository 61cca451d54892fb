"""Whatever stops a run is one line, and the last checkpoint is intact."""

import importlib.util
import os
from pathlib import Path

import pytest
import torch

from pseudogd.errors import InputError, PseudoGDError
from pseudogd.store.dataset import Store
from pseudogd.training import checkpoints
from pseudogd.training.collator import JointCollator
from pseudogd.training.failures import explained
from pseudogd.training.train import run_training


def stopping(monkeypatch, error, at=6):
    """The `at`-th batch of the run is not made."""
    real, made = JointCollator.__call__, []

    def call(self, rows):
        made.append(1)
        if len(made) == at:
            raise error
        return real(self, rows)

    monkeypatch.setattr(JointCollator, "__call__", call)


@pytest.mark.parametrize(
    "error, says",
    [
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
            r"out of memory in step \d.*batch_size",
        ),
        (MemoryError(), r"out of memory in step \d.*gradient_checkpointing"),
        (RuntimeError("DataLoader worker (pid 12) is killed by signal: Killed."), r"data worker.*data\.workers"),
        (RuntimeError("[gloo/transport/tcp/pair.cc] Connection closed by peer [127.0.0.1]"), "another rank"),
    ],
)
def test_each_is_told_in_one_line_and_the_run_goes_on_from_its_checkpoint(error, says, recipe_of, monkeypatch):
    recipe = recipe_of(optim__steps=6, checkpoint__every=2, geometry__weights={"anchor": 0.0})
    with monkeypatch.context() as patch:
        stopping(patch, error)
        with pytest.raises(PseudoGDError, match=says) as caught:
            run_training(recipe, quiet=True, check=False)
    assert "checkpoint-" in str(caught.value) and "\n" not in str(caught.value)
    assert checkpoints.checkpoints(Path(recipe.out))
    assert run_training(recipe, quiet=True, check=False).steps == 6


def test_other_errors_stay_what_they_are(tmp_path):
    with pytest.raises(RuntimeError, match="something else"), explained(tmp_path, lambda: 0):
        raise RuntimeError("something else")
    with pytest.raises(PseudoGDError, match="no checkpoint yet"), explained(tmp_path, lambda: 0):
        raise MemoryError


@pytest.mark.parametrize("workers", [0, 1])
def test_a_photo_that_goes_missing_is_named(workers, recipe_of, tmp_path):
    from helpers.tiny_data import save_tiny_data

    data = save_tiny_data(tmp_path / "data", photos=3, turns=2)
    recipe = recipe_of(data__path=str(data), data__workers=workers, data__cache_mb=0, arm="vqa_only")
    store = Store(data)
    gone = store.photo_path(store.photos()["image_id"][1].as_py())

    from pseudogd.training import train as module

    real = module.build

    def build(*args):
        made = real(*args)
        os.unlink(gone)
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "build", build)
        with pytest.raises(InputError) as caught:
            run_training(recipe, quiet=True, check=False)
    assert gone.name in str(caught.value) and "\n" not in str(caught.value)


def test_activation_checkpointing_changes_no_weight(recipe_of, tmp_path):
    from safetensors.torch import load_file

    results = [
        run_training(recipe_of(out=str(tmp_path / str(on)), optim__gradient_checkpointing=on), quiet=True, check=False)
        for on in (False, True)
    ]
    a, b = (load_file(r.model / "model.safetensors") for r in results)
    assert all(torch.allclose(a[name], b[name], atol=1e-6) for name in a)


def test_a_logger_that_is_not_installed_is_named(recipe_of):
    missing = next((n for n in ("wandb", "trackio", "tensorboard") if importlib.util.find_spec(n) is None), None)
    if missing is None:
        pytest.skip("all of them are installed")
    with pytest.raises(InputError, match=rf"pip install {missing}"):
        run_training(recipe_of(report_to=[missing]), quiet=True, check=False)

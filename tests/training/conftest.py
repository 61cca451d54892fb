"""A tiny student and a tiny data folder, made once for the room."""

import os

import pytest
from helpers.tiny_data import save_tiny_data
from helpers.tiny_llava import save_tiny_llava


@pytest.fixture(scope="module", autouse=True)
def _no_waiting_for_the_disk():
    """A run does so some forty times. What a killed process has written stays, and no test pulls a plug."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(scope="session")
def student_path(tmp_path_factory):
    return save_tiny_llava(tmp_path_factory.mktemp("student"))


@pytest.fixture(scope="session")
def data_path(tmp_path_factory):
    return save_tiny_data(tmp_path_factory.mktemp("data"), photos=6, turns=5)


@pytest.fixture
def recipe_of(student_path, data_path, tmp_path):
    """A short recipe on the CPU; keyword arguments with __ for dots go on top: recipe_of(optim__steps=4)."""
    from pseudogd.training.recipe import load_recipe

    def make(**changes):
        values = {
            "out": str(tmp_path / "run"),
            "model.path": str(student_path),
            "data.path": str(data_path),
            "data.turns_per_row": 3,
            "optim.steps": 4,
            "optim.batch_size": 2,
            "optim.precision": "fp32",
            "optim.lr": {"tower": 1e-3, "projector": 1e-3, "llm": 1e-3, "head": 1e-3},
            "geometry.head_width": 16,
            "checkpoint.every": 2,
            "log_every": 1,
            "device": "cpu",
        }
        values |= {key.replace("__", "."): value for key, value in changes.items()}
        return load_recipe(None, values)

    return make

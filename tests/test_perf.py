"""Every benchmark prints one JSON object that names its floor and compares with it."""

import importlib
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "perf"
SIZES = {
    "image": 24,
    "patch": 12,
    "tower-width": 64,
    "tower-blocks": 2,
    "llm-width": 64,
    "llm-blocks": 1,
    "batch-size": 2,
}
TINY = [word for name, value in SIZES.items() for word in (f"--{name}", str(value))] + ["--batch-size", "2"]
RUNS = {
    "world": ["--photos", "1", "--size", "32", "--rounds", "1"],
    "label": ["--photos", "3", "--size", "64", "--rounds", "1", "--side", "64", "--stored", "1"],
    "memory": ["--photos", "40", "--shard-size", "8"],
    "synth": ["--photos", "2", "--size", "64", "--rounds", "1"],
    "collator": ["--photos", "3", "--size", "64", "--rounds", "1", *TINY],
    "train_step": [
        "--photos",
        "3",
        "--size",
        "64",
        "--rounds",
        "1",
        *TINY,
        "--teacher",
        "tiny",
        "--teacher-side",
        "56",
    ],
    "geometry_branch": ["--photos", "3", "--size", "64", "--rounds", "1", *TINY],
    "accuracy_against_seconds": ["--photos", "16", "--items", "16", "--steps", "2", "--every", "1"],
}
AS_SCRIPTS = ("world",)
"""Started as a user starts them; the others here, where torch and transformers are imported already."""


@contextmanager
def as_loud_as_before():
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    yield
    logging.set_verbosity(level)
    if bars:
        logging.enable_progress_bar()


def test_all_benchmarks_are_tried():
    assert set(RUNS) == {path.stem for path in FOLDER.glob("*.py")} - {"common", "students", "depth_teachers"}


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_prints_one_json_object(name, monkeypatch, capsys):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    command = [str(FOLDER / f"{name}.py"), *RUNS[name]]
    if name in AS_SCRIPTS:
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        said = done.stdout
    else:
        monkeypatch.syspath_prepend(FOLDER)
        monkeypatch.setattr(sys, "argv", command)
        with mock.patch.dict(os.environ), as_loud_as_before():
            importlib.import_module(name).main()
        said = capsys.readouterr().out
    result = json.loads(said)
    ratios = [value for key, value in result.items() if key.startswith("ratio")]
    assert result["benchmark"] == name and result["floor"] and ratios and result["machine"]["cores"] > 0
    if name == "memory":
        assert result["rows"] == 40 and 1 <= ratios[0] < 1.2
        assert result["resident_mib"]["before"] < result["resident_mib"]["most"]
    if name == "train_step":
        assert ratios[0]["joint_anchor"]["floor"] > ratios[0]["joint"]["floor"] > 1
        assert ratios[1]["teacher_in_loop"]["floor"] > 1
    if name == "accuracy_against_seconds":
        assert all(
            [point["step"] for point in curve] == [0, 1, 2] and curve[0]["seconds"] == 0
            for curve in result["seeds"][0]["curves"].values()
        )


def test_a_teacher_of_random_weights_is_compared_with_the_pipeline_too(monkeypatch, capsys):
    """It needs a preprocessor_config.json, which transformers alone insists on."""
    monkeypatch.syspath_prepend(FOLDER)
    module = importlib.import_module("label")
    monkeypatch.setattr(module, "_SIDE", 56)
    words = ["--random", "tiny", "--photos", "3", "--size", "64", "--batch-size", "2", "--rounds", "2", "--stored", "0"]
    monkeypatch.setattr(sys, "argv", ["label", *words])
    with as_loud_as_before():
        module.main()
    result = json.loads(capsys.readouterr().out)
    assert result["input_pixels"] == [56, 56] and result["ratio_label_to_pipeline"]["wall"] > 0
    assert set(result["photos_per_second"]) == {"label", "network", "pipeline"}
    for name in ("network", "pipeline"):
        assert len(result["throughput_of_label_by_round"][name]) == 2 and result["throughput_of_label"][name] > 0


def test_the_interval_of_a_ratio_holds_its_median_and_narrows_with_rounds(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    from common import interval, ratio

    rng, width = np.random.default_rng(0), {}
    for rounds in (3, 6, 40):
        times = {
            name: {clock: list(scale * rng.uniform(0.9, 1.1, rounds)) for clock in ("wall", "cpu")}
            for name, scale in (("a", 2.0), ("b", 1.0))
        }
        low, high = interval(times, "a", "b")["cpu"]
        assert low <= ratio(times, "a", "b")["cpu"] <= high
        width[rounds] = high - low
    assert width[40] < width[6]
    one_to_six = {"a": {"wall": [1, 2, 3, 4, 5, 6], "cpu": [1] * 6}, "b": {"wall": [1] * 6, "cpu": [1] * 6}}
    assert interval(one_to_six, "a", "b")["wall"] == [1, 6]  # 1 - 2 / 2**6 = 0.97; without the ends 0.78

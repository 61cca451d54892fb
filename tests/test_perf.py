"""Every benchmark prints one JSON object that names its floor and compares with it."""

import json
import os
import subprocess
import sys
from pathlib import Path

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
    "label": ["--photos", "3", "--size", "64", "--rounds", "1"],
    "synth": ["--photos", "2", "--size", "64", "--rounds", "1"],
    "collator": ["--photos", "3", "--size", "64", "--rounds", "1", *TINY],
    "train_step": ["--photos", "3", "--size", "64", "--rounds", "1", *TINY],
}


def test_all_benchmarks_are_tried():
    assert set(RUNS) == {path.stem for path in FOLDER.glob("*.py")} - {"common", "students"}


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_prints_one_json_object(name):
    command = [sys.executable, str(FOLDER / f"{name}.py"), *RUNS[name]]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout)
    ratios = [value for key, value in result.items() if key.startswith("ratio")]
    assert result["benchmark"] == name and result["floor"] and ratios and result["machine"]["cores"] > 0
    if name == "train_step":
        assert ratios[0]["joint_anchor"]["floor"] > ratios[0]["joint"]["floor"] > 1

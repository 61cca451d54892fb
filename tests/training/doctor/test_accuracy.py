"""Estimated memory beside what a fresh process takes at most, with a model of tens of millions of weights."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.tiny_data import save_tiny_data

TOOLS = Path(__file__).parents[3] / "tools"
CASE, STUDENT = "qwen2_5_vl_small_full_bf16", "qwen2_5_vl_small"


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone tells a process's peak")
def test_memory_is_estimated_within_a_quarter(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    import doctor_accuracy as tool

    data = save_tiny_data(tmp_path / "data", photos=2, turns=tool.TURNS, size=[tool.SIZE])
    folder = tool.student(STUDENT, tmp_path / "student")
    command = [sys.executable, tool.__file__, "--steps", "2", "--one", CASE, str(folder), str(data)]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    case = json.loads(out.splitlines()[-1])
    assert case["million_parameters"] > 20
    assert 0.75 < case["memory_ratio"] < 1.25, case["memory_mib"]

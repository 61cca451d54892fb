"""Folders that appear whole or not at all; optimizer and random numbers there and back."""

import random

import numpy as np
import pytest
import torch

from pseudogd.errors import InputError
from pseudogd.training import checkpoints
from pseudogd.training.metrics import MetricsLog


def test_a_folder_appears_when_it_is_whole(tmp_path):
    final = tmp_path / "checkpoint-1"
    with checkpoints.appearing_folder(final) as folder:
        (folder / "a").write_text("new")
        assert not final.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint-1"]
    with checkpoints.appearing_folder(final) as folder:
        (folder / "b").write_text("newer")
        assert (final / "a").exists()
    assert [p.name for p in final.iterdir()] == ["b"]


def test_files_may_be_read_by_whoever_may_enter_the_folder(tmp_path):
    with checkpoints.appearing_folder(tmp_path / "run") as folder:
        (folder / "weights").write_bytes(b"1")
        (folder / "weights").chmod(0o600)
    made = tmp_path / "run"
    assert (made / "weights").stat().st_mode & 0o777 == made.stat().st_mode & 0o666


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_nothing_is_left_of_a_folder_that_failed(tmp_path, error):
    final = tmp_path / "model"
    with pytest.raises(error), checkpoints.appearing_folder(final) as folder:
        (folder / "a").write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_line_that_says_so(tmp_path):
    with pytest.raises(InputError, match="make room") as caught, checkpoints.appearing_folder(tmp_path / "model"):
        raise OSError(28, "No space left on device")
    assert "\n" not in str(caught.value) and list(tmp_path.iterdir()) == []


def test_only_whole_checkpoints_count_newest_last(tmp_path):
    for name in ("checkpoint-9", "checkpoint-10", ".checkpoint-11.unfinished", ".checkpoint-8.deleted", "checkpoint-x"):
        (tmp_path / name).mkdir()
    assert [p.name for p in checkpoints.checkpoints(tmp_path)] == ["checkpoint-9", "checkpoint-10"]
    checkpoints.keep_newest(tmp_path, 1)
    checkpoints.remove_leftovers(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-x"]


def test_the_optimizer_goes_on_as_if_it_had_never_been_away(tmp_path):
    def made():
        torch.manual_seed(0)
        layer = torch.nn.Linear(3, 2)
        optimizer = torch.optim.AdamW(
            [{"params": [layer.weight], "name": "w"}, {"params": [layer.bias], "lr": 0.1}], lr=0.01
        )
        return layer, optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step / 3))

    def step(layer, optimizer, schedule):
        optimizer.zero_grad()
        layer(torch.ones(1, 3)).square().sum().backward()
        optimizer.step()
        schedule.step()

    whole, again = made(), made()
    for _ in range(3):
        step(*whole)
    checkpoints.save_optimizer(tmp_path, whole[1].state_dict(), whole[2].state_dict())
    again[0].load_state_dict(whole[0].state_dict())
    optimizer, schedule = checkpoints.load_optimizer(tmp_path)
    again[1].load_state_dict(optimizer)
    again[2].load_state_dict(schedule)
    for _ in range(3):
        step(*whole)
        step(*again)
    assert torch.equal(whole[0].weight, again[0].weight) and torch.equal(whole[0].bias, again[0].bias)
    assert [g["lr"] for g in whole[1].param_groups] == [g["lr"] for g in again[1].param_groups]
    assert again[1].param_groups[0]["name"] == "w"


def test_random_numbers_go_on_where_they_were(tmp_path):
    def draw():
        return random.random(), random.gauss(0, 1), np.random.standard_normal(), torch.randn(2).tolist()

    draw()  # an odd number of gaussians leaves one waiting in the generators of Python and NumPy
    checkpoints.save_random_state(tmp_path / "r.safetensors", checkpoints.random_state())
    first = draw()
    draw()
    checkpoints.load_random_state(tmp_path / "r.safetensors")
    assert draw() == first


def test_metrics_forget_the_steps_that_were_lost_and_the_line_that_was_cut(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    for step in (1, 2, 3):
        log.append({"step": step, "loss": 0.1 + step, "lr": {"llm": float("nan")}})
    with log.path.open("a") as file:
        file.write('{"step": 4, "lo')
    log.rewind(2)
    assert [row["step"] for row in log.rows()] == [1, 2]
    assert log.rows()[0] == {"step": 1, "loss": 1.1, "lr": {"llm": None}}
    log.append({"step": 3})
    assert [row["step"] for row in log.rows()] == [1, 2, 3]

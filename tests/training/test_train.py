"""Whole runs on a tiny student: exact resume whatever stopped the run, refusals, clean files on disk."""

import json
import shutil
import signal
import subprocess
import sys

import pytest
import torch
from helpers.tiny_data import save_tiny_data
from safetensors.torch import load_file

from pseudogd.errors import InputError, PseudoGDError, SettingsMismatch
from pseudogd.student.head import GeometryHead
from pseudogd.student.load import load_student
from pseudogd.training.metrics import MetricsLog
from pseudogd.training.photos import PhotoInputs
from pseudogd.training.recipe import load_recipe, recipe_text
from pseudogd.training.train import run_training

KILLED_WHILE_SAVING = """
import os, signal, sys
from pathlib import Path
from pseudogd.training import checkpoints
from pseudogd.training.recipe import load_recipe
from pseudogd.training.train import run_training
whole = checkpoints.save_random_state
def save(path, state):
    if "checkpoint-4" in str(path):
        os.kill(os.getpid(), signal.SIGKILL)
    whole(path, state)
checkpoints.save_random_state = save
run_training(load_recipe(sys.argv[1]), quiet=True, check=False)
"""


@pytest.fixture(scope="module")
def dropout_student(student_path, tmp_path_factory):
    """The tiny student with dropout: its weights depend on the random numbers of every step."""
    folder = tmp_path_factory.mktemp("dropout") / "student"
    shutil.copytree(student_path, folder)
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["attention_dropout"] = config["vision_config"]["attention_dropout"] = 0.2
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture
def recipe(recipe_of, dropout_student, tmp_path):
    def make(name="run", **changes):
        return recipe_of(
            **{"out": str(tmp_path / name), "model__path": str(dropout_student), "optim__steps": 5} | changes
        )

    return make


def run(recipe, **options):
    return run_training(recipe, quiet=True, check=False, **options)


def weights(result):
    found = load_file(result.model / "model.safetensors")
    head = result.out / "geometry_head.safetensors"
    return found | ({f"head.{k}": v for k, v in load_file(head).items()} if head.exists() else {})


def assert_same(a, b):
    assert a.keys() == b.keys()
    assert [k for k in a if not torch.equal(a[k], b[k])] == []


def timeless(result):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in MetricsLog(result.out / "metrics.jsonl").rows()]


def stop_at(monkeypatch, call, act):
    """Do `act` when a photo is asked for the `call`-th time."""
    plain, asked = PhotoInputs.__getitem__, []

    def asking(self, image_id):
        asked.append(image_id)
        if len(asked) == call:
            act()
        return plain(self, image_id)

    monkeypatch.setattr(PhotoInputs, "__getitem__", asking)


def fail():
    raise OSError("the machine was taken away")


def test_a_run_leaves_its_files_and_no_pickle(recipe):
    result = run(recipe())
    names = {path.name for path in result.out.iterdir()}
    assert names == {"recipe.yaml", "metrics.jsonl", "train.json", "checkpoint-5", "model", "geometry_head.safetensors"}
    suffixes = {path.suffix for path in result.out.rglob("*") if path.is_file()}
    assert suffixes <= {".json", ".jsonl", ".safetensors", ".yaml", ".jinja", ".md"}
    assert load_recipe(result.out / "recipe.yaml") == recipe()
    rows = timeless(result)
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5]
    assert {"lm_loss", "geometry_loss", "structure", "scale", "anchor_cos", "lambda", "lr", "grad_norm"} <= rows[
        0
    ].keys()
    assert all(name.startswith("encoder.") and ratio > 0 for name, ratio in rows[-1]["gradient_ratio"].items())
    assert (result.steps, result.rows, result.questions) == (5, 12, 30)
    card = (result.model / "README.md").read_text()
    assert "CC0-1.0" in card and "questions: 30" in card and "arm `joint`" in card


def test_a_checkpoint_is_an_ordinary_model_with_its_head_beside_it(recipe):
    result = run(recipe())
    from_checkpoint = load_student(result.out / "checkpoint-5").model.state_dict()
    assert_same(from_checkpoint, load_student(result.model).model.state_dict())
    head, extra = GeometryHead.load(result.out / "checkpoint-5" / "geometry_head.safetensors")
    assert extra["place"] == "encoder" and len(extra["layers"]) == len(head.read)
    assert not list(result.model.glob("*head*"))


@pytest.mark.parametrize(("arm", "log_every"), [("joint", 1), ("vqa_only", 3)])
def test_a_run_that_failed_and_was_started_again_ends_with_the_same_weights(recipe, arm, log_every, monkeypatch):
    settings = {"arm": arm, "optim__grad_accum": 2, "optim__precision": "bf16", "log_every": log_every}
    whole = run(recipe("whole", **settings))
    with monkeypatch.context() as patch:
        # nothing is kept, so 6 photos are asked for to start the head, and 4 for every step: fails in the fourth step,
        # when a checkpoint of the second and a line of metrics of the third are on disk
        stop_at(patch, (6 if arm == "joint" else 0) + 3 * 4 + 4, fail)
        with pytest.raises(OSError, match="taken away"):
            run(recipe("broken", data__cache_mb=0, **settings))
    assert MetricsLog(whole.out.parent / "broken" / "metrics.jsonl").rows()[-1]["step"] == 3
    assert [p.name for p in (whole.out.parent / "broken").glob("checkpoint-*")] == ["checkpoint-2"]
    resumed = run(recipe("broken", data__cache_mb=0, **settings))
    assert_same(weights(whole), weights(resumed))
    assert timeless(whole) == timeless(resumed)


@pytest.mark.slow
def test_a_run_killed_while_it_saves_goes_on_from_the_whole_checkpoint(recipe, tmp_path):
    whole = run(recipe("whole"))
    path = tmp_path / "killed.yaml"
    path.write_text(recipe_text(recipe("killed")))
    done = subprocess.run([sys.executable, "-c", KILLED_WHILE_SAVING, str(path)], env=None, check=False)
    assert done.returncode == -signal.SIGKILL
    killed = tmp_path / "killed"
    assert [p.name for p in killed.glob("checkpoint-*")] == ["checkpoint-2"]
    assert list(killed.glob(".checkpoint-4*"))
    resumed = run(recipe("killed"))
    assert_same(weights(whole), weights(resumed))
    assert timeless(whole) == timeless(resumed)
    assert not list(killed.glob(".*"))


def test_ctrl_c_saves_the_step_at_hand_and_the_same_command_goes_on(recipe, monkeypatch):
    whole = run(recipe("whole"))
    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        stop_at(patch, 6 + 5, lambda: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            run(recipe("stopped", data__cache_mb=0))
    assert signal.getsignal(signal.SIGINT) is before
    assert len(list((whole.out.parent / "stopped").glob("checkpoint-*"))) == 1
    assert_same(weights(whole), weights(run(recipe("stopped", data__cache_mb=0))))


def test_a_finished_run_is_left_alone(recipe, capfd):
    first = run(recipe())
    before = {path: path.stat().st_mtime_ns for path in first.out.rglob("*")}
    again = run_training(recipe(), check=False)
    assert again.already_done and not first.already_done
    assert "nothing to do" in capfd.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in first.out.rglob("*")} == before
    assert (again.model, again.steps, again.metrics) == (first.model, first.steps, first.metrics)


def test_another_recipe_in_the_same_folder_is_refused_naming_the_difference(recipe):
    run(recipe())
    with pytest.raises(SettingsMismatch, match=r"seed: 0 -> 3; geometry\.lambda: 0\.3 -> 1\.0"):
        run(recipe(seed=3, geometry__lambda=1.0))
    assert run(recipe(checkpoint__every=3)).already_done
    assert not run(recipe(seed=3), resume=False).already_done


def test_other_data_under_the_same_name_is_refused(recipe, tmp_path):
    data = save_tiny_data(tmp_path / "mine", photos=4, turns=3)
    run(recipe(data__path=str(data)))
    shutil.rmtree(tmp_path / "mine")
    save_tiny_data(tmp_path / "mine", photos=4, turns=3, seed=1)
    with pytest.raises(SettingsMismatch, match="geometry and questions"):
        run(recipe(data__path=str(data)))


def test_the_arms_see_the_same_rows_in_the_same_order(recipe, monkeypatch):
    from pseudogd.training.collator import JointCollator

    seen, plain = [], JointCollator.__call__

    def watched(self, rows):
        batch = plain(self, rows)
        seen[-1].append(batch["inputs"]["input_ids"])
        return batch

    monkeypatch.setattr(JointCollator, "__call__", watched)
    for arm in ("vqa_only", "joint", "geometry_only", "two_stage"):
        seen.append([])
        run(recipe(arm, arm=arm))
    assert all(len(batches) == 5 for batches in seen)
    for other in seen[1:]:
        assert all(torch.equal(a, b) for a, b in zip(seen[0], other))


def test_what_each_arm_trains(recipe):
    base = load_student(recipe().model.path).model.state_dict()

    def moved(arm, **changes):
        after = load_student(run(recipe(arm, arm=arm, **changes)).model).model.state_dict()
        return {k for k in base if not torch.equal(base[k], after[k])}

    assert any("language_model" in k for k in moved("vqa_only"))
    geometry = moved("geometry_only")
    assert any("vision_tower" in k for k in geometry) and not any("language_model" in k for k in geometry)
    assert any("language_model" in k for k in moved("two_stage"))


def test_a_part_with_rate_zero_stays_as_it_is(recipe):
    base = load_student(recipe().model.path).model.state_dict()
    result = run(recipe(optim__lr={"tower": 0, "projector": 0, "llm": 1e-3, "head": 1e-3}))
    after = load_student(result.model).model.state_dict()
    moved = {k for k in base if not torch.equal(base[k], after[k])}
    assert moved and all("language_model" in k or "lm_head" in k for k in moved)


def test_a_loss_that_is_no_number_stops_with_one_line(recipe, monkeypatch):
    broken = recipe(
        optim__lr={"tower": 1e30, "projector": 1e30, "llm": 1e30, "head": 1e30}, optim__clip=0, optim__warmup=0
    )
    with pytest.raises(PseudoGDError, match=r"at step \d.*lower optim\.lr") as caught:
        run(broken)
    assert "\n" not in str(caught.value)


def test_worker_processes_change_nothing(recipe):
    assert_same(weights(run(recipe("none"))), weights(run(recipe("two", data__workers=2))))


def test_an_unwritable_run_folder_is_one_line(recipe, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written") as caught:
        run(recipe(out=str(tmp_path / "file" / "run")))
    assert "\n" not in str(caught.value)

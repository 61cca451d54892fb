"""What a checkpoint states of its own depth errors reaches the questions."""

import json
import shutil

import pytest
from helpers.golden_folder import write_folder

import pseudogd
from pseudogd.errors import InputError
from pseudogd.store.dataset import Store
from pseudogd.teachers import load_teacher
from pseudogd.teachers.confidence import FlipConsistency
from pseudogd.world import checkpoint


def altered(folder, errors):
    shutil.copytree(checkpoint("teacher"), folder)
    values = json.loads((folder / "config.json").read_text())
    values.pop("depth_error", None)
    if errors is not None:
        values["depth_error"] = errors
    (folder / "config.json").write_text(json.dumps(values))
    return folder


def test_the_embedded_teacher_states_its_errors():
    teacher = load_teacher("embedded")
    assert teacher.errors == {"own": 0.08, "shared": 0.07}
    assert FlipConsistency(teacher).errors == teacher.errors


def test_a_checkpoint_without_a_statement_has_none(tmp_path):
    assert not load_teacher(str(altered(tmp_path / "t", None))).errors


@pytest.mark.parametrize("errors", [0.1, {"own": 1.5}, {"mine": 0.1}, {"own": "much"}])
def test_statements_that_cannot_be(tmp_path, errors):
    with pytest.raises(InputError, match="depth_error"):
        load_teacher(str(altered(tmp_path / "t", errors)))


def test_synth_believes_the_teacher_unless_told_otherwise(tmp_path):
    folder = write_folder(tmp_path / "golden", count=2)
    pseudogd.label(folder, "embedded", tmp_path / "data", folder / "cameras.json", quiet=True)
    assert Store(tmp_path / "data").settings("geometry")["depth_error"] == {"own": 0.08, "shared": 0.07}
    pseudogd.annotate(tmp_path / "data", f"coco:{folder / 'annotations.json'}", quiet=True)
    pseudogd.synth(tmp_path / "data", quiet=True)
    scene = Store(tmp_path / "data").settings("questions")["scene"]
    assert (scene["depth_sigma"], scene["scale_sigma"]) == (0.08, 0.07)
    pseudogd.synth(tmp_path / "data", scene={"depth_sigma": 0.2}, overwrite=True, quiet=True)
    scene = Store(tmp_path / "data").settings("questions")["scene"]
    assert (scene["depth_sigma"], scene["scale_sigma"]) == (0.2, 0.07)


def test_files_state_nothing(tmp_path):
    folder = write_folder(tmp_path / "golden", count=1)
    pseudogd.label(folder, f"files:{folder / 'depth'}", tmp_path / "data", quiet=True)
    assert "depth_error" not in Store(tmp_path / "data").settings("geometry")

import json
import shutil

import pytest
import torch

from pseudogd.errors import InputError
from pseudogd.student.load import load_student


def test_a_student_comes_ready_to_use(clip_folder):
    student = load_student(clip_folder, dtype="bfloat16")
    assert not student.model.training
    assert next(student.model.parameters()).dtype == torch.bfloat16
    assert type(student.processor.image_processor).__name__ == "CLIPImageProcessorPil"
    assert student.family.processor is student.processor and student.device.type == "cpu"


def test_a_missing_folder_is_one_line(tmp_path):
    with pytest.raises(InputError, match="no such folder") as e:
        load_student(tmp_path / "nothing")
    assert "\n" not in str(e.value)


def test_a_folder_without_a_config(tmp_path):
    with pytest.raises(InputError, match="config") as e:
        load_student(tmp_path)
    assert str(tmp_path) in str(e.value) and "\n" not in str(e.value)


def test_another_family_is_refused_before_any_weight_is_read(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(InputError, match=r"'bert'.*llava"):
        load_student(tmp_path)


def test_pickled_weights_are_refused(clip_folder, tmp_path):
    folder = tmp_path / "pickled"
    shutil.copytree(clip_folder, folder)
    state = torch.nn.Linear(2, 2).state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="pickled"):
        load_student(folder)


def test_weights_that_the_config_asks_for_and_nobody_has_are_not_made_up(clip_folder, tmp_path):
    folder = tmp_path / "deeper"
    shutil.copytree(clip_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["num_hidden_layers"] += 1
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"missing \(9, such as .*layers\.2\.") as e:
        load_student(folder)
    assert "\n" not in str(e.value)


def test_a_checkpoint_without_a_processor(clip_folder, tmp_path):
    folder = tmp_path / "bare"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(clip_folder / name, folder)
    with pytest.raises(InputError, match="processor"):
        load_student(folder)

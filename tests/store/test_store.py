"""A data folder gives back what was written, refuses other settings, and survives being moved and pickled."""

import json
import pickle
import shutil

import numpy as np
import pytest

from pseudogd.errors import InputError, SettingsMismatch
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo, Up
from pseudogd.store.dataset import Store
from pseudogd.store.rows import geometry_row
from pseudogd.store.shards import Failure, plan

TEACHER = TeacherInfo("some-teacher", "abc123", "def456", "Apache-2.0")
SETTINGS = {"teacher": {"name": "some-teacher", "size": 518}, "cameras": True}


def geometry(seed=0, full=True):
    rng = np.random.default_rng(seed)
    depth = rng.uniform(0.5, 8, (6, 8)).astype(np.float32)
    depth[0, 0], depth[0, 1] = np.nan, np.inf
    if not full:
        return Geometry(depth, None, scale=Scale.AFFINE_DISPARITY, teacher=TEACHER)
    normals = rng.normal(size=(6, 8, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    confidence = rng.uniform(0, 1, (6, 8)).astype(np.float32)
    camera = Camera.from_fov(16, 12, 60)
    return Geometry(depth, camera, normals, confidence, Up([0, -1, 0.1], 0.7), scale=Scale.METRIC, teacher=TEACHER)


def row(index, found):
    return geometry_row(found, image_id=f"id{index}", path=f"sub/{index}.png", width=16, height=12, aliases=["x.png"])


def write(root, count=5, shard_size=2):
    photos = root.parent / "photos"
    (photos / "sub").mkdir(parents=True, exist_ok=True)
    store = Store.open(root, "geometry", SETTINGS, photos=photos)
    parts = plan([str(index) for index in range(count)], shard_size)
    for part in parts:
        rows = [row(index, geometry(index, full=index != 3)) for index in range(part.start, part.stop) if index != 1]
        failures = [Failure("sub/1.png", "is empty")] if part.start <= 1 < part.stop else []
        store.write_shard("geometry", part, rows, failures)
    store.finish("geometry", len(parts), {"photos": count})
    return Store(root)


@pytest.fixture
def store(tmp_path):
    return write(tmp_path / "data")


def test_geometry_comes_back(store):
    assert store.geometry_ids() == ["id0", "id2", "id3", "id4"]
    found, truth = store.geometry("id2"), geometry(2)
    assert np.isnan(found.depth[0, 0]) and np.isposinf(found.depth[0, 1])
    known = truth.known
    assert np.abs(found.depth[known] / truth.depth[known] - 1).max() < 2e-4
    assert found.camera == truth.camera and found.scale is Scale.METRIC and found.teacher == TEACHER
    assert found.up.vector == pytest.approx(truth.up.vector) and found.up.confidence == truth.up.confidence
    assert np.abs(found.confidence - truth.confidence).max() < 0.01
    assert (found.normals * truth.normals).sum(axis=2).min() > 0.9999


def test_what_was_not_known_stays_unknown(store):
    found = store.geometry("id3")
    assert found.camera is found.normals is found.confidence is found.up is None
    assert found.scale is Scale.AFFINE_DISPARITY


def test_tables(store):
    assert store.photos().to_pylist()[1] == {
        "image_id": "id2",
        "path": "sub/2.png",
        "aliases": ["x.png"],
        "width": 16,
        "height": 12,
    }
    assert store.failures().to_pylist() == [{"image": "sub/1.png", "stage": "geometry", "reason": "is empty"}]
    assert store.counts("geometry") == {"photos": 5, "rows": 4, "failures": 1, "shards": 3}
    assert store.photo_path("id4").name == "4.png"
    with pytest.raises(KeyError):
        store.geometry("nobody")


def test_later_stages(store):
    later = Store.open(store.root, "objects", {"source": "coco"})
    parts = plan(later.geometry_ids(), 3)
    for part in parts:
        ids = later.geometry_ids()[part.start : part.stop]
        later.write_shard("objects", part, [{"image_id": one, "objects": [{"name": one}]} for one in ids])
    later.finish("objects", len(parts))
    read = Store(store.root)
    assert [read.objects(one) for one in ("id4", "id0", "nobody")] == [[{"name": "id4"}], [{"name": "id0"}], []]

    last = Store.open(store.root, "questions", {"seed": 0})
    question = {
        "question_id": "q",
        "image_id": "id0",
        "path": "sub/0.png",
        "task": "nearer",
        "kind": "ordinal",
        "frame": "camera",
        "text": "Which?",
        "answer": "A",
        "options": ["red", "blue"],
        "answer_index": 0,
        "margin": 1.5,
        "evidence": {"z": [1.0, 2.0]},
        "messages": [],
    }
    last.write_shard("questions", plan(["id0"], 1)[0], [question, {**question, "options": None, "answer_index": None}])
    last.finish("questions", 1)
    table = Store(store.root).questions(["text", "options", "value", "evidence"])
    assert table.column_names == ["text", "options", "value", "evidence"]
    first, second = table.to_pylist()
    assert first["options"] == ["red", "blue"] and second["options"] is None and first["value"] is None
    assert json.loads(first["evidence"]) == {"z": [1.0, 2.0]}
    with pytest.raises(InputError, match="no column 'colour'"):
        store.questions(["colour"]) if "questions" in store.manifest.stages else Store(store.root).questions(["colour"])


def test_a_stage_needs_those_before_it(tmp_path, store):
    with pytest.raises(InputError, match=r"no manifest\.json"):
        Store(tmp_path / "nothing")
    with pytest.raises(InputError, match="holds no objects yet; run `pseudogd annotate"):
        Store.open(store.root, "questions", {})
    unfinished = Store.open(tmp_path / "half", "geometry", SETTINGS, photos=tmp_path / "photos")
    with pytest.raises(InputError, match="was not finished"):
        Store(unfinished.root).geometry_ids()
    with pytest.raises(InputError, match="was not finished"):
        Store.open(unfinished.root, "objects", {})


def test_other_settings_are_refused_by_name(store):
    Store.open(store.root, "geometry", SETTINGS)
    other = {"teacher": {"name": "some-teacher", "size": 252}, "cameras": True, "new": 1}
    with pytest.raises(SettingsMismatch) as caught:
        Store.open(store.root, "geometry", other)
    said = str(caught.value)
    assert "teacher.size is 518 there, 252 now" in said and "new is not set there, 1 now" in said
    assert "name" not in said and "\n" not in said
    assert len(Store(store.root).geometry_ids()) == 4


def test_overwriting_deletes_the_stage_and_those_made_from_it(store):
    later = Store.open(store.root, "objects", {"source": "coco"})
    later.write_shard("objects", plan(["a"], 1)[0], [{"image_id": "id0", "objects": []}])
    later.finish("objects", 1)
    again = Store.open(store.root, "geometry", {"other": True}, resume=False)
    assert set(again.manifest.stages) == {"geometry"}
    assert not (store.root / "objects").exists() and not list((store.root / "geometry").glob("*"))


def test_shards_of_unknown_settings_are_not_trusted(store):
    manifest = json.loads((store.root / "manifest.json").read_text())
    del manifest["stages"]["geometry"]
    (store.root / "manifest.json").write_text(json.dumps(manifest))
    again = Store.open(store.root, "geometry", SETTINGS)
    assert not again.has_shard("geometry", plan([str(index) for index in range(5)], 2)[0])


def test_other_photos_are_refused_but_moved_ones_are_not(tmp_path, store):
    (tmp_path / "others").mkdir()
    with pytest.raises(SettingsMismatch, match="was made from the photos in"):
        Store.open(store.root, "geometry", SETTINGS, photos=tmp_path / "others")
    (tmp_path / "photos").rename(tmp_path / "moved")
    assert Store.open(store.root, "geometry", SETTINGS, photos=tmp_path / "moved").photos_folder.name == "moved"


def test_data_and_photos_can_move_together(tmp_path, store):
    (tmp_path / "photos" / "sub" / "0.png").write_bytes(b"x")
    (tmp_path / "elsewhere").mkdir()
    shutil.move(tmp_path / "photos", tmp_path / "elsewhere" / "photos")
    shutil.move(store.root, tmp_path / "elsewhere" / "data")
    moved = Store(tmp_path / "elsewhere" / "data")
    assert moved.photo_path("id0").read_bytes() == b"x"
    shutil.rmtree(tmp_path / "elsewhere" / "photos")
    with pytest.raises(InputError, match="no longer there"):
        moved.photo_path("id0")
    (tmp_path / "copy").mkdir()
    assert Store(moved.root, photos=tmp_path / "copy").photo_path("id0") == tmp_path / "copy" / "sub" / "0.png"


def test_a_row_cannot_point_out_of_the_photos(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    store = Store.open(tmp_path / "data", "geometry", SETTINGS, photos=photos)
    bad = geometry_row(geometry(), image_id="id", path="../secret.png", width=16, height=12)
    store.write_shard("geometry", plan(["a"], 1)[0], [bad])
    store.finish("geometry", 1)
    with pytest.raises(InputError, match="must be a path inside"):
        Store(store.root).photo_path("id")


def test_a_pickled_store_reads_the_same(store):
    store.geometry("id0")
    copy = pickle.loads(pickle.dumps(store))
    assert (copy.geometry("id0").depth == store.geometry("id0").depth).sum() > 40


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema_version": 99, "stages": {}}'])
def test_a_broken_or_newer_manifest_is_one_line(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputError) as caught:
        Store(tmp_path)
    assert "manifest.json" in str(caught.value) and "\n" not in str(caught.value)


def test_an_output_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "photos").mkdir()
    with pytest.raises(InputError, match="choose another"):
        Store.open(tmp_path / "file" / "data", "geometry", SETTINGS, photos=tmp_path / "photos")

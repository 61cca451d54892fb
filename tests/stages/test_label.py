"""`label` on folders with everything in them: the good photos are done, the others are one line each."""

import json
import math
import os
from collections import Counter

import numpy as np
import pytest
from helpers import photos as make
from helpers.tiny_depth_anything import save_tiny_depth_anything
from PIL import Image

from pseudogd.errors import InputError, SettingsMismatch
from pseudogd.geometry.types import Scale
from pseudogd.stages.label import label
from pseudogd.store.dataset import Store
from pseudogd.teachers import load_teacher
from pseudogd.teachers.base import Teacher


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    folder = save_tiny_depth_anything(tmp_path_factory.mktemp("teacher") / "tiny")
    return load_teacher(str(folder), device="cpu")


def fill(folder, files):
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def many(folder, count=9):
    return fill(folder, {f"{index}.png": make.as_bytes(make.scene(index)) for index in range(count)})


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run(photos, teacher, out, **options):
    return label(photos, teacher, out, **{"quiet": True, "batch_size": 4, **options})


def test_the_good_photos_are_done_and_the_bad_ones_are_listed(tmp_path, teacher):
    good = {name: data() for name, data in make.GOOD_KINDS.items()}
    bad = {name: data() for name, (data, _) in make.BAD_KINDS.items()}
    photos = fill(tmp_path / "photos", {**good, **bad, "notes.txt": b"no photo"})
    result = run(photos, teacher, tmp_path / "data", max_failures=len(bad) - 1)
    store = Store(tmp_path / "data")
    assert set(store.photos()["path"].to_pylist()) == set(good)
    ledger = {line["image"]: line["reason"] for line in store.failures().to_pylist()}
    assert set(ledger) == set(bad)
    for name, reason in ledger.items():
        assert make.BAD_KINDS[name][1] in reason and "\n" not in reason and not reason.startswith(name)
    assert (result.rows, result.failures, result.exit_code) == (len(good), len(bad), 1)
    for image_id in store.geometry_ids():
        assert store.photo_path(image_id).is_file()
        assert store.geometry(image_id).known.all()


def test_a_turned_photo_is_measured_upright(tmp_path, teacher):
    photos = fill(tmp_path / "photos", {"turned.jpg": make.rotated_jpeg(6)[0]})
    run(photos, teacher, tmp_path / "data")
    row = Store(tmp_path / "data").photos().to_pylist()[0]
    assert (row["width"], row["height"]) == (make.WIDTH, make.HEIGHT)


def test_duplicates_share_one_row(tmp_path, teacher):
    photos = many(tmp_path / "photos", 3)
    fill(photos, {"copy/again.png": (photos / "1.png").read_bytes(), "z.png": (photos / "1.png").read_bytes()})
    result = run(photos, teacher, tmp_path / "data")
    rows = Store(tmp_path / "data").photos().to_pylist()
    assert result.duplicates == 2 and [row["path"] for row in rows] == ["0.png", "1.png", "2.png"]
    assert rows[1]["aliases"] == ["copy/again.png", "z.png"] and rows[0]["aliases"] == []


def test_rows_do_not_depend_on_workers_and_say_who_made_them(tmp_path, teacher):
    photos = many(tmp_path / "photos")
    fill(photos, {"wide.png": make.as_bytes(make.scene(50, 90, 32)), "3b.png": b""})
    run(photos, teacher, tmp_path / "one", workers=1, shard_size=4)
    run(photos, teacher, tmp_path / "many", workers=5, shard_size=4)
    assert content(tmp_path / "one") == content(tmp_path / "many")
    store = Store(tmp_path / "one")
    assert store.geometry(store.geometry_ids()[0]).teacher == teacher.info
    assert store.settings("geometry")["teacher"] == teacher.settings


class Stopped(Teacher):
    """Another teacher, until Ctrl-C is pressed during its second batch."""

    def __init__(self, teacher):
        self.teacher, self.batches = teacher, 0
        self.info, self.settings, self.scale = teacher.info, teacher.settings, teacher.scale

    def prepare(self, photo):
        return self.teacher.prepare(photo)

    def bucket(self, prepared):
        return self.teacher.bucket(prepared)

    def infer(self, prepared):
        self.batches += 1
        if self.batches == 2:
            raise KeyboardInterrupt
        return self.teacher.infer(prepared)


def test_a_stopped_run_goes_on_to_the_same_bytes(tmp_path, teacher):
    photos = many(tmp_path / "photos")
    run(photos, teacher, tmp_path / "whole", shard_size=4)
    with pytest.raises(KeyboardInterrupt):
        run(photos, Stopped(teacher), tmp_path / "data", shard_size=4)
    with pytest.raises(InputError, match="was not finished"):
        Store(tmp_path / "data").geometry_ids()
    assert run(photos, teacher, tmp_path / "data", shard_size=4).resumed == 4
    assert content(tmp_path / "data") == content(tmp_path / "whole")


def test_new_photos_are_added(tmp_path, teacher):
    photos = many(tmp_path / "photos", 8)
    run(photos, teacher, tmp_path / "data", shard_size=4)
    fill(photos, {"9.png": make.as_bytes(make.scene(9))})
    assert run(photos, teacher, tmp_path / "data", shard_size=4).resumed == 8
    assert len(Store(tmp_path / "data").geometry_ids()) == 9


def test_a_changed_photo_is_done_again(tmp_path, teacher):
    photos = many(tmp_path / "photos", 3)
    run(photos, teacher, tmp_path / "data")
    before = Store(tmp_path / "data").geometry_ids()
    fill(photos, {"1.png": make.as_bytes(make.scene(77))})
    assert run(photos, teacher, tmp_path / "data").resumed == 0
    after = Store(tmp_path / "data").geometry_ids()
    assert before[1] != after[1] and before[::2] == after[::2]


def test_other_settings_are_refused_and_overwritten_on_demand(tmp_path, teacher):
    photos = many(tmp_path / "photos", 2)
    run(photos, teacher, tmp_path / "data")
    before = content(tmp_path / "data")
    with pytest.raises(SettingsMismatch, match="shard_size is 256 there, 7 now"):
        run(photos, teacher, tmp_path / "data", shard_size=7)
    assert content(tmp_path / "data") == before
    assert run(photos, teacher, tmp_path / "data", shard_size=7, overwrite=True).rows == 2


def test_cameras_come_from_the_file_then_exif_then_nowhere(tmp_path, teacher):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 28
    photos = fill(
        tmp_path / "photos",
        {
            "given.png": make.as_bytes(make.scene(0)),
            "none.png": make.as_bytes(make.scene(1)),
            "phone.jpg": make.as_bytes(make.scene(2), "JPEG", exif=exif),
            "absurd.png": make.as_bytes(make.scene(3)),
        },
    )
    cameras = tmp_path / "cameras.json"
    camera = {"fx": 50, "fy": 50, "cx": 23.5, "cy": 15.5, "width": 48, "height": 32}
    cameras.write_text(json.dumps({"given": camera, "none": None, "absurd": {**camera, "fx": -50}}))
    run(photos, teacher, tmp_path / "data", cameras=cameras)
    store = Store(tmp_path / "data")
    found = {row["path"]: store.geometry(row["image_id"]) for row in store.photos().to_pylist()}
    assert found["given.png"].camera.to_dict() == camera and found["given.png"].normals is not None
    assert found["none.png"].camera is None and found["none.png"].normals is None
    diagonal = math.hypot(48, 32) / math.hypot(36, 24)
    assert found["phone.jpg"].camera.fx == pytest.approx(28 * diagonal)
    assert all(geometry.scale is Scale.METRIC for geometry in found.values())
    said = {name: geometry.camera_source for name, geometry in found.items()}
    assert said == {"given.png": "file", "none.png": "unknown", "phone.jpg": "exif"}
    assert Counter(store.camera_sources()) == {"file": 1, "exif": 1, "unknown": 1}
    counts = store.counts("geometry")
    assert (counts["camera_file"], counts["camera_exif"], counts["camera_unknown"]) == (1, 1, 1)
    (failure,) = store.failures().to_pylist()
    assert failure["image"] == "absurd.png" and "fx must be > 0 pixels, got -50" in failure["reason"]


def test_a_corrected_camera_does_its_shard_again(tmp_path, teacher):
    photos = many(tmp_path / "photos", 8)
    cameras = tmp_path / "cameras.json"
    cameras.write_text(json.dumps({"5": {"fx": 0, "fy": 50}}))
    assert run(photos, teacher, tmp_path / "data", cameras=cameras, shard_size=4).failures == 1
    cameras.write_text(json.dumps({"5": {"fx": 50, "fy": 50}}))
    again = run(photos, teacher, tmp_path / "data", cameras=cameras, shard_size=4)
    assert (again.failures, again.resumed, again.exit_code) == (0, 4, 0)
    assert Store(tmp_path / "data").failures().num_rows == 0


def test_depth_files_that_do_not_fit(tmp_path):
    many(tmp_path / "photos" / "images", 5)
    depth = tmp_path / "photos" / "depth"
    depth.mkdir()
    Image.fromarray(np.full((32, 48), 1500, np.uint16)).save(depth / "0.png")
    Image.fromarray(np.zeros((32, 48), np.uint16)).save(depth / "1.png")
    Image.fromarray(np.full((48, 32), 1500, np.uint16)).save(depth / "2.png")
    np.savez(depth / "3.npz", depth=np.full((32, 48), np.nan))
    run(tmp_path / "photos", f"files:{depth}", tmp_path / "data")
    store = Store(tmp_path / "data")
    assert store.photos()["path"].to_pylist() == ["0.png"]
    reasons = [line["reason"] for line in store.failures().to_pylist()]
    for part, reason in zip(("all zero", "another aspect ratio", "no known depth", "no depth map 4.png"), reasons):
        assert part in reason
    assert np.median(store.geometry(store.geometry_ids()[0]).depth) == pytest.approx(1.5, rel=2e-4)


def test_added_depth_does_its_shard_again(tmp_path):
    photos, depth = many(tmp_path / "photos", 2), tmp_path / "depth"
    depth.mkdir()
    Image.fromarray(np.full((32, 48), 1500, np.uint16)).save(depth / "0.png")
    assert run(photos, f"files:{depth}", tmp_path / "data").failures == 1
    Image.fromarray(np.full((32, 48), 1500, np.uint16)).save(depth / "1.png")
    assert run(photos, f"files:{depth}", tmp_path / "data").failures == 0


def test_wrong_use_is_one_line(tmp_path, teacher):
    photos = many(tmp_path / "photos", 1)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    cases = {
        "no photos": (tmp_path / "empty", tmp_path / "data", {}),
        "no such folder": (tmp_path / "gone", tmp_path / "data", {}),
        "choose another --out": (photos, tmp_path / "file" / "data", {}),
        "batch_size": (photos, tmp_path / "data", {"batch_size": 0}),
        "shard_size": (photos, tmp_path / "data", {"shard_size": 0}),
        "cannot be read": (photos, tmp_path / "data", {"cameras": tmp_path / "gone.json"}),
    }
    for reason, (where, out, options) in cases.items():
        with pytest.raises(InputError, match=reason) as caught:
            run(where, teacher, out, **options)
        assert "\n" not in str(caught.value)


def test_unused_cameras_are_pointed_out(tmp_path, teacher, capsys):
    many(tmp_path / "world" / "images", 1)
    (tmp_path / "world" / "cameras.json").write_text("{}")
    run(tmp_path / "world", teacher, tmp_path / "data", quiet=False)
    assert "pass --cameras" in capsys.readouterr().err
    run(tmp_path / "world", teacher, tmp_path / "data")
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(os.name != "posix", reason="file names are text there")
def test_a_name_that_is_no_text_is_a_failure(tmp_path, teacher):
    photos = many(tmp_path / "photos", 1)
    (photos / os.fsdecode(b"caf\xe9.png")).write_bytes(make.as_bytes(make.scene(5)))
    assert run(photos, teacher, tmp_path / "data").rows == 1
    (failure,) = Store(tmp_path / "data").failures().to_pylist()
    assert failure["image"] == "caf\\xe9.png" and "not UTF-8" in failure["reason"]

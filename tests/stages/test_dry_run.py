"""A dry run writes nothing, and what it says is what the stage then takes."""

import io
import json
import shutil
import tarfile
from unittest import mock

import numpy as np
import pytest
from helpers import photos as make
from helpers.golden_folder import write_folder
from helpers.tiny_depth_anything import save_tiny_depth_anything
from helpers.tiny_detectors import save_tiny_owlv2

import pseudogd
from pseudogd import cli, exits
from pseudogd.errors import InputError
from pseudogd.store.dataset import Store

METADATA = 600
"""Bytes of a shard that say where it comes from."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for index in range(40):
        picture = make.Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8))
        (folder / f"{index:02d}.png").write_bytes(make.as_bytes(picture) if index % 10 else b"no picture %d" % index)
    return folder


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return f"depth-anything:{save_tiny_depth_anything(tmp_path_factory.mktemp('teacher') / 'tiny')}"


def test_what_it_says_is_what_it_takes(photos, teacher, tmp_path):
    found = pseudogd.label(photos, teacher, tmp_path / "data", batch_size=10, dry_run=True, quiet=True)
    assert not (tmp_path / "data").exists()
    assert (found.photos, found.sample, found.failed) == (40, 40, 4)
    assert found.photo_bytes == sum(path.stat().st_size for path in photos.iterdir())
    result = pseudogd.label(photos, teacher, tmp_path / "data", batch_size=10, max_failures=4, quiet=True)
    written = (tmp_path / "data" / "geometry" / "part-00000.parquet").stat().st_size
    assert result.rows == 36 and abs(found.bytes / written - 1) < 0.05
    assert found.seconds == pytest.approx(40 / found.photos_per_second)
    halved = pseudogd.label(photos, teacher, tmp_path / "data", batch_size=10, dry_run=True, num_shards=2, quiet=True)
    assert halved.seconds == pytest.approx(20 / halved.photos_per_second) and halved.jobs == 2
    assert len(Store(tmp_path / "data").geometry_ids()) == 36


def test_the_command_says_it_for_people_and_for_programs(photos, teacher, tmp_path, capsys):
    arguments = ["label", str(photos), "--teacher", teacher, "--out", str(tmp_path / "data"), "--dry-run"]
    assert exits.run(cli.app, arguments) == 0
    said = capsys.readouterr()
    assert said.out.startswith("40 photos of ") and "kB a photo, measured on 40, 4 of them failed" in said.out
    assert "dry run: labelling 40 of 40 photos" in said.err
    assert exits.run(cli.app, [*arguments, "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["photos"] == 40
    assert list(tmp_path.iterdir()) == []


def test_one_photo_is_enough_and_none_is_refused(teacher, tmp_path):
    (tmp_path / "one").mkdir()
    with pytest.raises(InputError, match="no photos"):
        pseudogd.label(tmp_path / "one", teacher, dry_run=True, quiet=True)
    (tmp_path / "one" / "a.png").write_bytes(make.as_bytes(make.scene()))
    assert pseudogd.label(tmp_path / "one", teacher, dry_run=True, quiet=True).photos == 1


def test_photos_at_an_address_are_listed_and_some_are_fetched(photos, teacher, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    for photo in photos.iterdir():
        for copy in "abc":
            memory.pipe(f"/dry/set/{copy}/{photo.name}", photo.read_bytes())
    fetched = []
    with mock.patch.object(type(memory), "cat_file", lambda fs, path: fetched.append(path) or fs.open(path).read()):
        found = pseudogd.label("memory://dry/set", teacher, tmp_path, batch_size=4, dry_run=True, quiet=True)
    assert (found.photos, found.sample, len(fetched)) == (120, 16, 16) and list(tmp_path.iterdir()) == []
    assert found.photo_bytes == found.unpacked_bytes == 3 * sum(path.stat().st_size for path in photos.iterdir())
    memory.pipe("/dry/set/more.tar", b"")
    with pytest.raises(InputError, match=r"more.tar would have to be fetched to count its photos"):
        pseudogd.label("memory://dry/set", teacher, dry_run=True, quiet=True)
    with pytest.raises(InputError, match="nothing is there"):
        pseudogd.label("memory://dry/none", teacher, dry_run=True, quiet=True)


def packed(path, folder, copies=1):
    """A tar with the folder's photos `copies` times, each different and with a camera."""
    camera = json.dumps({"fx": 60, "fy": 60, "cx": 32, "cy": 32, "width": 64, "height": 64}).encode()
    with tarfile.open(path, "w") as tar:
        for copy in range(copies):
            for photo in sorted(folder.iterdir()):
                own = photo.read_bytes() + bytes([copy])
                for name, data in ((f"{copy}{photo.stem}.png", own), (f"{copy}{photo.stem}.json", camera)):
                    member = tarfile.TarInfo(name)
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
    return path


def test_photos_in_a_tar_are_counted_and_some_are_measured(photos, teacher, tmp_path):
    tar = packed(tmp_path / "photos.tar", photos, 3)
    found = pseudogd.label(tar, teacher, tmp_path / "data", batch_size=10, dry_run=True, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["photos.tar"]
    assert (found.photos, found.sample) == (120, 40)
    assert found.photo_bytes == found.unpacked_bytes == 3 * sum(path.stat().st_size + 1 for path in photos.iterdir())
    assert " of unpacked photos (" in str(found)
    result = pseudogd.label(tar, teacher, tmp_path / "data", batch_size=10, max_failures=12, quiet=True)
    written = sum(path.stat().st_size for path in (tmp_path / "data" / "geometry").glob("*.parquet"))
    good = 1 - found.failed / found.sample
    assert result.rows == 108 and 0.7 < good < 1 and abs(found.bytes / good / (written / 0.9) - 1) < 0.05
    assert all(
        Store(tmp_path / "data").geometry(image_id).camera for image_id in Store(tmp_path / "data").geometry_ids()
    )


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    folder = write_folder(tmp_path_factory.mktemp("golden"), count=6, side=96)
    pseudogd.label(folder, f"files:{folder / 'depth'}", folder / "data", folder / "cameras.json", quiet=True)
    return folder


def files(folder):
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_objects_and_questions_are_foretold(golden, tmp_path, capsys):
    data = shutil.copytree(golden / "data", tmp_path / "data")
    coco = f"coco:{golden / 'annotations.json'}"
    before = files(data)
    found = pseudogd.annotate(data, coco, dry_run=True, quiet=True)
    assert files(data) == before
    done = pseudogd.annotate(data, coco, quiet=True)
    assert (found.photos, found.sample, found.failed, found.parts) == (6, 6, 0, "objects")
    assert found.parts_per_photo == pytest.approx(done.objects / 6)
    assert 0 <= (data / "objects" / "part-00000.parquet").stat().st_size - found.bytes < METADATA

    before = files(data)
    found = pseudogd.synth(data, dry_run=True, num_shards=2, workers=2, quiet=True)
    assert exits.run(cli.app, ["synth", str(data), "--dry-run"]) == 0
    assert " questions a photo, measured on 6)" in capsys.readouterr().out
    assert files(data) == before
    done = pseudogd.synth(data, quiet=True)
    assert found.parts_per_photo == pytest.approx(done.rows / 6)
    assert 0 <= (data / "questions" / "part-00000.parquet").stat().st_size - found.bytes < METADATA
    assert found.seconds == pytest.approx(3 / found.photos_per_second)
    with pytest.raises(InputError, match="leave out one of both"):
        pseudogd.synth(data, dry_run=True, rerender=True, quiet=True)


def test_a_detectors_work_is_foretold_by_the_command(golden, tmp_path, capsys):
    data = shutil.copytree(golden / "data", tmp_path / "data")
    before = files(data)
    words = [
        "annotate",
        str(data),
        "--source",
        f"owlv2:{save_tiny_owlv2(tmp_path / 'owl')}",
        "--classes",
        "chair,table",
    ]
    words += ["box_threshold=0.01", "device=cpu", "batch_size=2"]
    assert exits.run(cli.app, [*words, "--dry-run", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert files(data) == before and (found["photos"], found["failed"]) == (6, 0)
    assert exits.run(cli.app, [*words, "--quiet"]) == 0
    store = Store(data)
    objects = sum(len(store.objects(image_id)) for image_id in store.geometry_ids())
    assert found["parts_per_photo"] == pytest.approx(objects / 6) and objects


def test_nothing_labelled_is_one_line(tmp_path):
    with pytest.raises(InputError, match="pseudogd label"):
        pseudogd.synth(tmp_path / "data", dry_run=True, quiet=True)

"""A dry run writes nothing, and what it says is what labelling then takes."""

import json

import numpy as np
import pytest
from helpers import photos as make
from helpers.tiny_depth_anything import save_tiny_depth_anything

import pseudogd
from pseudogd import cli, exits
from pseudogd.errors import InputError
from pseudogd.store.dataset import Store


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
    with pytest.raises(InputError, match="cannot unpack"):
        pseudogd.label("s3://bucket/photos", teacher, dry_run=True, quiet=True)

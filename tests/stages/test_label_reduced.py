"""A JPEG that is read reduced: camera, maps, objects and exports are of the picture as everybody reads it."""

import json

import numpy as np
import pytest
from helpers.golden_folder import write_folder
from PIL import Image

import pseudogd
from pseudogd.benchmarks.backends.chat_server import data_url
from pseudogd.reports.pictures import file_url
from pseudogd.stages.packing import pictures
from pseudogd.store import reduced
from pseudogd.store.dataset import Store

SIDE = 160


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two golden pictures as JPEG, with outlines as they are, as run lengths, and as boxes."""
    folder = write_folder(tmp_path_factory.mktemp("golden"), count=2, side=SIDE)
    document = json.loads((folder / "annotations.json").read_text())
    for image in document["images"]:
        path = folder / "images" / image["file_name"]
        Image.open(path).convert("RGB").save(path.with_suffix(".jpg"), quality=95)
        path.unlink()
        image["file_name"] = f"{path.stem}.jpg"
    (folder / "annotations.json").write_text(json.dumps(document))
    return folder


def data_of(folder, out):
    pseudogd.label(folder, f"files:{folder / 'depth'}", out, folder / "cameras.json", quiet=True)
    pseudogd.annotate(out, f"coco:{folder / 'annotations.json'}", quiet=True)
    return Store(out)


def test_everything_is_of_the_picture_as_it_is_read(folder, tmp_path, monkeypatch):
    whole = data_of(folder, tmp_path / "whole")
    monkeypatch.setattr(reduced, "MAX_PIXELS", SIDE * SIDE - 1)
    half = data_of(folder, tmp_path / "half")
    assert half.failures().num_rows == whole.failures().num_rows == 0
    assert half.geometry_ids() == whole.geometry_ids()
    for image_id in whole.geometry_ids():
        one, other = whole.geometry(image_id), half.geometry(image_id)
        assert (other.camera.width, other.camera.height) == (SIDE // 2, SIDE // 2)
        assert other.camera == one.camera.resized(SIDE // 2, SIDE // 2)
        assert other.depth.shape == (SIDE // 2, SIDE // 2)
        large, small = whole.objects(image_id), half.objects(image_id)
        assert [o["name"] for o in large] == [o["name"] for o in small] and large
        for a, b in zip(large, small):
            np.testing.assert_allclose(np.array(b["bbox"]) * 2, a["bbox"], atol=2)
            assert b["rle"] is None or list(b["rle"]["size"]) == [SIDE // 2, SIDE // 2]
    table = half.photos().to_pydict()
    assert set(table["width"]) == set(table["height"]) == {SIDE // 2}


def test_a_camera_from_exif_shrinks_with_the_photo(tmp_path, monkeypatch):
    """Its focal length is in pixels of the file, by the resolution of the sensor."""
    exif = Image.Exif()
    own = exif.get_ifd(0x8769)
    own[0x920A], own[0xA20E], own[0xA210] = 5.0, 30.0, 4  # 5 mm at 30 pixels a millimetre
    (tmp_path / "photos").mkdir()
    Image.linear_gradient("L").resize((SIDE, 120)).convert("RGB").save(tmp_path / "photos" / "a.jpg", exif=exif)
    monkeypatch.setattr(reduced, "MAX_PIXELS", SIDE * 120 - 1)
    pseudogd.label(tmp_path / "photos", "embedded", tmp_path / "data", quiet=True)
    store = Store(tmp_path / "data")
    camera = store.geometry(store.geometry_ids()[0]).camera
    assert (camera.fx, camera.width, camera.height) == (pytest.approx(75), 80, 60)


def test_other_programs_get_it_as_it_is_read(folder, tmp_path, monkeypatch):
    photo = next((folder / "images").iterdir())
    monkeypatch.setattr(reduced, "MAX_PIXELS", SIDE * SIDE - 1)
    name = pictures.Pictures("copy").put(photo, "a" * 64, tmp_path)
    with Image.open(tmp_path / name) as image:
        assert image.size == (SIDE // 2, SIDE // 2)
    assert data_url(photo).startswith("data:image/jpeg;base64,")
    assert len(data_url(photo)) < len(photo.read_bytes()) * 4 / 3
    assert file_url(photo).startswith("data:image/")

"""A camera comes from the file, else from EXIF, else it is unknown; nonsense is one line."""

import json

import pytest

from pseudogd.errors import InputError
from pseudogd.geometry.camera import Camera
from pseudogd.teachers.cameras import CameraFile, camera_and_source, camera_of, source_of

GOOD = {"fx": 50.0, "fy": 51.0, "cx": 23.5, "cy": 15.5, "width": 48, "height": 32}
EXIF = {0xA405: 28}


def write(tmp_path, content):
    path = tmp_path / "cameras.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize("key", ["sub/a.jpg", "sub/a", "a.jpg", "a"])
def test_a_photo_is_found_by_path_or_name_with_or_without_extension(tmp_path, key):
    file = CameraFile(write(tmp_path, {key: GOOD, "b": None}))
    assert file.camera("sub/a.jpg", 48, 32) == Camera.from_dict(GOOD)
    assert file.camera("sub/b.jpg", 48, 32) is None


def test_the_path_goes_before_the_name(tmp_path):
    file = CameraFile(write(tmp_path, {"a": {**GOOD, "fx": 99}, "sub/a": GOOD}))
    assert file.camera("sub/a.jpg", 48, 32).fx == 50 and file.camera("other/a.jpg", 48, 32).fx == 99


def test_a_camera_of_another_size_is_resized_to_the_photo(tmp_path):
    file = CameraFile(write(tmp_path, {"a": GOOD}))
    assert file.camera("a.jpg", 96, 64) == Camera.from_dict(GOOD).resized(96, 64)


def test_centre_and_size_may_be_left_out(tmp_path):
    file = CameraFile(write(tmp_path, {"a": {"fx": 50, "fy": 50}}))
    assert file.camera("a.jpg", 48, 32) == Camera(50, 50, 23.5, 15.5, 48, 32)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({**GOOD, "fx": 0}, "fx must be > 0"),
        ({**GOOD, "fy": -3}, "fy must be > 0"),
        ({**GOOD, "fx": float("nan")}, "fx must be finite"),
        ({**GOOD, "fx": "wide"}, "fx must be a number"),
        ({"fx": 50}, "lacks fy"),
        ({**GOOD, "width": 32, "height": 48}, "the photo has 48 x 32"),
        ({**GOOD, "width": 0}, "width"),
        ({**GOOD, "width": "48"}, "width"),
        ([50, 50], "not a list"),
        ("50", "not a text"),
        (50, "not a number"),
    ],
)
def test_cameras_that_cannot_be_are_one_line_with_file_and_photo(tmp_path, entry, reason):
    file = CameraFile(write(tmp_path, {"a": entry}))
    with pytest.raises(InputError, match=reason) as caught:
        file.camera("a.jpg", 48, 32)
    said = str(caught.value)
    assert said.startswith("cameras.json: camera of a.jpg") and "\n" not in said


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "3"])
def test_a_file_that_is_no_table_is_one_line(tmp_path, content):
    with pytest.raises(InputError, match=r"cameras\.json"):
        CameraFile(write(tmp_path, content))
    with pytest.raises(InputError, match="cannot be read"):
        CameraFile(tmp_path / "gone.json")


def test_the_file_goes_before_exif_and_null_means_unknown(tmp_path):
    file = CameraFile(write(tmp_path, {"a": GOOD, "b": None}))
    assert camera_of("a.jpg", 48, 32, file, EXIF).fx == 50
    assert camera_of("b.jpg", 48, 32, file, EXIF) is None
    from_exif = Camera.from_exif(EXIF, 48, 32)
    assert from_exif is not None and camera_of("c.jpg", 48, 32, file, EXIF) == from_exif
    assert camera_of("c.jpg", 48, 32, None, {}) is None


def test_who_says_what_the_camera_is(tmp_path):
    """File before EXIF before teacher; null in the file leaves the word to the teacher."""
    own, estimated = ({"fx": f, "fy": f, "cx": 9.5, "cy": 9.5, "width": 20, "height": 20} for f in (30.0, 40.0))
    (tmp_path / "cameras.json").write_text(json.dumps({"a": own, "b": None}))
    file, exif = CameraFile(tmp_path / "cameras.json"), {0xA405: 28}
    guess = Camera.from_dict(estimated)
    said = {name: camera_and_source(f"{name}.png", 20, 20, file, exif) for name in "abc"}
    assert {name: source for name, (_, source) in said.items()} == {"a": "file", "b": "unknown", "c": "exif"}
    assert camera_and_source("c.png", 20, 20)[1] == "unknown"
    for name, (camera, source) in said.items():
        assert source_of(camera or guess, camera, source) == {"a": "file", "b": "teacher", "c": "exif"}[name]
        assert source_of(None, camera, source) == "unknown"

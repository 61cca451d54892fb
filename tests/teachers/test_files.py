"""Depth maps of another program: read as they are, or refused with the file's name."""

import numpy as np
import pytest
from helpers.photos import bomb_png, scene
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Scale
from pseudogd.teachers import load_teacher

CAMERA = Camera.from_fov(48, 32, 60)


def save(path, millimetres):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(millimetres, np.uint16)).save(path)


def ramp(rows=32, columns=48):
    return np.linspace(500, 4000, rows)[:, None].repeat(columns, 1).astype(np.uint16)


def predict(folder, name="a.jpg", camera=CAMERA, photo=None, **options):
    return load_teacher(f"files:{folder}", **options).predict(photo or scene(), camera, name)


def test_millimetres_become_metres_and_zero_unknown(tmp_path):
    values = ramp()
    values[3, 4] = 0
    save(tmp_path / "a.png", values)
    found = predict(tmp_path)
    assert found.scale is Scale.METRIC and found.camera == CAMERA
    assert np.isnan(found.depth[3, 4]) and found.depth[0, 0] == pytest.approx(0.5) and found.depth[-1, 0] == 4
    assert found.normals.shape == (32, 48, 3)
    assert predict(tmp_path, camera=None).normals is None


def test_other_units_and_scales(tmp_path):
    save(tmp_path / "a.png", ramp())
    found = predict(tmp_path, metres_per_unit=0.0002, scale="up_to_scale", name="a.jpg", licence="MIT")
    assert found.depth[-1, 0] == pytest.approx(0.8) and found.scale is Scale.UP_TO_SCALE
    assert found.teacher.licence == "MIT"
    for options in ({"metres_per_unit": 0}, {"metres_per_unit": float("nan")}, {"scale": "affine_disparity"}):
        with pytest.raises(InputError):
            load_teacher(f"files:{tmp_path}", **options)


def test_a_file_is_found_by_path_then_by_name(tmp_path):
    save(tmp_path / "sub" / "a.png", np.full((32, 48), 1000))
    save(tmp_path / "a.png", np.full((32, 48), 2000))
    save(tmp_path / "it's 📷 v1.2.png", np.full((32, 48), 3000))
    medians = [np.median(predict(tmp_path, name).depth) for name in ("sub/a.jpg", "other/a.jpg", "it's 📷 v1.2.JPG")]
    assert medians == pytest.approx([1, 2, 3])


def test_floats_in_npz(tmp_path):
    depth = np.full((32, 48), 1.5, np.float32)
    depth[0, :4] = [np.nan, -1, np.inf, 0]
    np.savez(tmp_path / "a.npz", depth=depth)
    found = predict(tmp_path).depth
    assert found[5, 5] == 1.5 and np.isnan(found[0, [0, 1, 3]]).all() and np.isposinf(found[0, 2])


def test_a_smaller_map_stays_and_a_larger_one_is_sampled(tmp_path):
    save(tmp_path / "small.png", ramp(16, 24))
    save(tmp_path / "large.png", ramp(320, 480))
    assert predict(tmp_path, "small.jpg").depth.shape == (16, 24)
    large = predict(tmp_path, "large.jpg").depth
    assert large.shape == (32, 48)
    assert np.isin(np.rint(large * 1000), ramp(320, 480)).all()  # no depth that was not there


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (np.zeros((32, 48), np.uint16), "no known depth"),
        (np.ones((32, 32), np.uint16), "another aspect ratio"),
        (np.ones((32, 48), np.uint8), "not 16-bit grey"),
        (np.ones((32, 48, 3), np.uint8), "not 16-bit grey"),
        (b"", "cannot be read as PNG"),
        (b"no picture", "cannot be read as PNG"),
        (bomb_png(), "pixels"),
        (bomb_png(10_000, 10_000), "pixels"),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_bad_png_files_are_named(tmp_path, content, reason):
    path = tmp_path / "a.png"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        Image.fromarray(content).save(path)
    with pytest.raises(InputError, match=reason) as caught:
        predict(tmp_path)
    assert "a.png" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"depth": np.full((32, 48), np.nan)}, "no known depth"),
        ({"depth": np.ones((32, 48), int)}, "needs one float array"),
        ({"depth": np.ones(5)}, "needs one float array"),
        ({}, "holds no array"),
        ({"depth": np.array([[{}]], object)}, "cannot be read as npz"),
        (None, "cannot be read as npz"),
    ],
)
def test_bad_npz_files_are_named(tmp_path, arrays, reason):
    if arrays is None:
        (tmp_path / "a.npz").write_bytes(b"PK but no archive")
    else:
        np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=reason):
        predict(tmp_path)


def test_a_photo_without_depth_and_a_folder_that_is_none(tmp_path):
    with pytest.raises(InputError, match=r"no depth map a\.png"):
        predict(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        load_teacher(f"files:{tmp_path / 'gone'}")


def test_the_fingerprint_follows_the_depth_file(tmp_path):
    teacher = load_teacher(f"files:{tmp_path}")
    missing = teacher.fingerprint("a.jpg")
    save(tmp_path / "a.png", ramp())
    first = teacher.fingerprint("a.jpg")
    save(tmp_path / "a.png", ramp() + 1)
    assert len({missing, first, teacher.fingerprint("a.jpg")}) == 3

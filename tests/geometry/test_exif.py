import math

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from pseudogd.geometry.camera import Camera
from pseudogd.geometry.exif import focal_from_exif

FULL_FRAME = {"FocalLength": 50.0, "FocalPlaneXResolution": 6000 / 36 * 25.4, "FocalPlaneResolutionUnit": 2}


def test_film_focal_length_is_read_along_the_diagonal():
    diagonal = math.hypot(36, 24)
    assert focal_from_exif({"FocalLengthIn35mmFilm": 28}, 6000, 4000) == pytest.approx(28 * 6000 / 36)
    assert focal_from_exif({"FocalLengthIn35mmFilm": 28}, 4000, 3000) == pytest.approx(28 * 5000 / diagonal)


def test_turning_or_resizing_the_photo_keeps_its_field_of_view():
    exif = {"FocalLengthIn35mmFilm": 26}
    lying, upright, small = (Camera.from_exif(exif, *size) for size in ((4000, 3000), (3000, 4000), (400, 300)))
    assert lying.fov_x == pytest.approx(upright.fov_y) == pytest.approx(small.fov_x)


@pytest.mark.parametrize(("unit", "per_mm"), [(2, 25.4), (3, 10.0), (4, 1.0), (None, 25.4)])
def test_focal_plane_resolution_counts_pixels_per_unit(unit, per_mm):
    exif = {"FocalLength": 35.0, "FocalPlaneXResolution": 160.0 * per_mm}
    if unit is not None:
        exif["FocalPlaneResolutionUnit"] = unit
    assert focal_from_exif(exif, 6000, 4000) == pytest.approx(35 * 160)


def test_focal_plane_resolution_follows_a_resize_and_a_turn():
    exif = {**FULL_FRAME, "PixelXDimension": 6000, "PixelYDimension": 4000}
    assert focal_from_exif(exif, 6000, 4000) == pytest.approx(50 * 6000 / 36)
    assert focal_from_exif(exif, 600, 400) == pytest.approx(50 * 600 / 36)
    assert focal_from_exif(exif, 400, 600) == pytest.approx(50 * 600 / 36)


def test_film_value_comes_first():
    assert focal_from_exif({**FULL_FRAME, "FocalLengthIn35mmFilm": 75}, 6000, 4000) == pytest.approx(75 * 6000 / 36)


@pytest.mark.parametrize(
    "exif",
    [
        {},
        {"Make": "x"},
        {"FocalLength": 50.0},
        {"FocalPlaneXResolution": 4000.0},
        {"FocalLengthIn35mmFilm": 0},
        {"FocalLengthIn35mmFilm": "wide"},
        {"FocalLengthIn35mmFilm": math.nan},
        {"FocalLengthIn35mmFilm": (28, 0)},
        {"FocalLengthIn35mmFilm": 1},  # 170 degrees: broken
        {"FocalLengthIn35mmFilm": 65535},
        {**FULL_FRAME, "FocalPlaneResolutionUnit": 1},  # no unit at all
        {"FocalLengthIn35mmFilm": 28, "PixelXDimension": 6000, "PixelYDimension": 4000},  # cropped to 4:3 since
    ],
)
def test_silence_and_nonsense_give_no_camera(exif):
    assert Camera.from_exif(exif, 4000, 3000) is None


def test_pillow_exif_is_understood_with_and_without_its_nested_part(tmp_path):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 35
    exif.get_ifd(0x8769)[0x920A] = IFDRational(28, 5)
    Image.new("RGB", (90, 60)).save(tmp_path / "p.jpg", exif=exif)
    with Image.open(tmp_path / "p.jpg") as image:
        camera = Camera.from_exif(image.getexif(), *image.size)
    assert camera is not None and camera.fx == pytest.approx(35 * 90 / 36)
    assert (camera.cx, camera.cy) == (44.5, 29.5)
    assert Camera.from_exif({0xA405: 35}, 90, 60) == camera
    assert Camera.from_exif({0x8769: {0xA405: 35}}, 90, 60) == camera

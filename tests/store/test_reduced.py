"""JPEG photos of more pixels than are decoded: read at a part of their size by everybody, within bounds of memory."""

import io
import subprocess
import sys

import numpy as np
import pytest
from helpers import photos as make
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.store import photos, reduced

BOUND = 1536  # pixels; scenes of these tests have 96 x 64


@pytest.fixture
def small_bound(monkeypatch):
    monkeypatch.setattr(reduced, "MAX_PIXELS", BOUND)


def scene(size=(96, 64)):
    return make.scene().resize(size, Image.Resampling.BICUBIC)


def test_the_smallest_factor_that_fits_is_taken():
    assert reduced.reduction(12_000, 9_000) == 2 and reduced.reduced_size(12_000, 9_000) == (6_000, 4_500)
    assert reduced.reduction(9_459, 9_459) == 1 and reduced.reduction(9_460, 9_460) == 2
    assert reduced.reduced_size(16_321, 12_241) == (8_161, 6_121)
    assert reduced.reduced_size(65_535, 5_400) == (32_768, 2_700)
    assert reduced.reduction(40_000, 8_946) == 2 and reduced.reduction(40_002, 8_950) == 4


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("size", [(96, 64), (97, 63), (128, 96)])
def test_a_large_jpeg_looks_as_it_did_at_a_part_of_its_size(small_bound, mode, size):
    data = make.as_bytes(scene(size).convert(mode), "JPEG", quality=95)
    image, _ = photos.decode_photo(data, "big.jpg")
    assert image.mode == "RGB" and image.size == reduced.reduced_size(*size) and image.width * image.height <= BOUND
    plain = Image.open(io.BytesIO(data)).convert("RGB").resize(image.size, Image.Resampling.BOX)
    assert np.abs(np.asarray(image, float) - np.asarray(plain, float)).mean() < 6


def test_the_first_picture_of_several_in_a_jpeg_is_read_reduced(small_bound):
    """As some telephones write them (MPO)."""
    buffer = io.BytesIO()
    scene().save(buffer, "MPO", save_all=True, append_images=[Image.new("RGB", (96, 64), "red")])
    image, _ = photos.decode_photo(buffer.getvalue(), "two.jpg")
    assert image.size == (48, 32) and np.asarray(image, float).std() > 10


def test_it_is_upright_and_knows_its_size_and_id(small_bound, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "lying.jpg"
    path.write_bytes(make.as_bytes(scene(), "JPEG", exif=exif))
    loaded = photos.open_photo(path)
    assert loaded.image.size == (32, 48) and loaded.full_size == (64, 96) and loaded.is_reduced
    assert loaded.image_id == photos.photo_id(path)
    with open(path, "rb") as file:
        assert photos.upright_size(file, "lying.jpg") == loaded.image.size


def test_other_formats_and_what_the_user_forbids_are_refused_with_what_to_do(small_bound):
    png = make.as_bytes(scene())
    with pytest.raises(InputError, match=r"^a b\.png: 96 x 64 .* 1,536; shrink it first.* -resize 50% 'a b\.png'$"):
        photos.decode_photo(png, "a b.png", BOUND)
    jpeg = make.as_bytes(scene(), "JPEG")
    with pytest.raises(InputError, match="96 x 64 pixels are more than 1,000; shrink it first"):
        photos.decode_photo(jpeg, "big.jpg", 1000)


def test_beyond_the_largest_jpeg_nothing_is_decoded(small_bound, monkeypatch):
    monkeypatch.setattr(reduced, "MAX_JPEG_PIXELS", 96 * 64 - 1)
    with pytest.raises(InputError, match="more than 6,143, the most of a JPEG; shrink it first"):
        photos.decode_photo(make.as_bytes(scene(), "JPEG"), "big.jpg")
    monkeypatch.setattr(reduced, "MAX_JPEG_PIXELS", 96 * 64)
    monkeypatch.setattr(reduced, "MAX_PROGRESSIVE_PIXELS", 96 * 64 - 1)
    assert photos.decode_photo(make.as_bytes(scene(), "JPEG"), "big.jpg")[0].size == (48, 32)
    with pytest.raises(InputError, match="of a progressive JPEG"):
        photos.decode_photo(make.as_bytes(scene(), "JPEG", progressive=True), "big.jpg")


def test_where_pillow_refuses_to_open_a_jpeg_is_read_all_the_same(small_bound, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # it raises beyond twice as many
    assert photos.decode_photo(make.as_bytes(scene(), "JPEG"), "big.jpg")[0].size == (48, 32)
    with pytest.raises(InputError, match="shrink it first, as by: magick"):
        photos.decode_photo(make.as_bytes(scene()), "big.png")


MEASURE = """
import resource, sys
from pseudogd.store.photos import open_photo
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
loaded = open_photo(sys.argv[1])
rise = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(*loaded.image.size, *loaded.full_size, rise // 1024)
"""


def test_a_photo_of_12000_by_9000_pixels_takes_little_memory(tmp_path):
    path = tmp_path / "big.jpg"
    Image.linear_gradient("L").resize((12_000, 9_000), Image.Resampling.NEAREST).save(path, quality=80)
    said = subprocess.run([sys.executable, "-c", MEASURE, path], capture_output=True, text=True, check=True).stdout
    *sizes, mebibytes = map(int, said.split())
    assert sizes == [6_000, 4_500, 12_000, 9_000]
    assert mebibytes < 250  # decoded whole it would be 412, and half of that again in grey

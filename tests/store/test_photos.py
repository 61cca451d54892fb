"""Any file in a folder of photos is either an upright RGB picture or one clear line."""

import io
import os
import struct
import warnings
import zlib

import numpy as np
import pytest
from helpers import photos as make
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.store import photos


def decode(data, **options):
    return photos.decode_photo(data, "it.png", **options)[0]


def mean_difference(image, other):
    return np.abs(np.asarray(image, float) - np.asarray(other, float)).mean()


@pytest.mark.parametrize("name", make.GOOD_KINDS)
def test_every_good_kind_becomes_rgb(name):
    image = decode(make.GOOD_KINDS[name]())
    assert image.mode == "RGB"
    assert image.size == (make.WIDTH, make.HEIGHT)


@pytest.mark.parametrize("name", make.BAD_KINDS)
def test_every_bad_kind_is_one_line_with_its_name(name):
    data, reason = make.BAD_KINDS[name]
    with pytest.raises(InputError, match=reason) as caught:
        photos.decode_photo(data(), name)
    assert str(caught.value).startswith(name) and "\n" not in str(caught.value)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(orientation):
    data, upright = make.rotated_jpeg(orientation)
    image = decode(data)
    assert image.size == upright.size
    assert mean_difference(image, upright) < 6
    assert mean_difference(image, upright.transpose(Image.Transpose.ROTATE_180)) > 30


def exif_behind_pixels():
    """A PNG of 48 x 32 that says at its end that it lies on its side."""
    body = make.as_bytes(make.scene())
    exif = Image.Exif()
    exif[0x0112] = 6
    data = exif.tobytes()[6:]
    chunk = struct.pack(">I", len(data)) + b"eXIf" + data + struct.pack(">I", zlib.crc32(b"eXIf" + data))
    return body[:-12] + chunk + body[-12:]


@pytest.mark.parametrize(
    "data", [*(k() for k in make.GOOD_KINDS.values()), make.rotated_jpeg(5)[0], exif_behind_pixels()]
)
def test_the_size_is_known_before_decoding(data):
    assert photos.upright_size(io.BytesIO(data), "it") == decode(data).size


def test_a_picture_without_a_readable_size_is_one_line_with_its_name():
    for name in ("empty.jpg", "text.jpg", "bomb.png", "phone.heic"):
        data = make.BAD_KINDS[name][0]()
        with pytest.raises(InputError) as caught:
            photos.upright_size(io.BytesIO(data), name)
        assert str(caught.value).startswith(name) and "\n" not in str(caught.value)


def test_sixteen_bits_are_scaled_not_cut_off():
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    grey = np.asarray(decode(make.as_bytes(Image.fromarray(ramp))))
    assert (grey[..., 0].ravel() == np.rint(ramp.ravel() / 257)).all()


def test_a_dark_sixteen_bit_photo_stays_dark():
    dark = Image.fromarray(np.full((8, 8), 255, np.uint16))
    assert np.asarray(decode(make.as_bytes(dark))).max() <= 1


def test_floats_of_a_photo_are_read_and_others_refused():
    unit = Image.fromarray(np.full((4, 4), 0.5, np.float32))
    assert np.asarray(decode(make.as_bytes(unit, "TIFF"))).max() in (127, 128)
    heights = Image.fromarray(np.full((4, 4), -3.0, np.float32))
    with pytest.raises(InputError, match="grey levels"):
        decode(make.as_bytes(heights, "TIFF"))


def test_transparent_pixels_lie_on_white():
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    image.putpixel((0, 0), (255, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 128))
    pixels = np.asarray(decode(make.as_bytes(image)))
    assert tuple(pixels[0, 0]) == (255, 0, 0) and tuple(pixels[3, 3]) == (255, 255, 255)
    assert abs(int(pixels[0, 1, 0]) - 127) <= 1


def test_a_transparent_palette_colour_lies_on_white():
    image = Image.new("P", (4, 4), 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((2, 2), 1)
    pixels = np.asarray(decode(make.as_bytes(image, transparency=0)))
    assert tuple(pixels[0, 0]) == (255, 255, 255) and tuple(pixels[2, 2]) == (200, 100, 50)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_counts(kind):
    red, green, blue = np.asarray(decode(make.animated(kind)), float).mean(axis=(0, 1))
    assert red > 240 and green < 15 and blue < 15


def test_cmyk_keeps_its_colours():
    scene = make.scene(3)
    image = decode(make.as_bytes(scene.convert("CMYK"), "JPEG", quality=95))
    assert mean_difference(image, scene) < 12


def test_size_is_checked_before_decoding():
    huge = make.as_bytes(Image.new("1", (10_000, 10_000)))
    with pytest.raises(InputError, match="10000 x 10000"):
        decode(huge)
    small = make.as_bytes(make.scene())
    with pytest.raises(InputError, match="more than 1,535"):
        decode(small, max_pixels=make.WIDTH * make.HEIGHT - 1)
    assert decode(small, max_pixels=make.WIDTH * make.HEIGHT).size == (make.WIDTH, make.HEIGHT)


def test_a_page_description_is_not_run():
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
    with pytest.raises(InputError, match="not a picture"):
        decode(eps)


def test_broken_exif_does_not_cost_the_photo():
    scene = make.scene()
    data = make.as_bytes(scene, "JPEG", quality=95, exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xee" * 30)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image, exif = photos.decode_photo(data, "it.jpg")
    assert mean_difference(image, scene) < 6 and 0x0112 not in exif


def test_an_unknown_orientation_is_ignored():
    for value in (0, 9, 77):
        exif = Image.Exif()
        exif[0x0112] = value
        scene = make.scene()
        assert decode(make.as_bytes(scene, exif=exif)).tobytes() == scene.tobytes()


def test_exif_of_the_camera_is_handed_on():
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 28
    data = make.as_bytes(make.scene(), "JPEG", exif=exif)
    assert photos.decode_photo(data, "it.jpg")[1][0xA405] == 28


def test_open_photo_gives_the_id_of_the_bytes(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(make.as_bytes(make.scene()))
    (tmp_path / "b.png").write_bytes(path.read_bytes())
    loaded = photos.open_photo(path)
    assert loaded.image_id == photos.photo_id(path) == photos.photo_id(tmp_path / "b.png")
    assert len(loaded.image_id) == 64
    with pytest.raises(InputError, match=r"gone\.png"):
        photos.open_photo(tmp_path / "gone.png")


def test_listing_is_sorted_recursive_and_without_hidden_files(tmp_path):
    for name in ("b.jpg", "a.PNG", "sub/c.webp", ".hidden.jpg", ".git/d.jpg", "notes.txt", "Z.tiff"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    names = [photos.photo_name(path, tmp_path) for path in photos.list_photos(tmp_path)]
    assert names == ["Z.tiff", "a.PNG", "b.jpg", "sub/c.webp"]


def test_a_folder_with_images_inside_is_that_folder(tmp_path):
    for name in ("images/a.png", "depth/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert photos.list_photos(tmp_path) == [tmp_path / "images" / "a.png"]


def test_folders_without_photos_are_refused(tmp_path):
    with pytest.raises(InputError, match="no photos"):
        photos.list_photos(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        photos.list_photos(tmp_path / "gone")
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(InputError, match="is a file"):
        photos.list_photos(tmp_path / "a.png")


@pytest.mark.skipif(os.name != "posix", reason="file names are text there")
def test_a_name_that_is_no_text_is_written_with_escapes(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    path.write_bytes(b"x")
    assert photos.photo_name(path, tmp_path) == "caf\\xe9.png"


@pytest.mark.parametrize("name", ["a.png", "sub/b.png", "sp ace/it's 📷.png", "a..b.png", "...png"])
def test_paths_inside_are_joined(tmp_path, name):
    assert photos.safe_join(tmp_path, name) == tmp_path / name


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../a.png", "sub/../../a.png", "..\\a.png", "\\\\host\\a.png", "C:\\a.png", "a\0.png"]
)
def test_paths_that_climb_out_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="must be a path inside"):
        photos.safe_join(tmp_path, name)


@pytest.mark.skipif(os.name != "posix", reason="needs symbolic links")
def test_a_link_that_leads_out_is_refused(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(InputError, match="leads out"):
        photos.safe_join(tmp_path / "root", "link/a.png")


def test_decoded_pixels_do_not_depend_on_the_open_file():
    buffer = io.BytesIO(make.as_bytes(make.scene()))
    image = decode(buffer.getvalue())
    buffer.close()
    assert mean_difference(image, make.scene()) == 0

"""Photos on disk: listing, identity, and decoding that survives whatever is in the folder."""

from __future__ import annotations

import hashlib
import os
import struct
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.store.reduced import MAX_PIXELS as MAX_PIXELS
from pseudogd.store.reduced import how_to_shrink, open_jpeg, reduce

_SUFFIXES = "jpg jpeg jpe jfif png webp gif bmp tif tiff avif jp2 ppm pgm heic heif"
PHOTO_SUFFIXES = frozenset(f".{suffix}" for suffix in _SUFFIXES.split(" "))

# Raster formats only: Pillow would hand EPS to Ghostscript.
_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "JPEG2000", "PPM")
_EXIF_IFD, _ORIENTATION = 0x8769, 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a photo upright again, by its EXIF orientation."""
_LYING = (5, 6, 7, 8)
"""Orientations that change width and height."""
_BAD_EXIF = (SyntaxError, struct.error, ValueError, TypeError, KeyError, IndexError, EOFError, OSError, OverflowError)
_FILTER_LOCK = Lock()  # warning filters belong to the whole process


@dataclass(frozen=True)
class LoadedPhoto:
    """An upright RGB photo with its EXIF tags (by tag number, the camera's own directory merged in) and its id.

    `full_size` (width, height) is that of the file, upright: the image is smaller where it was read reduced.
    """

    image: Image.Image
    exif: Mapping[Any, Any]
    image_id: str
    full_size: tuple[int, int]

    @property
    def is_reduced(self) -> bool:
        """Whether the image has fewer pixels than the file."""
        return self.image.size != self.full_size


def photos_root(folder: str | os.PathLike[str]) -> Path:
    """The folder that photo names are relative to: FOLDER/images where that exists, else FOLDER itself."""
    folder = Path(folder)
    if not folder.exists():
        raise InputError(f"{folder}: no such folder of photos")
    if not folder.is_dir():
        raise InputError(f"{folder}: is a file; give the folder that holds the photos")
    inner = folder / "images"
    return inner if inner.is_dir() else folder


def list_photos(folder: str | os.PathLike[str]) -> list[Path]:
    """Photos in `folder` (or its images/) and its sub-folders, sorted by name in any locale; hidden files are left out.

    Raises InputError when there is none.
    """
    return photos_below(photos_root(folder))


def photos_below(root: Path) -> list[Path]:
    """As `list_photos`, of this very folder whatever it holds."""
    found: list[Path] = []
    for parent, folders, names in os.walk(root, onerror=_raise_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(parent, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in PHOTO_SUFFIXES
        ]
    if not found:
        raise InputError(f"{root}: no photos in this folder (looked for {', '.join(sorted(PHOTO_SUFFIXES))})")
    return sorted(found, key=lambda path: os.fsencode(path.relative_to(root).as_posix()))


def photo_name(path: Path, root: Path) -> str:
    """Name of a photo: its path relative to `root` with forward slashes; undecodable bytes are written as escapes."""
    name = path.relative_to(root).as_posix()
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def photo_id(path: str | os.PathLike[str]) -> str:
    """SHA-256 of the file's bytes in hex. Raises InputError when it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise InputError(f"{_shown(path)}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()


def load_photo(path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Upright RGB picture of a file of any common kind; see `open_photo`."""
    return open_photo(path, max_pixels).image


def open_photo(path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS, name: str | None = None) -> LoadedPhoto:
    """Read, check and decode one photo.

    The size is checked before any pixel is decoded. EXIF rotation is applied; 16-bit grey is scaled to 8; transparent
    pixels are laid on white; of an animation the first frame counts. A JPEG of more than `MAX_PIXELS` is read at a half
    of its sides or less (`store.reduced`). Raises InputError, with the reason, for a file that is empty, truncated,
    too large, or no picture; `name` stands in the message (default: the path).
    """
    name = _shown(path) if name is None else name
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror})") from error
    image, exif, full_size = _decoded(data, name, max_pixels)
    return LoadedPhoto(image, exif, hashlib.sha256(data).hexdigest(), full_size)


def decode_photo(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> tuple[Image.Image, dict[Any, Any]]:
    """Upright RGB picture and EXIF tags of a photo's bytes; `name` stands in the messages. Raises as `open_photo`."""
    return _decoded(data, name, max_pixels)[:2]


def _decoded(data: bytes, name: str, max_pixels: int) -> tuple[Image.Image, dict[Any, Any], tuple[int, int]]:
    if not data:
        raise InputError(f"{name}: the file is empty")
    with _one_line_errors(name):
        image = _open_header(BytesIO(data))
        width, height = image.size
        _fit(image, name, max_pixels)
        with image:
            image.load()
            exif = _read_exif(image)
            turned = exif.get(_ORIENTATION, 1)
            upright = image.transpose(_TURNS[turned]) if turned in _TURNS else image
            return to_rgb(upright), exif, (height, width) if turned in _LYING else (width, height)


def upright_size(source: BinaryIO, name: str, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """(width, height) that `decode_photo` will give, mostly from the header alone. Raises as it does.

    A PNG is read to its end, where its EXIF tags may stand. A file that is cut off further down is not noticed here.
    """
    with _one_line_errors(name):
        image = _open_header(source)
        _fit(image, name, max_pixels)
        width, height = image.size
        return (height, width) if _read_exif(image).get(_ORIENTATION, 1) in _LYING else (width, height)


@contextmanager
def _one_line_errors(name: str) -> Iterator[None]:
    """Whatever a decoder raises becomes an InputError that begins with `name`."""
    try:
        yield
    except InputError as error:
        raise error if str(error).startswith(name) else InputError(f"{name}: {error}") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{name}: has more than {2 * MAX_PIXELS:,} pixels; {how_to_shrink(name)}") from error
    except Image.UnidentifiedImageError as error:
        raise InputError(f"{name}: is not a picture in a known format; {_mend(name)}") from error
    except Exception as error:  # decoders raise many kinds of error on broken bytes
        reason = str(error).strip().splitlines()
        raise InputError(f"{name}: cannot be decoded ({reason[0] if reason else type(error).__name__})") from error


def to_rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB of a picture in any mode that Pillow decodes photos to. Raises InputError for floats out of range."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_8_bit(np.asarray(image))).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


def safe_join(root: str | os.PathLike[str], relative: str) -> Path:
    """`root`/`relative`, refused with InputError when `relative` is absolute, empty or climbs out of `root`.

    Both the written path and the path behind symbolic links of folders are checked.
    """
    root = Path(root)
    seen_anywhere = PurePosixPath(relative.replace("\\", "/"))  # a backslash separates folders on Windows only
    windows_drive = len(relative) > 1 and relative[1] == ":"
    if not relative or "\0" in relative or windows_drive or seen_anywhere.is_absolute() or ".." in seen_anywhere.parts:
        raise InputError(f"{relative!r}: must be a path inside {root}")
    joined = root / relative
    if not joined.parent.resolve().is_relative_to(root.resolve()):
        raise InputError(f"{relative!r}: leads out of {root} through a link")
    return joined


def _open_header(source: BinaryIO) -> Image.Image:
    with _FILTER_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on size, which is checked next, and on broken EXIF
        try:
            return Image.open(source, formats=_known_formats())
        except Image.DecompressionBombError:
            if (image := open_jpeg(source)) is None:
                raise
            return image


@cache
def _known_formats() -> tuple[str, ...]:
    """Those of our formats that this build of Pillow can read."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _fit(image: Image.Image, name: str, max_pixels: int) -> None:
    """Make a very large JPEG decode smaller; InputError for what stays too large."""
    width, height = image.size
    if width < 1 or height < 1:
        raise InputError(f"{name}: has no pixels ({width} x {height})")
    try:
        reduce(image)
    except InputError as error:
        raise InputError(f"{name}: {error}; {how_to_shrink(name, width, height)}") from error
    if image.width * image.height > max_pixels:
        mend = how_to_shrink(name, width, height, max_pixels)
        raise InputError(f"{name}: {width} x {height} pixels are more than {max_pixels:,}; {mend}")


def _read_exif(image: Image.Image) -> dict[Any, Any]:
    """EXIF tags by number; a broken block counts as none, because the pixels are still good."""
    try:
        with _FILTER_LOCK, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exif = image.getexif()
            return {**dict(exif), **dict(exif.get_ifd(_EXIF_IFD))}
    except _BAD_EXIF:
        return {}


def _to_8_bit(values: np.ndarray) -> np.ndarray:
    """Grey levels of 16 or 32 bits, or floats in 0..1 or 0..255, to 0..255."""
    kind, numbers = values.dtype, np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf)
    low, top = float(numbers.min()), float(numbers.max())
    if low < 0 or top > 65535:
        raise InputError(f"grey levels from {low:g} to {top:g} are not those of a photo")
    if kind.itemsize == 2:
        scale = 1 / 257  # 16 bits, however dark the photo is
    elif kind.kind == "f" and top <= 1.0:
        scale = 255.0
    else:
        scale = 1.0 if top <= 255 else 1 / 257
    return np.rint(numbers * scale).clip(0, 255).astype(np.uint8)


def _raise_unreadable(error: OSError) -> None:
    raise InputError(f"{error.filename}: cannot be read ({error.strerror})") from error


def _shown(path: str | os.PathLike[str]) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _mend(name: str) -> str:
    if name.lower().endswith((".heic", ".heif")):
        return "convert HEIC to JPEG"
    return "remove it or convert it to JPEG or PNG"

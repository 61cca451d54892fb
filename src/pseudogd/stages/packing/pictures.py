"""Photos as other programs read them: upright without EXIF, in a format that all know, under names that are safe."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path

from PIL import Image

from pseudogd.errors import InputError
from pseudogd.store import reduced
from pseudogd.store.photos import load_photo

WAYS = ("copy", "link", "recode")
_GPS, _ORIENTATION = 0x8825, 0x0112
_KNOWN = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}
_QUALITY = 95


class Pictures:
    """Puts photos into a folder. ``recoded``: how many were not upright or not JPEG, PNG or WebP; ``located``: how
    many were copied or linked with the place where they were taken in their EXIF."""

    def __init__(self, way: str) -> None:
        if way not in WAYS:
            raise InputError(f"images={way!r}: is not one of {', '.join(WAYS)}")
        self.way = way
        self.recoded = self.located = 0

    def put(self, photo: Path, image_id: str, root: Path) -> str:
        """Photo into ROOT/images; returns its path relative to ROOT, with forward slashes."""
        suffix = self._as_it_is(photo)
        name = f"images/{image_id[:2]}/{image_id[:24]}{suffix or _suffix(photo)}"
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if suffix is None:
            target.write_bytes(_encoded(photo, target.suffix))
        elif self.way == "link":
            os.symlink(photo.resolve(), target)
        else:
            shutil.copyfile(photo, target)
        return name

    def bytes_of(self, photo: Path, image_id: str) -> tuple[bytes, str]:
        """A photo's bytes and a name for them."""
        suffix = self._as_it_is(photo)
        if suffix is not None:
            return photo.read_bytes(), f"{image_id[:24]}{suffix}"
        return _encoded(photo, _suffix(photo)), f"{image_id[:24]}{_suffix(photo)}"

    def put_png(self, photo: Path, target: Path) -> None:
        """Photo as an upright PNG."""
        target.parent.mkdir(parents=True, exist_ok=True)
        if self._as_it_is(photo) == ".png":
            shutil.copyfile(photo, target)
        else:
            target.write_bytes(_encoded(photo, ".png"))

    def _as_it_is(self, photo: Path) -> str | None:
        """The suffix under which the file's own bytes can stand; None where it has to be written anew."""
        try:
            with Image.open(photo) as image:
                exif, suffix, frames = image.getexif(), _KNOWN.get(image.format or ""), getattr(image, "n_frames", 1)
                plain = image.mode in ("RGB", "L") and frames == 1 and image.width * image.height <= reduced.MAX_PIXELS
        except Image.DecompressionBombError:  # a photo that was read reduced, and that others would not open
            self.recoded += 1
            return None
        except Exception as error:  # decoders raise many kinds of error on broken bytes
            raise InputError(
                f"{photo}: cannot be read any more ({type(error).__name__}); label the photos anew"
            ) from error
        if self.way == "recode" or suffix is None or not plain or exif.get(_ORIENTATION, 1) != 1:
            self.recoded += 1
            return None
        self.located += _GPS in exif
        return suffix


def _suffix(photo: Path) -> str:
    return ".jpg" if photo.suffix.lower() in (".jpg", ".jpeg", ".jpe", ".jfif") else ".png"


def _encoded(photo: Path, suffix: str) -> bytes:
    buffer = io.BytesIO()
    if suffix == ".jpg":
        load_photo(photo).save(buffer, "JPEG", quality=_QUALITY)
    else:
        load_photo(photo).save(buffer, "PNG")
    return buffer.getvalue()

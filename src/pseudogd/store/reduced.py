"""JPEG photos of too many pixels, read at a half, a quarter or an eighth of their sides.

JPEG is made of blocks that can be decoded smaller than they are, so the whole picture is never in memory. How far a
photo is reduced follows from its own size alone: label, annotate, training and the viewer see the same pixels. Other
common formats have no such thing, so those are refused.
"""

from __future__ import annotations

import math
import shlex
from typing import BinaryIO

from PIL import Image, JpegImagePlugin

from pseudogd.errors import InputError

MAX_PIXELS = 89_478_485
"""Pillow's own warning limit, 342 MiB in memory: a photo with more pixels is reduced if it is a JPEG, else refused."""
MAX_JPEG_PIXELS = 4 * MAX_PIXELS
"""A telephone of 200 megapixels is within it."""
MAX_PROGRESSIVE_PIXELS = 2 * MAX_PIXELS
"""Progressive files are decoded with all their coefficients in memory, 3 to 6 bytes for a pixel."""
_FORMATS = ("JPEG", "MPO")
_FACTORS = (2, 4, 8)


def reduction(width: int, height: int) -> int:
    """By what a JPEG's sides are divided: 1 for all but the largest."""
    if width * height <= MAX_PIXELS:
        return 1
    fitting = (factor for factor in _FACTORS if math.prod(reduced_size(width, height, factor)) <= MAX_PIXELS)
    return next(fitting, _FACTORS[-1])


def reduced_size(width: int, height: int, factor: int | None = None) -> tuple[int, int]:
    """(width, height) of a JPEG as it is read; parts of a pixel count as one."""
    factor = reduction(width, height) if factor is None else factor
    return -(-width // factor), -(-height // factor)


def open_jpeg(source: BinaryIO) -> Image.Image | None:
    """A JPEG's header, whatever its size, where Pillow's own door is closed to it; None for another format."""
    source.seek(0)
    if source.read(3) != b"\xff\xd8\xff":
        return None
    source.seek(0)
    return JpegImagePlugin.JpegImageFile(source)


def reduce(image: Image.Image) -> None:
    """Make a JPEG that is not decoded yet decode to `reduced_size`; other pictures and smaller ones stay as they are.

    Raises InputError for one that is too large even so.
    """
    width, height = image.size
    factor = reduction(width, height) if image.format in _FORMATS else 1
    if factor == 1:
        return
    progressive = bool(image.info.get("progressive"))
    most = MAX_PROGRESSIVE_PIXELS if progressive else MAX_JPEG_PIXELS
    if width * height > most:
        kind = "a progressive JPEG" if progressive else "a JPEG"
        raise InputError(f"{width} x {height} pixels are more than {most:,}, the most of {kind}")
    wanted = reduced_size(width, height)
    image.draft(None, (width // factor, height // factor))
    if image.size != wanted:  # it has a form in which this library cannot read parts
        raise InputError(f"{width} x {height} pixels are more than {MAX_PIXELS:,}, and it cannot be read reduced")


def how_to_shrink(name: str, width: int = 0, height: int = 0, most: int = MAX_PIXELS) -> str:
    """What the user can do about a photo that is refused for its size."""
    percent = max(1, math.floor(100 * math.sqrt(most / (width * height)))) if width * height else 50
    return f"shrink it first, as by: magick mogrify -resize {percent}% {shlex.quote(name)}"

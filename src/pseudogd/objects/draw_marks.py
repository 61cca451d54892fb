"""Marks drawn on a copy of a photo, in a colour that the photo does not have, legible on any ground."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pseudogd.objects.colors import to_lab
from pseudogd.objects.marks import Mark, line_width

Color = tuple[int, int, int]

COLORS: tuple[Color, ...] = (
    (255, 0, 255), (0, 255, 255), (255, 255, 0), (0, 255, 0), (255, 0, 0), (80, 80, 255), (255, 140, 0)
)  # fmt: skip
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
_LOOKED_AT = 64
_NEAREST = 0.02
_DIGIT = 0.86
_QUALITY = 95


def draw_marks(photo: Image.Image, marks: Sequence[Mark]) -> Image.Image:
    """A copy of an RGB photo with the marks on it; outside of the lines and tags no pixel differs.

    Each line of a box has a dark and a light neighbour, each tag a rim, so that they stand off any ground. Lines lie
    outside of the box as far as the photo goes.
    """
    picture = photo.copy()
    color = standing_out(photo)
    ink = BLACK if luminance(color) > luminance(WHITE) / 5 else WHITE
    pen, width = ImageDraw.Draw(picture), line_width(photo.size)
    for mark in marks:
        _box(pen, mark, color, width, photo.size)
    for mark in marks:
        _tag(pen, mark, color, ink)
    return picture


def encoded(picture: Image.Image, suffix: str) -> tuple[bytes, str]:
    """The picture's bytes and suffix: of a JPEG photo a JPEG with full colour, of any other a PNG without loss."""
    buffer = io.BytesIO()
    if suffix.lower() in (".jpg", ".jpeg", ".jpe", ".jfif"):
        picture.save(buffer, "JPEG", quality=_QUALITY, subsampling=0)
        return buffer.getvalue(), ".jpg"
    picture.save(buffer, "PNG")
    return buffer.getvalue(), ".png"


def standing_out(photo: Image.Image) -> Color:
    """The colour of `COLORS` that is farthest in CIELAB from the pixels that come nearest to it."""
    small = np.asarray(photo.resize((_LOOKED_AT, _LOOKED_AT), Image.Resampling.BOX), np.float64).reshape(-1, 3)
    seen, choices = to_lab(small), to_lab(np.array(COLORS, np.float64))
    away = np.sort(np.linalg.norm(seen[:, None] - choices[None], axis=-1), axis=0)
    return COLORS[int(away[int(_NEAREST * len(away))].argmax())]


def luminance(color: Color) -> float:
    """Relative luminance of an sRGB colour, 0 to 1 (WCAG 2.1)."""
    share = np.array(color) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def _box(pen: ImageDraw.ImageDraw, mark: Mark, color: Color, width: int, size: tuple[int, int]) -> None:
    left, top, right, bottom = mark.box
    for shade, far, thick in ((WHITE, width + 2, 1), (color, width + 1, width), (BLACK, 1, 1)):
        edges = [max(left - far, 0), max(top - far, 0), min(right + far, size[0]) - 1, min(bottom + far, size[1]) - 1]
        pen.rectangle(edges, outline=shade, width=thick)


def _tag(pen: ImageDraw.ImageDraw, mark: Mark, color: Color, ink: Color) -> None:
    left, top, right, bottom = mark.tag
    pen.rectangle([left, top, right - 1, bottom - 1], fill=color, outline=ink)
    side = right - left
    font = ImageFont.load_default(size=max(8, round(_DIGIT * side)))
    middle = left + side / 2, top + side / 2
    box = pen.textbbox((0, 0), str(mark.number), font=font)
    at = middle[0] - (box[0] + box[2]) / 2, middle[1] - (box[1] + box[3]) / 2
    pen.text((round(at[0]), round(at[1])), str(mark.number), font=font, fill=ink)

"""Focal length in pixels from EXIF tags. Says None rather than guess: a cropped photo keeps its camera's tags."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_EXIF_IFD = 0x8769
_TAGS = {
    "FocalLength": 0x920A,
    "PixelXDimension": 0xA002,
    "PixelYDimension": 0xA003,
    "FocalPlaneXResolution": 0xA20E,
    "FocalPlaneYResolution": 0xA20F,
    "FocalPlaneResolutionUnit": 0xA210,
    "FocalLengthIn35mmFilm": 0xA405,
}
_ALIASES = {
    "PixelXDimension": "ExifImageWidth",
    "PixelYDimension": "ExifImageHeight",
    "FocalLengthIn35mmFilm": "FocalLengthIn35mmFormat",
}
_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}  # inch and cm by the standard; mm and um as cameras write them
_FILM_DIAGONAL_MM = math.hypot(36.0, 24.0)
_ASPECT_TOLERANCE = 0.02
_FOV_RANGE = (math.radians(1.0), math.radians(160.0))  # outside: broken tags, not a pinhole photo


def focal_from_exif(exif: Mapping[Any, Any], width: int, height: int) -> float | None:
    """Focal length in pixels of an upright ``width`` x ``height`` photo, or None if the tags do not determine it.

    FocalLengthIn35mmFilm is read along the diagonal (36 x 24 mm film, as CIPA DCG-001 defines it), which survives
    resizing. Else FocalLength times FocalPlaneXResolution, brought from the recorded pixel size to this one. When the
    recorded size has another aspect ratio than the photo, the photo was cropped after the tags were written: None.
    """
    tags = _read(exif)
    recorded = _recorded_size(tags, width, height)
    if recorded is not None and abs(recorded[0] * height / (recorded[1] * width) - 1.0) > _ASPECT_TOLERANCE:
        return None
    focal = _from_film(tags, width, height) or _from_focal_plane(tags, recorded, width, height)
    if focal is None:
        return None
    fov = 2.0 * math.atan(max(width, height) / 2.0 / focal)
    return focal if _FOV_RANGE[0] <= fov <= _FOV_RANGE[1] else None


def _from_film(tags: dict[str, float], width: int, height: int) -> float | None:
    equivalent = tags.get("FocalLengthIn35mmFilm")
    return None if equivalent is None else equivalent * math.hypot(width, height) / _FILM_DIAGONAL_MM


def _from_focal_plane(
    tags: dict[str, float], recorded: tuple[float, float] | None, width: int, height: int
) -> float | None:
    focal = tags.get("FocalLength")
    resolution = tags.get("FocalPlaneXResolution") or tags.get("FocalPlaneYResolution")
    unit = _UNIT_MM.get(int(tags.get("FocalPlaneResolutionUnit", 2)))
    if focal is None or resolution is None or unit is None:
        return None
    resize = 1.0 if recorded is None else max(width, height) / max(recorded)
    return focal * resolution / unit * resize


def _recorded_size(tags: dict[str, float], width: int, height: int) -> tuple[float, float] | None:
    """The size the camera wrote, turned to lie as the upright photo does (portrait photos are stored lying)."""
    x, y = tags.get("PixelXDimension"), tags.get("PixelYDimension")
    if x is None or y is None:
        return None
    return (y, x) if (x - y) * (width - height) < 0 else (x, y)


def _read(exif: Mapping[Any, Any]) -> dict[str, float]:
    """The positive, finite values of the tags that matter, whether keyed by number or name, nested or not."""
    sources: list[Mapping[Any, Any]] = [exif]
    nested = exif.get_ifd(_EXIF_IFD) if hasattr(exif, "get_ifd") else exif.get(_EXIF_IFD)
    if isinstance(nested, Mapping):
        sources.append(nested)
    found: dict[str, float] = {}
    for name, number in _TAGS.items():
        for source in sources:
            for key in (number, name, _ALIASES.get(name)):
                value = _number(source.get(key))
                if value is not None and name not in found:
                    found[name] = value
    return found


def _number(value: Any) -> float | None:
    """A positive finite float, or None: EXIF writes 0 and 0/0 for 'unknown'."""
    if isinstance(value, tuple) and len(value) == 2:
        value = value[0] / value[1] if value[1] else None
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) and number > 0 else None

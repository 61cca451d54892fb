"""Photo, depth, normals and confidence as small ``data:`` URLs, with what is needed to read values back from them.

Depth and confidence are palette pictures: every colour stands for one step of the scale, so the page can say which
value lies under the pointer. Step 0 is unknown, step 255 is sky, 1 to 254 are even steps (of the logarithm, for depth).
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from pseudogd.geometry.types import Geometry, Scale
from pseudogd.reports.pictures import depth_range

SIDE, SIDES = 640, (96, 4096)
MAP_SIDE = 360
"""Maps are shown at most so long: they are smoother than photos, and of a lossless kind."""
EXACT_SIDE = 200
FIRST, LAST = 1, 254
_QUALITY = 80
_UNKNOWN, _SKY = (205, 207, 212), (38, 42, 52)


def photo_layer(image: Image.Image, side: int = SIDE) -> str:
    """The photo at most ``side`` pixels long, lossy; those of up to `EXACT_SIDE` pixels as they are."""
    image = image.convert("RGB")
    exactly = max(image.size) <= min(side, EXACT_SIDE)
    if max(image.size) > side:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return _shortest(image, lossless=exactly)


def depth_layer(geometry: Geometry, side: int = MAP_SIDE) -> dict[str, Any]:
    """``url``, ``palette`` (name), ``near``, ``far``, ``unit`` and ``ticks`` ([place 0..1, text]) of the depth map."""
    near, far = depth_range({"depth": geometry.depth})
    depth = _thinned(np.asarray(geometry.depth, np.float64), side)
    known = np.isfinite(depth) & (depth > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        place = np.log(np.where(known, depth, near) / near) / math.log(far / near)
    steps = _steps(place)
    steps[~known] = 0
    steps[np.isposinf(depth)] = 255
    unit = {Scale.METRIC: "m", Scale.UP_TO_SCALE: "relative"}.get(geometry.scale, "order")
    unknown = 1.0 - float(geometry.known.mean() + geometry.sky.mean())
    return {
        "url": _palette_url(steps, _depth_palette()),
        "near": near,
        "far": far,
        "unit": unit,
        "ticks": [] if unit == "order" else _ticks(near, far),
        "unknown": round(max(unknown, 0.0), 4),
        "sky": round(float(geometry.sky.mean()), 4),
    }


def normals_layer(geometry: Geometry, side: int = MAP_SIDE) -> str | None:
    """Normals in the usual colours: red faces right, green faces up, blue faces the camera; grey is unknown."""
    if geometry.normals is None:
        return None
    normals = _thinned(np.asarray(geometry.normals, np.float64), side)
    known = np.isfinite(normals).all(axis=-1)
    values = (np.where(known[..., None], normals, 0.0) * np.array([1.0, -1.0, -1.0]) + 1) * 127.5
    rgb = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    rgb[~known] = _UNKNOWN
    return _shortest(Image.fromarray(rgb), lossless=False)


def confidence_layer(geometry: Geometry, side: int = MAP_SIDE) -> dict[str, Any] | None:
    """``url`` of the confidence, 0 (dark) to 1 (bright), and its ``mean``."""
    if geometry.confidence is None:
        return None
    steps = _steps(_thinned(np.asarray(geometry.confidence, np.float64), side))
    return {
        "url": _palette_url(steps, _colours("viridis", np.linspace(0, 1, LAST))),
        "mean": round(float(geometry.confidence.mean()), 3),
    }


def scale_colours() -> dict[str, list[str]]:
    """Both palettes as 32 colours, low to high, for the legends."""
    chosen = np.linspace(0, LAST - 1, 32).round().astype(int)
    palettes = {"depth": _depth_palette(), "confidence": _colours("viridis", np.linspace(0, 1, LAST))}
    return {name: ["#" + colours[k].tobytes().hex() for k in chosen] for name, colours in palettes.items()}


def full_palettes() -> dict[str, str]:
    """All 254 colours of both palettes, RRGGBB one after the other, to find a step by its colour."""
    palettes = {"depth": _depth_palette(), "confidence": _colours("viridis", np.linspace(0, 1, LAST))}
    return {name: colours.tobytes().hex() for name, colours in palettes.items()}


# ---------------------------------------------------------------- pictures
def _steps(place: np.ndarray) -> np.ndarray:
    """Places 0..1 on a scale as steps 1..254."""
    return np.rint(FIRST + np.clip(np.nan_to_num(place), 0, 1) * (LAST - FIRST)).astype(np.uint8)


def _thinned(values: np.ndarray, side: int) -> np.ndarray:
    """Every n-th pixel: means of depths would show surfaces that are not there."""
    rows, columns = (
        np.arange(n) if max(values.shape[:2]) <= side else _even(n, max(1, round(n * side / max(values.shape[:2]))))
        for n in values.shape[:2]
    )
    return values[np.ix_(rows, columns)]


def _even(count: int, kept: int) -> np.ndarray:
    return ((np.arange(kept) + 0.5) * count / kept).astype(int)


def _colours(name: str, places: np.ndarray) -> np.ndarray:
    from matplotlib import colormaps

    return (colormaps[name](places)[..., :3] * 255).round().astype(np.uint8)


def _depth_palette() -> np.ndarray:
    """(254, 3): near is bright, far is dark, as on the other pages."""
    return _colours("inferno", 1.0 - 0.9 * np.linspace(0, 1, LAST))


def _palette_url(steps: np.ndarray, colours: np.ndarray) -> str:
    picture = Image.fromarray(steps)
    picture.putpalette(np.concatenate([[_UNKNOWN], colours, [_SKY]]).astype(np.uint8).tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return _url("png", buffer.getvalue())


def _shortest(image: Image.Image, *, lossless: bool) -> str:
    """The shorter of the formats that fit: WebP or PNG for lossless, WebP or JPEG for lossy pictures."""
    tries: Sequence[tuple[str, dict[str, Any]]] = (
        (("WEBP", {"lossless": True, "method": 4}), ("PNG", {"optimize": True}))
        if lossless
        else (("WEBP", {"quality": _QUALITY, "method": 4}), ("JPEG", {"quality": _QUALITY + 2, "optimize": True}))
    )
    made = []
    for kind, options in tries:
        buffer = io.BytesIO()
        try:
            image.save(buffer, kind, **options)
        except (KeyError, OSError):  # a Pillow that was built without WebP
            continue
        made.append((len(buffer.getvalue()), kind.lower(), buffer.getvalue()))
    _, kind, data = min(made)
    return _url(kind, data)


def _url(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _ticks(near: float, far: float) -> list[list[Any]]:
    """Round values on the scale, no nearer to each other than an eighth of it: [[place 0..1, text], …]."""
    decades = range(math.floor(math.log10(near)), math.ceil(math.log10(far)) + 1)
    values = [factor * 10.0**decade for decade in decades for factor in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)]
    found: list[list[Any]] = []
    for value in values:
        place = math.log(value / near) / math.log(far / near)
        if 0.02 <= place <= 0.98 and (not found or place - found[-1][0] > 0.125):
            found.append([round(place, 4), f"{value:g}"])
    return found

"""Pictures for the page: depth maps in colour, and everything as small ``data:`` URLs."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.reports.summary import Panel
from pseudogd.store.photos import load_photo

LONG_SIDE = 480
_PHOTO = "photo"
_DEPTH = "depth_"
_UNKNOWN = (224, 224, 228)


def save_panel(path: str | Path, photo: np.ndarray, depths: Mapping[str, np.ndarray]) -> None:
    """Keep one photo (H, W, 3) uint8 and its depth maps, metres, for a later report. Plain arrays, no pickle."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {_PHOTO: np.asarray(photo, dtype=np.uint8)}
    arrays |= {_DEPTH + name: np.asarray(depth, dtype=np.float32) for name, depth in depths.items()}
    with open(path, "wb") as handle:
        np.savez_compressed(handle, **arrays)


def load_panel(path: str | Path) -> Panel:
    """Read what `save_panel` wrote. Raises InputError for a broken file."""
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            photo = arrays[_PHOTO]
            depths = {key[len(_DEPTH) :]: arrays[key] for key in arrays.files if key.startswith(_DEPTH)}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a report picture ({error}); remove it and run again") from error
    return Panel(path.stem, photo, depths)


def depth_range(depths: Mapping[str, np.ndarray], reference: str | None = None) -> tuple[float, float]:
    """Near and far end of the colour scale, metres: 2-98 % of the reference map, or of all maps together."""
    maps = [depths[reference]] if reference in depths else list(depths.values())
    known = (
        np.concatenate([depth[np.isfinite(depth) & (depth > 0)].ravel() for depth in maps]) if maps else np.array([])
    )
    if known.size == 0:
        return 0.1, 10.0
    near, far = np.quantile(known, [0.02, 0.98])
    return float(near), float(max(far, near * 1.05))


def depth_picture(depth: np.ndarray, near: float, far: float) -> Image.Image:
    """Colour by log depth: bright is near, dark is far, grey is unknown, black is sky."""
    from matplotlib import colormaps

    depth = np.asarray(depth, dtype=np.float64)
    known = np.isfinite(depth) & (depth > 0)
    position = np.log(np.where(known, depth, near) / near) / np.log(far / near)
    rgb = (colormaps["inferno"](1.0 - 0.9 * np.clip(position, 0, 1))[..., :3] * 255).round().astype(np.uint8)
    rgb[~known] = _UNKNOWN
    rgb[np.isposinf(depth)] = (0, 0, 0)
    return Image.fromarray(rgb)


def picture_url(image: Image.Image, long_side: int = LONG_SIDE) -> str:
    """A ``data:`` URL of at most ``long_side`` pixels: PNG for small pictures, JPEG for larger ones."""
    image = image.convert("RGB")
    if max(image.size) > long_side:
        image.thumbnail((long_side, long_side), Image.Resampling.LANCZOS)
    kind, options = ("PNG", {"optimize": True}) if max(image.size) <= 200 else ("JPEG", {"quality": 85})
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def file_url(path: str | Path, long_side: int = LONG_SIDE) -> str | None:
    """A ``data:`` URL of a picture file; None where it is not there any more or cannot be read."""
    try:
        return picture_url(load_photo(path), long_side)
    except InputError:
        return None

"""Run-length masks: reading every COCO spelling of an outline, and decoding the one that is stored.

Stored form: ``{"size": [height, width], "counts": str}``, COCO's compressed run lengths (column-major, starting with
zeros). Decoding is numpy alone and checks every number, because files come from anywhere and a C decoder trusts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pseudogd.errors import InputError

MAX_SIDE = 1 << 15


def counts_from_text(text: str | bytes) -> np.ndarray:
    """Run lengths from COCO's compressed text (5 bits a character, offset 48, every run less the run two before it).

    Raises `InputError` on characters outside the code or a text that ends inside a number.
    """
    raw = np.frombuffer(text.encode("latin-1", "replace") if isinstance(text, str) else text, dtype=np.uint8)
    code = raw.astype(np.int64) - 48
    if code.size == 0 or code.min() < 0 or code.max() > 63 or code[-1] & 0x20:
        raise InputError("compressed run lengths are damaged")
    last = np.flatnonzero((code & 0x20) == 0)
    first = np.concatenate([[0], last[:-1] + 1])
    length = last - first + 1
    if length.max() > 8:
        raise InputError("compressed run lengths are damaged")
    position = np.arange(code.size) - np.repeat(first, length)
    values = np.add.reduceat((code & 0x1F) << (5 * position), first)
    negative = (code[last] & 0x10) != 0
    values = np.where(negative, values - (np.int64(1) << (5 * length)), values)
    # The first three runs are plain; from the fourth on each is a difference to the run two places before.
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def decode(rle: dict[str, Any]) -> np.ndarray:
    """(H, W) bool mask of ``{"size", "counts"}``; ``counts`` is compressed text or a list of run lengths.

    Raises `InputError` if the runs are negative or do not fill the size exactly.
    """
    return np.ascontiguousarray(_columns(rle).T)


def decode_at(rle: dict[str, Any], rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The given rows and columns of `decode`, without the work for all others."""
    return np.ascontiguousarray(_columns(rle)[np.ix_(columns, rows)].T)


def _columns(rle: dict[str, Any]) -> np.ndarray:
    """(W, H) bool: the mask as it is written, column by column."""
    height, width = _size(rle)
    counts = rle.get("counts")
    if isinstance(counts, (str, bytes)):
        runs = counts_from_text(counts)
    else:
        try:
            runs = np.asarray(counts, dtype=np.float64)
        except (TypeError, ValueError):
            raise InputError("run lengths are not numbers") from None
        if runs.ndim != 1 or not np.isfinite(runs).all() or (np.abs(runs) > MAX_SIDE**2).any():
            raise InputError("run lengths are not numbers")
        runs = runs.astype(np.int64)
    if runs.size == 0 or runs.min() < 0 or int(runs.sum()) != height * width:
        raise InputError(f"run lengths do not fill a mask of {width} x {height}")
    return np.repeat((np.arange(runs.size) & 1).astype(bool), runs).reshape(width, height)


def encode(mask: np.ndarray) -> dict[str, Any]:
    """Compressed run lengths of an (H, W) bool mask, with ``counts`` as text so that it goes into JSON."""
    from pycocotools import mask as coco_mask

    rle = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": [int(n) for n in rle["size"]], "counts": rle["counts"].decode("ascii")}


def from_polygons(polygons: Sequence[Any], width: int, height: int) -> np.ndarray:
    """(H, W) bool mask of COCO polygons ``[[x0, y0, x1, y1, ...], ...]`` in pixels, drawn as COCO draws them.

    Raises `InputError` if no polygon has three corners or a coordinate is not a finite number.
    """
    from pycocotools import mask as coco_mask

    usable = []
    for polygon in polygons:
        try:
            points = np.asarray(polygon, dtype=np.float64)
        except (TypeError, ValueError):
            raise InputError("a polygon holds something that is not a number") from None
        if points.ndim != 1 or points.size % 2 or not np.isfinite(points).all():
            raise InputError("a polygon is not a flat list of x, y")
        if points.size >= 6:
            # Far-away corners would make the rasteriser walk (and allocate) their whole length.
            corners = np.clip(points.reshape(-1, 2), 0.0, [width, height])
            usable.append(corners.ravel().tolist())
    if not usable:
        raise InputError("no polygon has three corners")
    merged = coco_mask.merge(coco_mask.frPyObjects(usable, height, width))
    return coco_mask.decode(merged).astype(bool)


def box_of(mask: np.ndarray) -> list[float]:
    """``[x, y, width, height]`` in pixels of the True part of a mask that is not empty."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    x, y = int(columns[0]), int(rows[0])
    return [float(x), float(y), float(columns[-1] - x + 1), float(rows[-1] - y + 1)]


def _size(rle: dict[str, Any]) -> tuple[int, int]:
    try:
        height, width = (int(n) for n in rle["size"])
    except (KeyError, TypeError, ValueError):
        raise InputError("a run-length mask has no size") from None
    if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE):
        raise InputError(f"a run-length mask of {width} x {height} is out of bounds")
    return height, width

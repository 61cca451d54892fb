"""Bilinear samples of a photo that read only the pixels they need: a photo of 100 megapixels is never made floats."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Line(NamedTuple):
    """Samples along one side: the two pixels beside each, and the weight of the second."""

    before: np.ndarray
    after: np.ndarray
    weight: np.ndarray


def half_pixel(length: int, count: int) -> Line:
    """`count` samples at the centres of even cells, as torch's interpolate does without aligned corners."""
    places = np.clip((np.arange(count) + 0.5) * (length / count) - 0.5, 0, length - 1)
    return _line(places, length)


def mirrored(length: int, count: int, pad: int) -> Line:
    """`count` samples from corner to corner of the side with `pad` pixels mirrored onto each end."""
    padded = length + 2 * pad
    line = _line(np.arange(count) * ((padded - 1) / max(count - 1, 1)), padded)
    return Line(_reflected(line.before - pad, length), _reflected(line.after - pad, length), line.weight)


def bilinear(values: np.ndarray, rows: Line, columns: Line) -> np.ndarray:
    """(h, w, C) float32 samples of (H, W, C) values."""
    across = columns.weight[None, :, None]
    upper, lower = (_between(values[line], columns, across) for line in (rows.before, rows.after))
    return upper + (lower - upper) * rows.weight[:, None, None]


def _between(lines: np.ndarray, columns: Line, across: np.ndarray) -> np.ndarray:
    left, right = lines[:, columns.before].astype(np.float32), lines[:, columns.after].astype(np.float32)
    return left + (right - left) * across


def _line(places: np.ndarray, length: int) -> Line:
    before = np.minimum(np.floor(places).astype(np.int64), length - 1)
    after = np.minimum(before + 1, length - 1)
    return Line(before, after, (places - before).astype(np.float32))


def _reflected(places: np.ndarray, length: int) -> np.ndarray:
    """Pixels behind the ends of a side, the end itself not repeated, however far behind."""
    if length == 1:
        return np.zeros_like(places)
    places = np.mod(places, 2 * (length - 1))
    return np.minimum(places, 2 * (length - 1) - places)

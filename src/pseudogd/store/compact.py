"""Geometry maps in less room than PNG: for data of many photos with large maps.

Depth is counted in steps of its logarithm as in `codec`, over 1 cm to 2.5 km, and each count is foretold from its left
and upper neighbours as on a plane; what remains is small and packs well. Decoding is two running sums. Normals that
follow from depth and camera are not stored but computed on reading. Confidence has 16 levels at half the size.
"""

from __future__ import annotations

import math
import struct

import numpy as np
import pyarrow as pa

UNKNOWN, SKY = 0, 65535
NEAREST_M, FARTHEST_M = 1e-2, 2.5e3
_FIRST, _LAST = 1, 65534
_STEP = math.log(FARTHEST_M / NEAREST_M) / (_LAST - _FIRST)
_HEAD = struct.Struct("<4sBBII")
_MAGIC, _DEPTH, _CONFIDENCE = b"PGDc", 1, 2
_DERIVED = 1
_MOST_PIXELS = 1 << 28
_LEVELS = 15
_ZSTD_LEVEL = 3


def is_compact(data: bytes) -> bool:
    """Whether bytes of a column are in this form."""
    return data[:4] == _MAGIC


def encode_depth(depth: np.ndarray, derive_normals: bool = False) -> bytes:
    """(H, W) z-depth in metres, nan unknown, inf sky. Between 1 cm and 2.5 km the relative error is below 1e-4.

    `derive_normals` notes that the reader shall compute the normals.
    """
    depth = np.asarray(depth, dtype=np.float64)
    if depth.ndim != 2 or depth.size == 0:
        raise ValueError(f"a depth map has shape (H, W), not {depth.shape}")
    codes = np.full(depth.shape, UNKNOWN, np.uint16)
    known = np.isfinite(depth) & (depth > 0)
    level = np.rint(np.log(np.clip(depth[known], NEAREST_M, FARTHEST_M) / NEAREST_M) / _STEP)
    codes[known] = (level + _FIRST).astype(np.uint16)
    codes[np.isposinf(depth)] = SKY
    return _pack(codes, _DEPTH, _DERIVED if derive_normals else 0)


def decode_depth(data: bytes) -> tuple[np.ndarray, bool]:
    """Inverse of `encode_depth`: (H, W) float32 metres, and whether normals are to be computed."""
    codes, flags = _unpack(data, _DEPTH)
    return _DEPTH_OF_CODE[codes], bool(flags & _DERIVED)


def encode_confidence(confidence: np.ndarray) -> bytes:
    """(H, W) confidence in [0, 1], nan none: the mean of each 2 x 2 pixels in steps of 1/15."""
    confidence = np.clip(np.nan_to_num(np.asarray(confidence, dtype=np.float64), nan=0.0), 0, 1)
    if confidence.ndim != 2 or confidence.size == 0:
        raise ValueError(f"a confidence map has shape (H, W), not {confidence.shape}")
    height, width = confidence.shape
    even = np.pad(confidence, ((0, height % 2), (0, width % 2)), mode="edge")
    mean = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2).mean(axis=(1, 3))
    flags = (height % 2) | (width % 2) << 1
    return _pack(np.rint(mean * _LEVELS).astype(np.uint16), _CONFIDENCE, flags)


def decode_confidence(data: bytes) -> np.ndarray:
    """Inverse of `encode_confidence`: (H, W) float32 in [0, 1]."""
    codes, flags = _unpack(data, _CONFIDENCE)
    full = codes.repeat(2, axis=0).repeat(2, axis=1)
    full = full[: full.shape[0] - (flags & 1), : full.shape[1] - (flags >> 1 & 1)]
    return full.astype(np.float32) / np.float32(_LEVELS)


def _pack(codes: np.ndarray, kind: int, flags: int) -> bytes:
    """Differences along both axes modulo 2^16, small ones of either sign as small numbers, low and high bytes apart."""
    left = np.diff(codes, axis=1, prepend=np.uint16(0))
    rest = np.diff(left, axis=0, prepend=np.zeros((1, codes.shape[1]), np.uint16)).view(np.int16)
    folded = ((rest << 1) ^ (rest >> 15)).view(np.uint16).ravel()
    planes = folded.astype("<u2").view(np.uint8).reshape(-1, 2).T.tobytes()
    packed = pa.Codec("zstd", compression_level=_ZSTD_LEVEL).compress(planes, asbytes=True)
    return _HEAD.pack(_MAGIC, kind, flags, *codes.shape) + packed


def _unpack(data: bytes, kind: int) -> tuple[np.ndarray, int]:
    if len(data) < _HEAD.size:
        raise ValueError("a map that is cut off")
    magic, found, flags, height, width = _HEAD.unpack_from(data)
    if magic != _MAGIC or found != kind or not 0 < height * width <= _MOST_PIXELS:
        raise ValueError(f"no map of kind {kind}: {data[: _HEAD.size]!r}")
    planes = pa.Codec("zstd").decompress(data[_HEAD.size :], 2 * height * width, asbytes=True)
    folded = np.ascontiguousarray(np.frombuffer(planes, np.uint8).reshape(2, -1).T).view("<u2").astype(np.uint16)
    rest = (folded >> 1) ^ (0 - (folded & 1)).astype(np.uint16)
    rest = rest.reshape(height, width)
    return np.cumsum(np.cumsum(rest, axis=0, dtype=np.uint16), axis=1, dtype=np.uint16), flags


def _depth_table() -> np.ndarray:
    table = NEAREST_M * np.exp((np.arange(65536) - _FIRST) * _STEP)
    table[UNKNOWN], table[SKY] = np.nan, np.inf
    return table.astype(np.float32)


_DEPTH_OF_CODE = _depth_table()

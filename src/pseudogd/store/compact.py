"""Geometry maps in less room than PNG: for large maps.

Depth is counted in steps of its logarithm as in `codec`, over 1 cm to 4.6 km, and each count is foretold from its left
and upper neighbours as on a plane; what remains is small. Blocks of 8 x 8 pixels are sorted by how much remains in
them, so that one pass of Huffman's code, which changes its table as it goes, fits each. Decoding is one sort back and
two running sums. Normals that follow from depth and camera are not stored but computed on reading. Confidence has 16
levels at half the size.
"""

from __future__ import annotations

import math
import struct
import zlib

import numpy as np
import pyarrow as pa

LARGE = 1 << 16
"""Pixels from which on maps are stored in this form unless the user says otherwise: 256 x 256."""
UNKNOWN, SKY = 0, 65535
_FIRST, _LAST = 1, 65534
NEAREST_M = 1e-2
_STEP = 1.99e-4  # half of it is the largest error
FARTHEST_M = NEAREST_M * math.exp(_STEP * (_LAST - _FIRST))
_OLD_STEP = math.log(2.5e3 / NEAREST_M) / (_LAST - _FIRST)
_HEAD, _SIZES = struct.Struct("<4sBBII"), struct.Struct("<II")
_OLD_MAGIC, _MAGIC, _DEPTH, _CONFIDENCE = b"PGDc", b"PGDd", 1, 2
_DERIVED, _REPEATS = 1, 128  # flags: normals are computed on reading; low bytes were packed by zstd
_MOST_PIXELS = 1 << 28
_LEVELS = 15
_BLOCK = 8
_ZSTD_LEVEL = 3


def is_compact(data: bytes) -> bool:
    """Whether bytes of a column are in this form, be it that of today or an earlier one."""
    return data[:4] in (_MAGIC, _OLD_MAGIC)


def encode_depth(depth: np.ndarray, derive_normals: bool = False) -> bytes:
    """(H, W) z-depth in metres, nan unknown, inf sky. Between 1 cm and 4.6 km the relative error is below 1e-4.

    `derive_normals` notes that the reader shall compute the normals.
    """
    depth = np.asarray(depth, dtype=np.float64)
    if depth.ndim != 2 or depth.size == 0:
        raise ValueError(f"a depth map has shape (H, W), not {depth.shape}")
    with np.errstate(invalid="ignore"):
        level = np.clip(depth, NEAREST_M, FARTHEST_M)
        level /= NEAREST_M
        np.log(level, out=level)
        level /= _STEP
        np.rint(level, out=level)
        level += _FIRST
        level[~(depth > 0)] = UNKNOWN
        level[np.isposinf(depth)] = SKY
    return _pack(level.astype(np.uint16), _DEPTH, _DERIVED if derive_normals else 0)


def decode_depth(data: bytes) -> tuple[np.ndarray, bool]:
    """Inverse of `encode_depth`: (H, W) float32 metres, and whether normals are to be computed."""
    codes, flags = _unpack(data, _DEPTH)
    table = _DEPTH_OF_OLD_CODE if data[:4] == _OLD_MAGIC else _DEPTH_OF_CODE
    return table[codes], bool(flags & _DERIVED)


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
    """Differences along both axes modulo 2^16, small ones of either sign as small numbers, in sorted blocks."""
    left = np.diff(codes, axis=1, prepend=np.uint16(0))
    rest = np.diff(left, axis=0, prepend=np.zeros((1, codes.shape[1]), np.uint16)).view(np.int16)
    blocks = _blocks(((rest << 1) ^ (rest >> 15)).view(np.uint16))
    classes = np.rint(2 * np.log2(blocks.mean(axis=1) + 1)).astype(np.uint8)
    blocks = blocks[np.argsort(classes, kind="stable")]
    low, high = blocks.astype(np.uint8), (blocks >> 8).astype(np.uint8)
    side, high_bytes, low_bytes = _zstd(classes), _zstd(high), _huffman(low)
    if len(repeats := _zstd(low)) < len(low_bytes):  # maps of few different values, as sensors write them
        low_bytes, flags = repeats, flags | _REPEATS
    head = _HEAD.pack(_MAGIC, kind, flags, *codes.shape) + _SIZES.pack(len(side), len(high_bytes))
    return head + side + high_bytes + low_bytes


def _unpack(data: bytes, kind: int) -> tuple[np.ndarray, int]:
    if len(data) < _HEAD.size + _SIZES.size:
        raise ValueError("a map that is cut off")
    magic, found, flags, height, width = _HEAD.unpack_from(data)
    if magic not in (_MAGIC, _OLD_MAGIC) or found != kind or not 0 < height * width <= _MOST_PIXELS:
        raise ValueError(f"no map of kind {kind}: {data[: _HEAD.size]!r}")
    folded = (_unpacked_old if magic == _OLD_MAGIC else _unpacked)(data, flags, height, width)
    rest = (folded >> 1) ^ (0 - (folded & 1)).astype(np.uint16)
    np.cumsum(rest, axis=0, dtype=np.uint16, out=rest)
    return np.cumsum(rest, axis=1, dtype=np.uint16, out=rest), flags


def _unpacked(data: bytes, flags: int, height: int, width: int) -> np.ndarray:
    rows, columns = -(-height // _BLOCK), -(-width // _BLOCK)
    count, pixels = rows * columns, rows * columns * _BLOCK**2
    side, high_size = _SIZES.unpack_from(data, _HEAD.size)
    start = _HEAD.size + _SIZES.size
    parts = data[start : start + side], data[start + side : start + side + high_size], data[start + side + high_size :]
    classes, high = _from_zstd(parts[0], count), _from_zstd(parts[1], pixels)
    low = _from_zstd(parts[2], pixels) if flags & _REPEATS else _from_huffman(parts[2], pixels)
    blocks = np.empty((count, _BLOCK**2), np.uint16)
    mixed = low.astype(np.uint16)
    mixed |= high.astype(np.uint16) << 8
    blocks[np.argsort(classes, kind="stable")] = mixed.reshape(count, -1)
    whole = blocks.reshape(rows, columns, _BLOCK, _BLOCK).transpose(0, 2, 1, 3)
    return whole.reshape(rows * _BLOCK, columns * _BLOCK)[:height, :width]


def _unpacked_old(data: bytes, flags: int, height: int, width: int) -> np.ndarray:
    """The form that began with PGDc: low bytes of all pixels, then high bytes, in one pass of zstd."""
    planes = _from_zstd(data[_HEAD.size :], 2 * height * width).reshape(2, -1)
    return (planes[0].astype(np.uint16) | planes[1].astype(np.uint16) << 8).reshape(height, width)


def _blocks(values: np.ndarray) -> np.ndarray:
    """(N, 64) blocks of a map, row by row, filled up with zeros at its right and lower edge."""
    height, width = values.shape
    full = np.pad(values, ((0, -height % _BLOCK), (0, -width % _BLOCK)))
    cut = full.reshape(full.shape[0] // _BLOCK, _BLOCK, full.shape[1] // _BLOCK, _BLOCK)
    return cut.transpose(0, 2, 1, 3).reshape(-1, _BLOCK**2)


def _zstd(values: np.ndarray) -> bytes:
    return pa.Codec("zstd", compression_level=_ZSTD_LEVEL).compress(values.tobytes(), asbytes=True)


def _from_zstd(data: bytes, size: int) -> np.ndarray:
    return np.frombuffer(pa.Codec("zstd").decompress(data, size, asbytes=True), np.uint8)


def _huffman(values: np.ndarray) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, -15, 9, zlib.Z_HUFFMAN_ONLY)
    return packer.compress(values.data) + packer.flush()


def _from_huffman(data: bytes, size: int) -> np.ndarray:
    found = np.frombuffer(zlib.decompressobj(-15).decompress(data, size), np.uint8)
    if found.size != size:
        raise ValueError("a map that is cut off")
    return found


def _depth_table(step: float) -> np.ndarray:
    table = NEAREST_M * np.exp((np.arange(65536) - _FIRST) * step)
    table[UNKNOWN], table[SKY] = np.nan, np.inf
    return table.astype(np.float32)


_DEPTH_OF_CODE, _DEPTH_OF_OLD_CODE = _depth_table(_STEP), _depth_table(_OLD_STEP)

"""Perceptual fingerprints of photos, and pairs of photos that look alike.

Two hashes of the grey picture: the signs of low frequencies (pHash, C. Zauner 2010; 64 bits) find pairs that survive
scaling, recoding and changes of brightness; the signs of horizontal differences (dHash, N. Krawetz 2013; 256 bits)
confirm them, because few bits call pictures of the same layout alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.store.photos import load_photo

NEAR = 8
"""Bits of 64 in which the coarse hashes of a pair may differ."""
CONFIRM = 4
"""The fine hashes, of 256 bits, may differ in so many times as many bits."""
_LOW, _GREY, _FINE = 8, 32, 16
_BLOCK = 1 << 22
_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Fingerprints:
    """``names`` of n photos, their ``coarse`` (n, 8) and ``fine`` (n, 32) hashes as bytes; ``unreadable``: reasons."""

    names: tuple[str, ...]
    coarse: NDArray[np.uint8]
    fine: NDArray[np.uint8]
    unreadable: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Alike:
    """Two photos that look alike, and in how many of 64 bits they differ."""

    first: str
    second: str
    distance: int


def fingerprint(image: Image.Image) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(8,) and (32,) bytes: the coarse and the fine hash of a picture of any size."""
    from scipy.fft import dctn

    grey = image.convert("L")
    small = np.asarray(grey.resize((_GREY, _GREY), Image.Resampling.LANCZOS), np.float64)
    low = dctn(small, norm="ortho")[:_LOW, :_LOW].ravel()
    coarse = low > np.median(low[1:])  # the first is the brightness, which says nothing
    wide = np.asarray(grey.resize((_FINE + 1, _FINE), Image.Resampling.LANCZOS), np.int16)
    return np.packbits(coarse), np.packbits((wide[:, 1:] > wide[:, :-1]).ravel())


def fingerprints(
    photos: Iterable[tuple[str, Path]], workers: int = 1, advance: Callable[[int], None] = lambda count: None
) -> Fingerprints:
    """Fingerprints of (name, file); files that are no pictures are listed, not raised. Decoding runs in threads."""

    def one(photo: tuple[str, Path]) -> tuple[str, tuple | str]:
        try:
            return photo[0], fingerprint(load_photo(photo[1]))
        except InputError as error:
            return photo[0], str(error)

    names, coarse, fine, unreadable = [], [], [], []
    with ThreadPoolExecutor(workers) as pool:
        for batch in _batches(photos, _AT_ONCE):
            for name, found in pool.map(one, batch):
                if isinstance(found, str):
                    unreadable.append(found)
                else:
                    names.append(name)
                    coarse.append(found[0])
                    fine.append(found[1])
                advance(1)
    return Fingerprints(
        tuple(names),
        np.array(coarse, np.uint8).reshape(-1, _LOW * _LOW // 8),
        np.array(fine, np.uint8).reshape(-1, _FINE * _FINE // 8),
        tuple(unreadable),
    )


def alike(a: Fingerprints, b: Fingerprints | None = None, near: int = NEAR) -> list[Alike]:
    """Pairs within ``a``, or of one of ``a`` and one of ``b``, that differ in at most ``near`` bits; nearest first.

    By the pigeonhole principle hashes that differ in at most k bits agree wholly in one of k + 1 groups of bits: only
    those that do are compared, so that 100,000 photos need no 5 billion comparisons.
    """
    other = a if b is None else b
    found: dict[tuple[int, int], int] = {}
    mine, theirs = a.coarse.view(np.uint64)[:, 0], other.coarse.view(np.uint64)[:, 0]
    for bits in np.array_split(np.arange(_LOW * _LOW), near + 1):
        for rows, columns in _same(_key(a.coarse, bits), None if b is None else _key(other.coarse, bits)):
            far = np.bitwise_count(mine[rows][:, None] ^ theirs[columns][None])
            i, j = np.nonzero(far <= near)
            far, i, j = far[i, j], rows[i], columns[j]
            sure = np.bitwise_count(a.fine[i] ^ other.fine[j]).sum(axis=1) <= CONFIRM * near
            sure &= (i < j) if b is None else True
            found.update(zip(zip(i[sure].tolist(), j[sure].tolist()), far[sure].tolist()))
    pairs = [Alike(*_named(a.names[i], other.names[j], b is None), d) for (i, j), d in found.items()]
    return sorted(pairs, key=lambda pair: (pair.distance, pair.first, pair.second))


def _named(first: str, second: str, sort: bool) -> tuple[str, str]:
    return (min(first, second), max(first, second)) if sort else (first, second)


def _key(hashes: NDArray[np.uint8], bits: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) the chosen bits as one number."""
    chosen = np.unpackbits(hashes, axis=1)[:, bits].astype(np.int64)
    return chosen @ (1 << np.arange(len(bits)))


def _same(
    keys: NDArray[np.int64], others: NDArray[np.int64] | None
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Groups of indices with equal keys, (rows, columns), in blocks of at most so many pairs."""
    order = np.argsort(keys, kind="stable")
    theirs = order if others is None else np.argsort(others, kind="stable")
    mine_sorted, theirs_sorted = keys[order], (keys if others is None else others)[theirs]
    for key in np.intersect1d(mine_sorted, theirs_sorted):
        mine = order[np.searchsorted(mine_sorted, key) : np.searchsorted(mine_sorted, key, "right")]
        found = theirs[np.searchsorted(theirs_sorted, key) : np.searchsorted(theirs_sorted, key, "right")]
        step = max(1, _BLOCK // max(1, len(found)))
        yield from ((mine[start : start + step], found) for start in range(0, len(mine), step))


def _batches(values: Iterable[tuple[str, Path]], size: int) -> Iterator[Sequence[tuple[str, Path]]]:
    batch: list[tuple[str, Path]] = []
    for value in values:
        batch.append(value)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch

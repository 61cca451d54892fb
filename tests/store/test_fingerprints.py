"""Photos that look alike are found, however they were saved, and others are not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from pseudogd.store.fingerprints import NEAR, Fingerprints, alike, fingerprint, fingerprints


def picture(seed: int, size: int = 128) -> Image.Image:
    """Smooth random colours: a picture as photos are, with most of its energy in low frequencies."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (12, 12, 3), dtype=np.uint8))
    return small.resize((size, size), Image.Resampling.BICUBIC)


def recoded(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=40)
    return Image.open(buffer)


CHANGES = {
    "the same": lambda image: image,
    "smaller": lambda image: image.resize((70, 70)),
    "another shape": lambda image: image.resize((200, 150)),
    "recoded": recoded,
    "brighter": lambda image: image.point(lambda v: min(255, 20 + int(0.9 * v))),
    "grey": lambda image: image.convert("L"),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(1)),
}


def hashed(images) -> Fingerprints:
    found = [fingerprint(image) for image in images]
    names = tuple(f"{k:04d}" for k in range(len(found)))
    return Fingerprints(names, np.array([c for c, _ in found]), np.array([f for _, f in found]))


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found(change):
    pairs = alike(hashed([*(picture(k) for k in range(6)), CHANGES[change](picture(3))]))
    assert [(pair.first, pair.second) for pair in pairs] == [("0003", "0006")]


def test_other_pictures_and_mirrored_ones_are_not_alike():
    pictures = [picture(k) for k in range(100)]
    assert alike(hashed(pictures)) == []
    assert alike(hashed(pictures), hashed([p.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for p in pictures])) == []


def test_the_groups_of_bits_find_what_comparing_all_finds():
    rng = np.random.default_rng(0)
    base = rng.integers(0, 2, (30, 64), dtype=np.uint8)
    bits = np.concatenate([base, base, base])
    for row in bits[30:]:
        row[rng.choice(64, rng.integers(0, 14), replace=False)] ^= 1
    one = Fingerprints(
        tuple(map(str, range(len(bits)))), np.packbits(bits, axis=1), np.zeros((len(bits), 32), np.uint8)
    )
    found = {(int(pair.first), int(pair.second)): pair.distance for pair in alike(one)}
    distance = (bits[:, None] != bits[None]).sum(axis=-1)
    wanted = {(i, j): int(distance[i, j]) for i, j in zip(*np.nonzero(distance <= NEAR)) if i < j}
    assert {tuple(sorted(pair)): d for pair, d in found.items()} == wanted
    other = Fingerprints(one.names, one.coarse[:30], one.fine[:30])
    across = {(int(p.first), int(p.second)) for p in alike(one, other)}
    assert across == {(i, j) for i, j in zip(*np.nonzero(distance[:, :30] <= NEAR))}


def test_files_are_read_in_any_number_of_threads_and_broken_ones_listed(tmp_path):
    for k in range(5):
        picture(k).save(tmp_path / f"{k}.png")
    (tmp_path / "5.png").write_bytes(b"no picture")
    files = [(path.name, path) for path in sorted(tmp_path.iterdir())]
    done = []
    one, many = fingerprints(files, 1, done.append), fingerprints(files, 4)
    assert one.names == many.names == tuple(f"{k}.png" for k in range(5)) and sum(done) == 6
    assert (one.coarse == many.coarse).all() and (one.fine == many.fine).all()
    assert len(one.unreadable) == 1 and "5.png" in one.unreadable[0]


def test_many_photos_are_compared_in_seconds():
    rng = np.random.default_rng(0)
    n = 30_000
    coarse, fine = (rng.integers(0, 256, (n, width), dtype=np.uint8) for width in (8, 32))
    coarse[-1], fine[-1] = coarse[0], fine[0]
    assert [(p.first, p.second) for p in alike(Fingerprints(tuple(map(str, range(n))), coarse, fine))] == [
        ("0", str(n - 1))
    ]

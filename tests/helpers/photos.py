"""Pictures of every awkward kind, as bytes."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 48, 32


def grey_ramp() -> Image.Image:
    """From black to white in 16 bits."""
    return Image.fromarray(np.linspace(0, 65535, WIDTH * HEIGHT).astype(np.uint16).reshape(HEIGHT, WIDTH))


def scene(seed: int = 0, width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """A smooth colourful picture whose corners differ, so that turning it shows."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    top = np.random.default_rng(seed).uniform(0.8, 1, 3)
    pixels = np.stack([x, y, (x + y) / 2], axis=2) * top
    return Image.fromarray((pixels * 255).astype(np.uint8))


def as_bytes(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def bomb_png(width: int = 30_000, height: int = 30_000) -> bytes:
    """A small PNG file whose header announces a huge picture."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(3 * width + 1))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def rotated_jpeg(orientation: int) -> tuple[bytes, Image.Image]:
    """A JPEG that was stored turned, with the EXIF tag that says so, and how it looks upright."""
    upright = scene()
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    return as_bytes(stored, "JPEG", quality=95, exif=exif), upright


def animated(kind: str) -> bytes:
    frames = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ("red", "lime", "blue")]
    return as_bytes(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)


GOOD_KINDS = {
    "plain.png": lambda: as_bytes(scene(1)),
    "plain.jpg": lambda: as_bytes(scene(2), "JPEG"),
    "cmyk.jpg": lambda: as_bytes(scene(3).convert("CMYK"), "JPEG"),
    "sixteen bit.png": lambda: as_bytes(grey_ramp()),
    "palette.png": lambda: as_bytes(scene(4).convert("P", palette=Image.Palette.ADAPTIVE)),
    "alpha.png": lambda: as_bytes(scene(5).convert("RGBA")),
    "turned.jpg": lambda: rotated_jpeg(6)[0],
    "animated.gif": lambda: animated("GIF"),
    "animated.webp": lambda: animated("WEBP"),
    'it\'s "quoted" 📷.png': lambda: as_bytes(scene(6)),
    "UPPER.PNG": lambda: as_bytes(scene(7)),
    "one bit.png": lambda: as_bytes(scene(8).convert("1")),
}
BAD_KINDS = {
    "truncated.jpg": (lambda: as_bytes(scene(9, 256, 256), "JPEG")[:2000], "truncated"),
    "truncated.png": (lambda: as_bytes(scene(9, 256, 256))[:900], "truncated"),
    "empty.jpg": (lambda: b"", "empty"),
    "text.jpg": (lambda: b"I am no picture at all, whatever my name says.\n" * 9, "not a picture"),
    "bomb.png": (bomb_png, "pixels"),
    "phone.heic": (lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200), "HEIC"),
}

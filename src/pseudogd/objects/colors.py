"""The colour of a thing, measured on its mask: one plain word, or none where people might disagree.

A pixel counts for a word only well inside that word's range of CIELAB (D65; lightness L 0 to 100, chroma and hue
angle), and for several words near a border. A word is said if most pixels are surely of it and hardly any surely of
another; a word is *possible* if a fair share of the pixels may be of it. The gap between the two is the margin: a thing
is called "the red chair" only if no other chair might be called red as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SAID_SHARE = 0.6
OTHER_SHARE = 0.15
POSSIBLE_SHARE = 0.2
MIN_PIXELS = 30
MAX_PIXELS = 4096
_ERODED = 0.03  # of the shorter side of the mask's box: what bleeds in from behind is no colour of the thing

# Hue ranges in degrees, surely so and possibly so; a wide gap lies between words that people mix up.
_HUES = {
    "red": ((18, 42), (2, 52)),
    "orange": ((54, 70), (42, 82)),
    "yellow": ((86, 104), (76, 114)),
    "green": ((122, 185), (104, 210)),
    "blue": ((240, 303), (205, 318)),
    "purple": ((314, 334), (300, 352)),
    "pink": ((345, 368), (328, 392)),
}


@dataclass(frozen=True)
class Colors:
    """The word that may be said of a thing, and all words that somebody might say of it."""

    said: str | None = None
    possible: frozenset[str] = frozenset()


ANY = Colors(None, frozenset([*_HUES, "black", "gray", "white", "brown"]))
"""Of a thing that could not be looked at: it may have any colour."""


def measure(pixels: NDArray[np.uint8], mask: Mask) -> Colors:
    """Colour of the True part of ``mask`` (H, W) on an sRGB picture (H, W, 3). A small mask may be of any."""
    values = _inner(pixels, mask)
    if len(values) < MIN_PIXELS:
        return ANY
    light, chroma, hue = _lab(values)
    words = _words(light, chroma, hue)
    surely = {word: float(pixels.mean()) for word, (pixels, _) in words.items()}
    maybe = {word: float(pixels.mean()) for word, (_, pixels) in words.items()}
    ordered = sorted(surely, key=lambda word: -surely[word])
    first, second = ordered[0], ordered[1]
    clear = surely[first] >= SAID_SHARE and surely[second] <= OTHER_SHARE
    possible = frozenset(word for word, share in maybe.items() if share >= POSSIBLE_SHARE)
    return Colors(first if clear else None, possible)


def _inner(pixels: NDArray[np.uint8], mask: Mask) -> Array:
    """(n, 3) values off the outline, thinned evenly."""
    from scipy.ndimage import binary_erosion, uniform_filter

    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return np.zeros((0, 3))
    window = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    inside, part = mask[window], pixels[window]
    step = max(1, int(np.sqrt(inside.size / (4 * MAX_PIXELS))))
    inside, part = inside[::step, ::step], part[::step, ::step]
    smaller = binary_erosion(inside, iterations=max(1, round(_ERODED * min(inside.shape))))
    inside = smaller if smaller.sum() >= max(MIN_PIXELS, inside.sum() // 4) else inside
    values = uniform_filter(part.astype(np.float64), (3, 3, 1), mode="nearest")[inside]  # a sensor's noise is no colour
    return values[:: max(1, len(values) // MAX_PIXELS)]


def _words(light: Array, chroma: Array, hue: Array) -> dict[str, tuple[Mask, Mask]]:
    """Word -> (surely, maybe) of each pixel."""
    vivid, tinted, grey, dull = chroma > 30, chroma > 10, chroma < 8, chroma < 20
    words = {
        "black": (grey & (light < 18) | (light < 9), dull & (light < 36) | (light < 18)),
        "gray": (grey & (light > 38) & (light < 72), dull & (light > 18) & (light < 88)),
        "white": (grey & (light > 86), dull & (light > 70)),
    }
    for word, ((low, high), (least, most)) in _HUES.items():
        words[word] = vivid & _between(hue, low, high) & (light > 18), tinted & _between(hue, least, most)
    # CIELAB bends the most vivid blues towards purple: those of a screen's blue lie at 306 degrees.
    words["blue"] = words["blue"][0] | (chroma > 90) & _between(hue, 300, 309), words["blue"][1]
    warm, warmish = _between(hue, 48, 82), _between(hue, 25, 98)
    words["brown"] = (
        (chroma > 12) & (chroma < 45) & warm & (light > 16) & (light < 44),
        (chroma > 7) & (chroma < 60) & warmish & (light < 60),
    )
    # Dark orange is brown, light red is pink: what is said of a hue depends on its lightness too.
    words["orange"] = words["orange"][0] & (light > 55) & (chroma > 45), words["orange"][1] & (light > 40)
    words["yellow"] = words["yellow"][0] & (light > 62) & (chroma > 40), words["yellow"][1] & (light > 45)
    words["red"] = words["red"][0] & (light < 58) & (chroma > 40), words["red"][1] & (light < 72)
    words["pink"] = words["pink"][0] & (light > 58), words["pink"][1] & (light > 45)
    return words


def _between(hue: Array, low: float, high: float) -> Mask:
    return ((hue - low) % 360) <= (high - low)


def to_lab(values: Array) -> Array:
    """(n, 3) CIELAB (D65) of (n, 3) sRGB values 0 to 255; IEC 61966-2-1 and CIE 15."""
    share = values / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def _lab(values: Array) -> tuple[Array, Array, Array]:
    """Lightness, chroma and hue (degrees, 0 to 360) of (n, 3) sRGB values 0 to 255."""
    light, a, b = to_lab(values).T
    return light, np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360


# Things whose picture shows another thing's colour (glass, screens), and people, of whom a colour word says no colour.
_NOT_COLORED_WORDS = (
    "adult baby boy child girl guy kid lady man pedestrian people person player woman worker aquarium computer glass "
    "laptop mirror monitor painting photo photograph picture poster screen television tv window windshield"
)
_NOT_COLORED = frozenset(_NOT_COLORED_WORDS.split())


def says_color(head: str) -> bool:
    """Whether a colour word before this noun tells things of its kind apart."""
    return head not in _NOT_COLORED

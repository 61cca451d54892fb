"""Procedural colours of surfaces: (n, 2) surface coordinates in metres to (n,) brightness factors around 1.

Sums of a few sines stand for noise: they cost a tenth of a lattice noise and are as good at 128 pixels.
"""

from __future__ import annotations

import numpy as np

TRAIN = ("plain", "planks", "checker", "stripes", "cloudy")
HELD_OUT = ("tiles", "weave", "dots", "speckle", "waves")

# Named colours in linear-ish RGB. `shade` moves them without leaving the name.
COLORS: dict[str, tuple[float, float, float]] = {
    "red": (0.78, 0.08, 0.07),
    "green": (0.10, 0.55, 0.14),
    "blue": (0.08, 0.22, 0.75),
    "yellow": (0.90, 0.78, 0.08),
    "orange": (0.92, 0.42, 0.04),
    "purple": (0.45, 0.12, 0.62),
    "pink": (0.95, 0.45, 0.62),
    "white": (0.92, 0.92, 0.90),
    "black": (0.05, 0.05, 0.06),
    "gray": (0.42, 0.43, 0.44),
    "brown": (0.36, 0.19, 0.09),
}


def shade(name: str, rng: np.random.Generator, held_out: bool) -> np.ndarray:
    """(3,) RGB of a named colour; train and held-out shades differ in tint and brightness, disjointly."""
    step = rng.uniform(0.10, 0.17) if held_out else rng.uniform(0.0, 0.08)
    sign = rng.choice((-1.0, 1.0))
    tint = rng.uniform(0.03, 0.06) * rng.choice((-1.0, 1.0), 3) if held_out else rng.uniform(-0.02, 0.02, 3)
    return np.clip(np.array(COLORS[name]) * (1 + sign * step) + tint * np.array(COLORS[name]).max(), 0.01, 1.0)


def _noise(uv: np.ndarray, seed: np.ndarray, frequency: float) -> np.ndarray:
    """(n,) smooth values in about [-1, 1]: four plane waves whose directions and phases come from `seed` (>= 8,)."""
    total = np.zeros(len(uv), dtype=np.float32)
    for k in range(4):
        angle, phase = seed[2 * k] * 6.283, seed[2 * k + 1] * 6.283
        f = frequency * (1 + 0.7 * k)
        total += np.sin((uv[:, 0] * np.cos(angle) + uv[:, 1] * np.sin(angle)) * f + phase) / (1 + 0.5 * k)
    return total / 2.3


def brightness(kind: str, uv: np.ndarray, seed: np.ndarray, scale: float, contrast: float) -> np.ndarray:
    """(n,) factor around 1 for surface coordinates uv (n, 2) in metres; `seed` is (8,) in [0, 1], `scale` in metres."""
    u, v = uv[:, 0] / scale, uv[:, 1] / scale
    if kind == "plain":
        pattern = 0.25 * _noise(uv, seed, 5.0)
    elif kind == "planks":
        row = np.floor(v * 2)
        pattern = np.sin(row * 12.9898 + seed[0] * 50) + 0.4 * _noise(uv * (1.0, 12.0), seed, 3.0)
        pattern = np.where(np.abs(v * 2 - row) < 0.06, -1.6, 0.6 * pattern)
    elif kind == "checker":
        pattern = np.where((np.floor(u) + np.floor(v)) % 2 == 0, 0.8, -0.8)
    elif kind == "stripes":
        pattern = np.where(np.sin(u * 6.283) > 0, 0.7, -0.7)
    elif kind == "cloudy":
        pattern = _noise(uv, seed, 3.0 / scale) + 0.5 * _noise(uv, seed[::-1], 9.0 / scale)
    elif kind == "tiles":
        edge = np.minimum(np.abs(u - np.round(u)), np.abs(v - np.round(v)))
        pattern = np.where(edge < 0.05, -1.4, 0.4 * np.sin(np.floor(u + 0.5) * 7.3 + np.floor(v + 0.5) * 3.1))
    elif kind == "weave":
        pattern = np.sin(u * 6.283) * np.sin(v * 6.283)
    elif kind == "dots":
        r = np.hypot(u - np.round(u), v - np.round(v))
        pattern = np.where(r < 0.28, 1.0, -0.3)
    elif kind == "speckle":
        pattern = np.sin(u * 61.7 + 9.1 * np.sin(v * 47.1)) * np.sin(v * 53.3 + 7.7 * np.sin(u * 39.7))
    else:  # waves
        pattern = np.sin(u * 6.283 + 1.5 * np.sin(v * 3.1 + seed[0] * 6))
    return (1 + contrast * pattern).astype(np.float32)

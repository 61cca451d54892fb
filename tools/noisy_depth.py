"""Depth maps as a cheap sensor would have given them, to ask questions of and to judge these by the maps as they were.

    python tools/noisy_depth.py photos/depth noisy
    pseudogd label photos --teacher files:noisy --cameras photos/cameras.json --out data
    pseudogd annotate data --source coco:photos/annotations.json && pseudogd calibrate data --truth photos/depth

Maps are 16-bit PNG of millimetres, 0 unknown. Every second row and column is kept, each pixel is read half a pixel off,
one in ten is lost, and depth has the error of a Kinect, 1.2 mm + 1.9 mm/m^2 (z - 0.4 m)^2, alike over a pixel or two
(axial noise of Nguyen, Izadi and Lovell 2012).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

LOST, JITTER, SMOOTH = 0.1, 0.5, 1.0


def noisy(depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H / 2, W / 2) metres of (H, W) metres; 0 is unknown in both."""
    rows, columns = np.indices(depth.shape)
    off = np.rint(rng.normal(0, JITTER, (2, *depth.shape))).astype(int)
    seen = depth[np.clip(rows + off[0], 0, depth.shape[0] - 1), np.clip(columns + off[1], 0, depth.shape[1] - 1)]
    noise = gaussian_filter(rng.normal(size=depth.shape), SMOOTH)
    read = seen + (0.0012 + 0.0019 * (seen - 0.4) ** 2) * noise / noise.std()
    return np.where((seen > 0) & (rng.random(depth.shape) > LOST), read, 0.0)[::2, ::2].clip(0)


def main() -> None:
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    source, out = map(Path, sys.argv[1:])
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for path in sorted(source.glob("*.png")):
        metres = np.asarray(Image.open(path)).astype(np.float64) / 1000
        Image.fromarray(np.rint(noisy(metres, rng) * 1000).astype(np.uint16)).save(out / path.name)


if __name__ == "__main__":
    main()

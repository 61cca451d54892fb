"""Whether depth is the better the surer a teacher is, on photos whose true depth is known.

    python tools/confidence_honesty.py DATA PHOTOS

DATA was labelled with a confidence, PHOTOS holds the true depth. For bands of confidence: the share of pixels, and the
mean and median of |ln depth - ln truth| after each photo's median scale is corrected.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np

from pseudogd.benchmarks.truth import true_photos
from pseudogd.store.dataset import Store

BANDS = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0)


def bands(data: Path, photos: Path) -> list[dict[str, float]]:
    """A row for each band of confidence with any pixels: from, to, share, mean and median error."""
    store = Store(data)
    ids = {Path(row["path"]).name: row["image_id"] for row in store.photos().to_pylist()}
    sure, errors = [], []
    for photo in true_photos(photos, with_objects=False, normals=False):
        said = store.geometry(ids[photo.path.name]) if photo.path.name in ids else None
        if said is None or said.confidence is None:
            continue
        truth = _sampled(photo.geometry.depth, said.depth.shape)
        both = np.isfinite(truth) & said.known
        ratio = np.log(said.depth[both] / truth[both])
        sure.append(said.confidence[both])
        errors.append(np.abs(ratio - np.median(ratio)))
    if not sure:
        raise SystemExit(f"{data}: no photo with a confidence and true depth in {photos}")
    confidence, error = np.concatenate(sure), np.concatenate(errors)
    rows = []
    for low, high in itertools.pairwise(BANDS):
        inside = (confidence >= low) & ((confidence < high) | (high == BANDS[-1]))
        if inside.any():
            mean, median = float(error[inside].mean()), float(np.median(error[inside]))
            rows.append({"from": low, "to": high, "share": float(inside.mean()), "mean": mean, "median": median})
    return rows


def _sampled(depth: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    row, column = (((np.arange(n) + 0.5) * have / n).astype(int) for n, have in zip(shape, depth.shape))
    return depth[row][:, column]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("photos", type=Path)
    given = parser.parse_args()
    print("| confidence | pixels | mean error | median error |\n| --- | --: | --: | --: |")
    for row in bands(given.data, given.photos):
        print(
            f"| {row['from']:.1f} to {row['to']:.1f} | {100 * row['share']:.1f} % | {row['mean']:.3f} "
            f"| {row['median']:.3f} |"
        )


if __name__ == "__main__":
    main()

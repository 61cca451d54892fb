"""How far off gravity is, and whether it is the better the surer it is, on photos whose true gravity is known.

    python tools/gravity_honesty.py DATA PHOTOS

DATA was labelled, PHOTOS holds the truth (a folder of `pseudogd.world.render_folder`). Degrees from told to true up:
of what `synth` believes at its default, of what it does not, and of thirds of the photos by confidence.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from pseudogd.benchmarks.truth import true_photos
from pseudogd.store.dataset import Store
from pseudogd.vqa.scene import SceneSettings


def errors(data: Path, photos: Path) -> np.ndarray:
    """(n, 2): degrees and confidence of each photo with an up."""
    store = Store(data)
    ids = {Path(row["path"]).name: row["image_id"] for row in store.photos().to_pylist()}
    rows = []
    for photo in true_photos(photos, with_objects=False, normals=False):
        true, told = photo.geometry.up, store.geometry(ids[photo.path.name]).up if photo.path.name in ids else None
        if true is not None and told is not None:
            cosine = float(np.clip(told.vector @ true.vector, -1.0, 1.0))
            rows.append((float(np.degrees(np.arccos(cosine))), told.confidence))
    if not rows:
        raise SystemExit(f"{data}: no photo with gravity that {photos} knows, too")
    return np.array(rows)


def parts(found: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """(what, degrees): believed, not believed, and thirds from the least to the most sure."""
    degrees, confidence = found.T
    believed = confidence >= SceneSettings().up_confidence
    named = [("believed", degrees[believed]), ("not believed", degrees[~believed])]
    for name, part in zip(
        ("least sure third", "middle third", "surest third"), np.array_split(np.argsort(confidence), 3)
    ):
        named.append((name, degrees[part]))
    return named


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("photos", type=Path)
    given = parser.parse_args()
    print("| photos | count | median | 90 % below |\n| --- | --: | --: | --: |")
    for name, degrees in parts(errors(given.data, given.photos)):
        if len(degrees):
            print(f"| {name} | {len(degrees)} | {np.median(degrees):.1f}° | {np.quantile(degrees, 0.9):.1f}° |")


if __name__ == "__main__":
    main()

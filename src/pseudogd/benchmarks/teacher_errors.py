"""How far a teacher's depth is from the truth, photo by photo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pseudogd.errors import InputError
from pseudogd.geometry.metrics import depth_metrics


def teacher_errors(data: str | Path, truth: str | Path) -> dict[str, Any]:
    """Mean over photos of depth errors of a labelled data folder against a folder with truth.

    Photos are matched by file name. Returns abs_rel, rmse, log10, delta1..3 of the metres as they are, the same with
    each photo's median scale corrected (``aligned``), and the number of photos ``n``. Raises InputError where no photo
    has both a label and truth of the same size.
    """
    from pseudogd.benchmarks.truth import true_photos
    from pseudogd.store.dataset import Store

    store = Store(data)
    known = {Path(row["path"]).name: row["image_id"] for row in store.photos().to_pylist()}
    raw: list[dict[str, float]] = []
    aligned: list[dict[str, float]] = []
    for photo in true_photos(truth, with_objects=False, normals=False):
        image_id = known.get(photo.path.name)
        if image_id is None:
            continue
        predicted = store.geometry(image_id).depth
        if predicted.shape != photo.geometry.depth.shape:
            continue
        raw.append(depth_metrics(predicted, photo.geometry.depth))
        aligned.append(depth_metrics(predicted, photo.geometry.depth, align="median"))
    if not raw:
        raise InputError(f"{data}: none of its photos has truth of the same size in {truth}")
    return {**_mean(raw), "aligned": _mean(aligned), "n": len(raw)}


def _mean(rows: list[dict[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0] if key != "n"}

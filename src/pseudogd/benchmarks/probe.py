"""Depth probe: how much of depth can be read off frozen vision features by a linear map.

For each cell of the tower's grid the target is the median log z-depth in its footprint. Ridge regression on
standardised features is solved in closed form; its penalty is chosen on some of the training photos; errors are of
photos that neither saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from pseudogd.benchmarks.truth import TruePhoto, true_photos
from pseudogd.distill.targets import cell_targets
from pseudogd.errors import InputError
from pseudogd.geometry.metrics import depth_metrics

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_MAX_DEPTH, _MIN_DEPTH = 300.0, 0.05


@dataclass(frozen=True)
class Cells:
    """Cells of several photos: ``features`` (M, D), ``log_depth`` (M,), ``photo`` and ``place`` (M,) indices.

    ``log_focal`` (M,) is log(f / F) of the view, nan without a camera (see `distill.targets.log_view_focal`).
    """

    features: np.ndarray
    log_depth: np.ndarray
    photo: np.ndarray
    place: np.ndarray
    log_focal: np.ndarray

    def of(self, photos: np.ndarray) -> Cells:
        return self._at(np.isin(self.photo, photos))

    def canonical(self) -> Cells:
        """Those of known focal length, with depth as a camera of focal length F would have it: log(z F / f)."""
        return replace(self, log_depth=self.log_depth - self.log_focal)._at(np.isfinite(self.log_focal))

    def _at(self, chosen: np.ndarray) -> Cells:
        return Cells(*(getattr(self, column.name)[chosen] for column in fields(self)))


@dataclass(frozen=True)
class LinearProbe:
    """log depth = (features - mean) / spread @ weights + bias."""

    mean: np.ndarray
    spread: np.ndarray
    weights: np.ndarray
    bias: float
    penalty: float

    def __call__(self, features: np.ndarray) -> np.ndarray:
        log_depth = (features - self.mean) / self.spread @ self.weights + self.bias
        return np.exp(np.clip(log_depth, np.log(_MIN_DEPTH), np.log(_MAX_DEPTH)))


def depth_probe(
    model: Any,
    train: str | Path | Sequence[TruePhoto],
    test: str | Path | Sequence[TruePhoto],
    *,
    layer: int | None = None,
    max_photos: int | None = None,
    batch_size: int = 32,
    device: str | None = None,
) -> dict[str, Any]:
    """Fit on the photos of ``train`` and report errors on those of ``test`` (folders with truth, or their photos).

    ``model``: a checkpoint's folder or hub id, or a loaded ``Student``. ``layer``: hidden state of the tower, default
    the deepest one that the projector reads. Returns abs_rel and delta1 (metric, mean over photos), the same with each
    photo's median scale corrected (``_aligned``), those of a probe that is told the focal length as a teacher is
    (``known_focal``; None where no photo has one), those of a probe that knows only the cell's place in the picture
    (``place_only``), and what was used.
    """
    student = model if hasattr(model, "family") else _load(model, device)
    layer = student.family.last_read if layer is None else layer
    fit_on = cells(student, _photos(train, max_photos), layer, batch_size)
    held_out = cells(student, _photos(test, max_photos), layer, batch_size)
    probe = fit(fit_on)
    place_only = fit_place(fit_on)
    return {
        **errors(probe(held_out.features), held_out),
        "known_focal": _errors_given_focal(fit_on.canonical(), held_out.canonical()),
        "place_only": errors(place_only[held_out.place], held_out),
        "layer": int(layer),
        "penalty": probe.penalty,
        "n_train_photos": len(np.unique(fit_on.photo)),
        "n_test_photos": len(np.unique(held_out.photo)),
        "n_test_cells": len(held_out.log_depth),
    }


def _errors_given_focal(fit_on: Cells, held_out: Cells) -> dict[str, float] | None:
    """The same factor on prediction and truth leaves both errors as they are: canonical errors are those of metres."""
    if not len(fit_on.log_depth) or not len(held_out.log_depth):
        return None
    return errors(fit(fit_on)(held_out.features), held_out)


def probe_maps(
    model: Any,
    fit_on: Sequence[TruePhoto],
    shown: Sequence[TruePhoto],
    *,
    layer: int | None = None,
    batch_size: int = 32,
    device: str | None = None,
) -> list[np.ndarray]:
    """What the probe reads off the tower for each photo of ``shown``: depth per cell (h, w), metres.

    nan where the truth is unknown. Arguments as of `depth_probe`.
    """
    student = model if hasattr(model, "family") else _load(model, device)
    layer = student.family.last_read if layer is None else layer
    probe = fit(cells(student, fit_on, layer, batch_size))
    asked = cells(student, shown, layer, batch_size)
    depth, maps = probe(asked.features), []
    for index, photo in enumerate(shown):
        here, shape = asked.photo == index, _grid(student, photo)
        grid = np.full(shape[0] * shape[1], np.nan, dtype=np.float32)
        grid[asked.place[here]] = depth[here]
        maps.append(grid.reshape(shape))
    return maps


def _grid(student: Any, photo: TruePhoto) -> tuple[int, int]:
    """(h, w) of the whole-photo view."""
    from pseudogd.store.photos import load_photo

    image = load_photo(photo.path)
    return next(v.grid for v in student.family.views(image.size, student.family.encode_photo(image)) if v.is_global)


def cells(student: Any, photos: Sequence[TruePhoto], layer: int, batch_size: int = 32) -> Cells:
    """Frozen features of the whole-photo view and true cell depths; cells of unknown depth are left out."""
    import torch

    from pseudogd.store.photos import load_photo

    parts: list[tuple[np.ndarray, ...]] = []
    for start in range(0, len(photos), batch_size):
        batch = photos[start : start + batch_size]
        images = [load_photo(photo.path) for photo in batch]
        encoding = student.family.collate_pixels([student.family.encode_photo(image) for image in images])
        encoding = {name: tensor.to(student.device) for name, tensor in encoding.items()}
        with torch.inference_mode():
            states = student.family.encode(student.model, encoding).hidden_states
        if not 0 <= layer < len(states):
            raise InputError(f"layer {layer}: the vision tower has hidden states 0 to {len(states) - 1}")
        tokens = states[layer]
        starts = student.family.token_offsets([image.size for image in images], encoding)
        flat = tokens.reshape(-1, tokens.shape[-1]).float().cpu().numpy()
        for index, (photo, image) in enumerate(zip(batch, images)):
            view = next(v for v in student.family.views(image.size, encoding, index) if v.is_global)
            target = cell_targets(photo.geometry, view.boxes, view.grid, view.cell, True, image.size)
            known = np.flatnonzero(target.weight > 0)
            mine = flat[int(starts[index]) + view.tokens[known]]
            focal = np.full(len(known), target.log_focal)
            parts.append((mine, target.log_depth[known], np.full(len(known), start + index), known, focal))
    if not parts:
        raise InputError("the depth probe was given no photos")
    features, log_depth, photo, place, log_focal = (np.concatenate(column) for column in zip(*parts))
    return Cells(features.astype(np.float64), log_depth.astype(np.float64), photo, place, log_focal)


def fit(data: Cells, penalties: Sequence[float] = PENALTIES) -> LinearProbe:
    """Ridge regression; the penalty (relative to the number of cells) that errs least on every fifth photo."""
    photos = np.unique(data.photo)
    if len(photos) < 5:
        return _ridge(data, penalties[len(penalties) // 2 :][:1])[0]
    inner, outer = data.of(photos[np.arange(len(photos)) % 5 != 0]), data.of(photos[::5])
    tried = _ridge(inner, penalties)
    wrong = [errors(probe(outer.features), outer)["abs_rel"] for probe in tried]
    return _ridge(data, [penalties[int(np.argmin(wrong))]])[0]


def _ridge(data: Cells, penalties: Sequence[float]) -> list[LinearProbe]:
    """One eigendecomposition serves all penalties: w = V (L + p)^-1 V' X'y / n."""
    mean, spread = data.features.mean(0), data.features.std(0)
    spread = np.where(spread > 1e-8 * max(1.0, float(spread.max())), spread, np.inf)  # a constant says nothing
    x, bias = (data.features - mean) / spread, float(data.log_depth.mean())
    values, vectors = np.linalg.eigh(x.T @ x / len(x))
    moment = vectors.T @ (x.T @ (data.log_depth - bias) / len(x))
    return [LinearProbe(mean, spread, vectors @ (moment / (values + p)), bias, float(p)) for p in penalties]


def fit_place(data: Cells) -> np.ndarray:
    """Depth by place alone: exp of the mean log depth of each cell of the grid (where none is known, of all)."""
    count = np.bincount(data.place, minlength=int(data.place.max()) + 1)
    total = np.bincount(data.place, weights=data.log_depth, minlength=len(count))
    return np.exp(np.where(count > 0, total / np.maximum(count, 1), data.log_depth.mean()))


def errors(depth: np.ndarray, data: Cells) -> dict[str, float]:
    """Means over photos of abs_rel and delta1, metric and with each photo's median aligned."""
    rows = []
    for photo in np.unique(data.photo):
        here = data.photo == photo
        true = np.exp(data.log_depth[here])
        metric, aligned = (depth_metrics(depth[here], true, align=align) for align in ("none", "median"))
        rows.append([metric["abs_rel"], metric["delta1"], aligned["abs_rel"], aligned["delta1"]])
    means = np.mean(rows, axis=0)
    return dict(zip(("abs_rel", "delta1", "abs_rel_aligned", "delta1_aligned"), (float(mean) for mean in means)))


def _photos(source: str | Path | Sequence[TruePhoto], limit: int | None) -> list[TruePhoto]:
    if isinstance(source, (str, Path)):
        source = list(true_photos(source, with_objects=False, normals=False))
    return list(source)[:limit]


def _load(model: str | Path, device: str | None) -> Any:
    from pseudogd.student.load import load_student

    return load_student(model, device=device)

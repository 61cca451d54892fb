"""Marked points on flat pieces of surface, with the normals of the teacher there and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.guards import Margins
from pseudogd.vqa.marks import Marks, build_marks, look_at
from pseudogd.vqa.scene import Array, Scene
from pseudogd.vqa.tasks._opposed import Alike

PATCH = 64
"""A piece of surface reaches a 64th of the picture's shorter side around its point."""
KNOWN = 0.9
BEND = float(np.radians(10.0))
UNEVEN = 0.01
WIDER, WIDE_BEND = 2.5, float(np.radians(6.0))
MOST_OF_A_KIND = 4
EDGES = (np.radians(22.5), np.radians(67.5))
"""Between parallel, neither and perpendicular, of the angle between two planes in [0, 90] degrees."""


@dataclass(frozen=True, eq=False)
class Surfaces:
    """``normal`` (M, 3) mean unit normals in the scene's frame; ``sigma`` (M,) their error in radians.

    ``wide`` (M,): whether the surface goes on flat around the patch. A teacher rounds off corners and steps, and a
    slope of a few pixels is most often such a place.
    """

    marks: Marks
    normal: Array
    sigma: Array
    wide: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.sigma)


def build_surfaces(scene: Scene, margins: Margins) -> Surfaces | None:
    """Marks whose surroundings are one flat piece of one surface; None where the teacher gave no normals.

    Within the patch nearly all normals are known and scatter little, and the points lie on the plane through the mark
    (residual below 1 % of the depth): a bend or a step that normals smooth over shows in the points.
    """
    if scene not in _MEASURED:
        _MEASURED[scene] = _measured(scene)
    found = _MEASURED[scene]
    if found is None:
        return None
    marks, normal, scatter, wide = found
    return Surfaces(marks, normal, np.hypot(margins.normal_sigma, scatter), wide)


_MEASURED: WeakKeyDictionary[Scene, tuple[Marks, Array, Array, NDArray[np.bool_]] | None] = WeakKeyDictionary()
"""Three tasks ask about the surfaces of one scene."""


def _measured(scene: Scene) -> tuple[Marks, Array, Array, NDArray[np.bool_]] | None:
    """Marks on flat patches, mean normals, their scatter in radians, and whether all around is as flat."""
    if scene.normals is None or scene.points is None or min(scene.depth.shape) < 8:
        return None
    marks = build_marks(scene)
    if not len(marks):
        return None
    flat, mean, scatter = _flatness(scene, marks, 1.0)
    rows = np.flatnonzero(flat & (scatter < BEND))
    if not len(rows):
        return None
    marks, mean, scatter = _only(marks, rows), mean[rows], scatter[rows]
    even, around, bend = _flatness(scene, marks, WIDER)
    wide = even & (bend < WIDE_BEND) & ((mean * around).sum(axis=-1) > np.cos(WIDE_BEND))
    return marks, mean, scatter, wide


def _flatness(scene: Scene, marks: Marks, wider: float) -> tuple[NDArray[np.bool_], Array, Array]:
    """Of the patches around marks: on one thing, known and plane; (M, 3) mean normals; (M,) scatter in radians."""
    assert scene.normals is not None and scene.points is not None and marks.points is not None
    around = _around(scene, marks.pixel, wider)
    normals, points, labels = scene.normals[around], scene.points[around], scene.labels[around]
    known = np.isfinite(normals[..., 0]) & np.isfinite(points[..., 0])
    count = np.maximum(known.sum(axis=0), 1)
    normals = np.where(known[..., None], normals, np.float32(0))
    mean = normals.sum(axis=0, dtype=np.float64)
    mean /= np.maximum(np.linalg.norm(mean, axis=-1), 1e-9)[:, None]
    bend = np.arccos(np.clip(np.einsum("pmk,mk->pm", normals, mean), -1, 1))
    scatter = np.sqrt((np.where(known, bend, 0.0) ** 2).sum(axis=0) / count)
    offset = np.einsum("pmk,mk->pm", points, mean) - (marks.points * mean).sum(axis=-1)
    uneven = np.sqrt((np.where(known, offset, 0.0) ** 2).sum(axis=0) / count) / marks.z
    flat = (known.mean(axis=0) >= KNOWN) & (uneven < UNEVEN) & (labels == marks.label).all(axis=0)
    return flat, mean, scatter


def alike(scene: Scene, surfaces: Surfaces) -> Alike:
    """All pairs of surfaces that may be asked about fairly: see `_opposed`."""
    if "alike" not in scene.memo:
        scene.memo["alike"] = Alike.of(surfaces.marks.percent)
    found: Alike = scene.memo["alike"]
    return found


def normals_at(scene: Scene, fact: Fact) -> tuple[Array, Array] | None:
    """(M, 3) points and (M, 3) normals at the marks of a fact in this scene; None where one of them is not known."""
    if scene.normals is None:
        return None
    seen = look_at(scene, [entry["percent"] for entry in fact.evidence["points"]])
    memo, key = scene.measured.memo, ("normals", seen.pixel.tobytes())
    if key not in memo:
        memo[key] = _mean_normals(scene, seen.pixel)
    mean: Array | None = memo[key]
    if mean is None or seen.points is None or np.isnan(seen.points).any():
        return None
    return seen.points, mean


def _mean_normals(scene: Scene, pixel: NDArray[np.int64]) -> Array | None:
    """(M, 3) unit mean normals of the patches around pixels; None where one has none."""
    assert scene.normals is not None
    around = scene.normals[_around(scene, pixel)]
    around[np.isnan(around)] = 0
    mean = around.sum(axis=0, dtype=np.float64)
    length = np.sqrt(np.einsum("mk,mk->m", mean, mean))
    return None if length.min() < 1e-6 else mean / length[:, None]


def some_of_each(surfaces: Surfaces, rng: np.random.Generator, most: int) -> list[int]:
    """Indices in random order, few of the same thing with the same direction: floors and walls are everywhere."""
    chosen: list[int] = []
    seen: dict[tuple[int, ...], int] = {}
    coarse = np.rint(surfaces.normal * 2).astype(int).tolist()
    for k in rng.permutation(len(surfaces)).tolist():
        kind = (int(surfaces.marks.label[k]), *coarse[k])
        if seen.get(kind, 0) < MOST_OF_A_KIND:
            seen[kind] = seen.get(kind, 0) + 1
            chosen.append(k)
    return chosen[:most]


def sure_kinds(
    angles: Array, sigma: Array, wide: NDArray[np.bool_], margins: Margins
) -> tuple[NDArray[np.int64], Array]:
    """Which of three kinds angles in [0, pi / 2] are (0-2, -1 where unsure), and how far from the nearest edge.

    ``wide``: whether all around is flat, without which the kind in the middle is not believed (see `Surfaces`).
    """
    low, high = EDGES
    margin: Array = np.minimum(np.abs(angles - low), np.abs(angles - high))
    kinds = (angles > low).astype(np.int64) + (angles > high)
    sure = (margin > np.maximum(margins.surface, margins.sigmas * sigma)) & ((kinds != 1) | wide)
    return np.where(sure, kinds, -1), margin


def kind_of(angle: float, kinds: Sequence[str]) -> str:
    """Which of three kinds an angle in [0, pi / 2] is."""
    return kinds[sum(angle > edge for edge in EDGES)]


def _around(scene: Scene, pixel: NDArray[np.int64], wider: float = 1.0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(P, M) rows and columns of the patches around M pixels."""
    height, width = scene.depth.shape
    down, across = _patch(height, width, wider)
    row, column = pixel[:, 0] + down, pixel[:, 1] + across
    return row.clip(0, height - 1), column.clip(0, width - 1)


@lru_cache(maxsize=64)
def _patch(height: int, width: int, wider: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(P, 1) steps down and across to 3 x 3 pixels of a patch, 5 x 5 of a wider one."""
    reach = max(1, round(wider * min(height, width) / PATCH))
    step = np.linspace(-reach, reach, min(2 * reach + 1, 5 if wider > 1 else 3)).round().astype(np.int64)
    down, across = np.meshgrid(step, step, indexing="ij")
    return down.reshape(-1, 1), across.reshape(-1, 1)


def _only(marks: Marks, rows: NDArray[np.int64]) -> Marks:
    assert marks.points is not None
    return Marks(
        marks.percent[rows],
        marks.pixel[rows],
        marks.z[rows],
        marks.points[rows],
        marks.label[rows],
        marks.floor[rows],
    )

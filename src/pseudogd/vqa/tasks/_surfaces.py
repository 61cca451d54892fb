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
from pseudogd.vqa.marks import Marks, build_marks
from pseudogd.vqa.scene import Array, Scene

PATCH = 64
"""A piece of surface reaches a 64th of the picture's shorter side around its point."""
KNOWN = 0.9
BEND = float(np.radians(10.0))
UNEVEN = 0.01
MOST_OF_A_KIND = 4
EDGES = (np.radians(22.5), np.radians(67.5))
"""Between parallel, neither and perpendicular, of the angle between two planes in [0, 90] degrees."""


@dataclass(frozen=True, eq=False)
class Surfaces:
    """``normal`` (M, 3) mean unit normals in the scene's frame; ``sigma`` (M,) their error in radians."""

    marks: Marks
    normal: Array
    sigma: Array

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
    marks, normal, scatter = found
    return Surfaces(marks, normal, np.hypot(margins.normal_sigma, scatter))


_MEASURED: WeakKeyDictionary[Scene, tuple[Marks, Array, Array] | None] = WeakKeyDictionary()
"""Three tasks ask about the surfaces of one scene."""


def _measured(scene: Scene) -> tuple[Marks, Array, Array] | None:
    """Marks on flat patches, mean normals and their scatter in radians."""
    if scene.normals is None or scene.points is None or min(scene.depth.shape) < 8:
        return None
    marks = build_marks(scene)
    if not len(marks):
        return None
    assert marks.points is not None
    around = _around(scene, marks.pixel)
    normals, points, labels = scene.normals[around], scene.points[around], scene.labels[around]
    known = np.isfinite(normals[..., 0]) & np.isfinite(points[..., 0])
    count = np.maximum(known.sum(axis=0), 1)
    normals = np.where(known[..., None], normals, np.float32(0))
    mean = normals.sum(axis=0)
    mean /= np.maximum(np.linalg.norm(mean, axis=-1), 1e-9)[:, None]
    bend = np.arccos(np.clip(np.einsum("pmk,mk->pm", normals, mean), -1, 1))
    scatter = np.sqrt((np.where(known, bend, 0.0) ** 2).sum(axis=0) / count)
    offset = np.einsum("pmk,mk->pm", points, mean) - (marks.points * mean).sum(axis=-1)
    uneven = np.sqrt((np.where(known, offset, 0.0) ** 2).sum(axis=0) / count) / marks.z
    flat = (known.mean(axis=0) >= KNOWN) & (scatter < BEND) & (uneven < UNEVEN)
    rows = np.flatnonzero(flat & (labels == marks.label).all(axis=0))
    return (_only(marks, rows), mean[rows].astype(np.float64), scatter[rows]) if len(rows) else None


def normals_at(scene: Scene, fact: Fact) -> tuple[Array, Array] | None:
    """(M, 3) points and (M, 3) normals at the marks of a fact in this scene; None where one of them is not known."""
    if scene.normals is None or scene.points is None:
        return None
    height, width = scene.depth.shape
    places = np.array([entry["percent"] for entry in fact.evidence["points"]])
    pixel = np.minimum(places[:, ::-1] * (height, width) // 100, (height - 1, width - 1))
    around = scene.normals[_around(scene, pixel)]
    around[np.isnan(around)] = 0
    mean = around.sum(axis=0, dtype=np.float64)
    length = np.sqrt(np.einsum("mk,mk->m", mean, mean))
    points = scene.points[pixel[:, 0], pixel[:, 1]]
    return None if length.min() < 1e-6 or np.isnan(points).any() else (points, mean / length[:, None])


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


def sure_kind(angle: float, sigma: float, margins: Margins, kinds: Sequence[str]) -> tuple[str, float] | None:
    """Which of three kinds an angle in [0, pi / 2] is, and how far it is from the nearest edge; None near an edge."""
    margin = min(abs(angle - edge) for edge in EDGES)
    if margin <= max(margins.surface, margins.sigmas * sigma):
        return None
    return kind_of(angle, kinds), float(margin)


def kind_of(angle: float, kinds: Sequence[str]) -> str:
    """Which of three kinds an angle in [0, pi / 2] is."""
    return kinds[sum(angle > edge for edge in EDGES)]


def _around(scene: Scene, pixel: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(P, M) rows and columns of the patches around M pixels."""
    height, width = scene.depth.shape
    down, across = _patch(height, width)
    row, column = pixel[:, 0] + down, pixel[:, 1] + across
    return row.clip(0, height - 1), column.clip(0, width - 1)


@lru_cache(maxsize=64)
def _patch(height: int, width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(P, 1) steps down and across to at most 5 x 5 pixels of a patch."""
    reach = max(1, round(min(height, width) / PATCH))
    step = np.linspace(-reach, reach, min(2 * reach + 1, 5)).round().astype(np.int64)
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

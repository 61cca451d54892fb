"""Geometry targets of a batch of photos, as tensors: views of one grid shape side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pseudogd.distill.kinds import TERMS, pays
from pseudogd.distill.losses import payers
from pseudogd.distill.targets import ViewTargets
from pseudogd.student.families.base import View


@dataclass(frozen=True)
class PhotoTargets:
    """The views of one photo with their targets, and how many tokens the photo has (`FamilyAdapter.token_count`).

    No views mark a photo without geometry.
    """

    views: Sequence[tuple[View, ViewTargets]]
    tokens: int


@dataclass(frozen=True)
class ViewGroup:
    """V views that share one grid of N = h*w targets.

    Attributes:
        grid: (h, w) of the targets.
        photo: (V,) int64, which photo of the batch a view belongs to.
        tokens: (V, M) int64, indices in the flattened output that the head reads, all photos of the batch in it; M = N
            where every cell has one target, fewer where it has one for each of its parts.
        log_depth, weight, normal_weight, sky, sky_weight: (V, N) float32; normals: (V, N, 3) float32.
        log_focal: (V,) float32, 0 where unknown (no term that reads it is paid there).
        pays: (V, len(TERMS)) float32, 1 where the view's kind of label pays a term.
        is_global: (V,) bool.
    """

    grid: tuple[int, int]
    photo: Tensor
    tokens: Tensor
    log_depth: Tensor
    weight: Tensor
    normals: Tensor
    normal_weight: Tensor
    sky: Tensor
    sky_weight: Tensor
    log_focal: Tensor
    pays: Tensor
    is_global: Tensor

    def to(self, device: torch.device | str, non_blocking: bool = False) -> ViewGroup:
        moved = {
            f.name: getattr(self, f.name).to(device, non_blocking=non_blocking)
            for f in fields(self)
            if f.name != "grid"
        }
        return replace(self, **moved)


@dataclass(frozen=True)
class GeometryBatch:
    """All views of a batch of photos, grouped by grid shape, so that a convolution can run over each group."""

    groups: tuple[ViewGroup, ...]
    photos: int

    @staticmethod
    def collate(photos: Sequence[PhotoTargets]) -> GeometryBatch:
        """Stack views.

        Args:
            photos: every photo of the batch, in the order of its pixels.

        Raises:
            ValueError: a view and its targets have different grids.
        """
        by_grid: dict[tuple[int, int, int], list[tuple[int, NDArray[np.int64], ViewTargets]]] = {}
        begin = 0
        for index, photo in enumerate(photos):
            for view, target in photo.views:
                parts = target.grid[0] // view.grid[0]
                if (view.grid[0] * parts, view.grid[1] * parts) != tuple(target.grid):
                    raise ValueError(f"view {view.name!r} has grid {view.grid}, its targets {target.grid}")
                by_grid.setdefault((*map(int, target.grid), parts), []).append((index, view.tokens + begin, target))
            begin += photo.tokens
        return GeometryBatch(tuple(_group(grid[:2], rows) for grid, rows in by_grid.items()), len(photos))

    def items(self) -> Tensor:
        """(len(TERMS),) float32: how many views pay each term."""
        paid = [payers(group).sum(0) for group in self.groups]
        return torch.stack(paid).sum(0) if paid else torch.zeros(len(TERMS))

    def to(self, device: torch.device | str, non_blocking: bool = False) -> GeometryBatch:
        return GeometryBatch(tuple(g.to(device, non_blocking) for g in self.groups), self.photos)

    def pin_memory(self) -> GeometryBatch:
        """Used by a `DataLoader` with `pin_memory=True`."""
        pinned = []
        for group in self.groups:
            tensors = {f.name: getattr(group, f.name).pin_memory() for f in fields(group) if f.name != "grid"}
            pinned.append(replace(group, **tensors))
        return GeometryBatch(tuple(pinned), self.photos)


def _group(grid: tuple[int, int], rows: list[tuple[int, NDArray[np.int64], ViewTargets]]) -> ViewGroup:
    targets = [t for _, _, t in rows]

    def stack(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(t, name) for t in targets]).astype(np.float32))

    focal = np.array([t.log_focal for t in targets], np.float32)
    return ViewGroup(
        grid=grid,
        photo=torch.tensor([i for i, _, _ in rows]),
        tokens=torch.from_numpy(np.stack([tokens for _, tokens, _ in rows]).astype(np.int64)),
        log_depth=stack("log_depth"),
        weight=stack("weight"),
        normals=stack("normals"),
        normal_weight=stack("normal_weight"),
        sky=stack("sky"),
        sky_weight=stack("sky_weight"),
        # nan * 0 is nan: a term that is not paid must still be finite
        log_focal=torch.from_numpy(np.nan_to_num(focal, nan=0.0)),
        pays=torch.tensor([pays(t.kind, t.is_global) for t in targets], dtype=torch.float32).view(-1, len(TERMS)),
        is_global=torch.tensor([t.is_global for t in targets]),
    )

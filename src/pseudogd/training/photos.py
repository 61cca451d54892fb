"""Photos as the student reads them, with their geometry targets: decoded once, and kept while there is room."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pseudogd.distill.targets import ViewTargets, cell_targets
from pseudogd.store.conversations import PREFIX, Conversations
from pseudogd.store.dataset import Store
from pseudogd.store.photos import load_photo
from pseudogd.store.pictures import from_key
from pseudogd.student.batch import PhotoTargets
from pseudogd.student.families.base import FamilyAdapter, View


@dataclass(frozen=True)
class PhotoInput:
    """What the image processor made of one photo (tensors with a leading dimension of photos), and its targets."""

    pixels: dict[str, Tensor]
    targets: PhotoTargets

    @property
    def nbytes(self) -> int:
        tensors = sum(t.numel() * t.element_size() for t in self.pixels.values())
        return tensors + sum(_view_bytes(view, targets) for view, targets in self.targets.views)


class PhotoInputs:
    """Photos by id, prepared on first use; marked copies by `picture_key`, with the targets of the photo itself.

    Views and targets of a photo never change, so what was prepared is kept until `cache_mb` is used up, and what came
    first stays: rows come in shuffled passes, under which throwing out the oldest would keep nothing of use.

    Args:
        store: the data folder.
        family: the student's adapter, with its processor.
        place: whose grid of tokens the geometry head reads (`Taps.grid_place`); None prepares no targets.
        pixel_dtype: type that pixels are kept in. bfloat16 loses nothing where the tower's first layer runs in it.
        cache_mb: room for prepared photos, in MiB.
        subcells: parts of a cell along each side that have targets of their own.
        general: gives the pictures of conversations, which are not kept: most are drawn once.
    """

    def __init__(
        self,
        store: Store,
        family: FamilyAdapter,
        place: str | None,
        pixel_dtype: torch.dtype = torch.float32,
        cache_mb: int = 1024,
        subcells: int = 1,
        general: Conversations | None = None,
    ):
        self.store, self.family, self.place = store, family, place
        self.pixel_dtype, self.subcells = pixel_dtype, subcells
        self.general = general
        self.room = cache_mb * 2**20
        self._blank: dict[str, Tensor] | None = None
        self._kept: dict[str, PhotoInput] = {}

    def __getitem__(self, image_id: str) -> PhotoInput:
        found = self._kept.get(image_id)
        if found is None:
            found = self._prepare(image_id)
            if found.nbytes <= self.room and not image_id.startswith(PREFIX):
                self.room -= found.nbytes
                self._kept[image_id] = found
        return found

    @property
    def blank(self) -> dict[str, Tensor]:
        """Pixels of a white picture of no row."""
        if self._blank is None:  # white: of all colours the one that no family takes for filling, which is zeros
            self._blank = self._pixels(self.family.encode_photo(Image.new("RGB", (64, 64), "white")))
        return self._blank

    def size_of(self, image_id: str) -> tuple[int, int]:
        """(width, height) of the upright photo."""
        return self._image(image_id).size

    def in_row(self, image_id: str, together: int) -> PhotoInput:
        """A photo of a row of several, which some processors read otherwise; never kept."""
        return self._prepare(image_id, together)

    def _prepare(self, image_id: str, together: int = 1) -> PhotoInput:
        image = self._image(image_id)
        encoding = self.family.encode_photo(image, together)
        return PhotoInput(self._pixels(encoding), self._targets(image_id, image.size, encoding))

    def _image(self, image_id: str) -> Image.Image:
        if not image_id.startswith(PREFIX):
            return load_photo(self.store.picture_path(*from_key(image_id)))
        assert self.general is not None
        return self.general.picture(image_id)

    def _pixels(self, encoding: dict[str, Tensor]) -> dict[str, Tensor]:
        return {k: v.to(self.pixel_dtype) if v.is_floating_point() else v for k, v in encoding.items()}

    def _targets(self, image_id: str, size: tuple[int, int], encoding: dict[str, Any]) -> PhotoTargets:
        if self.place is None:
            return PhotoTargets([], 0)
        if image_id.startswith(PREFIX):
            return PhotoTargets([], self.family.token_count(size, encoding, place=self.place))
        geometry = self.store.geometry(from_key(image_id)[0])
        views = [
            (view, cell_targets(geometry, view.boxes, view.grid, view.cell, view.is_global, size, self.subcells))
            for view in self.family.views(size, encoding, place=self.place)
        ]
        return PhotoTargets(views, self.family.token_count(size, encoding, place=self.place))


def head_biases(photos: Iterable[PhotoTargets]) -> dict[str, float]:
    """Where the head's scale outputs start: mean canonical log depth and mean log focal of some photos.

    Photos whose kind of label does not know one of them do not count for it; 0 where none does.
    """
    scales, focals = [], []
    for photo in photos:
        for _, targets in photo.views:
            known = np.isfinite(targets.log_focal)
            if known:
                focals.append(targets.log_focal)
            if targets.kind.startswith("metric") and targets.weight.sum() > 0:
                mean = float(np.average(targets.log_depth, weights=targets.weight))
                scales.append(mean - (targets.log_focal if known else 0.0))
    return {
        "s_bias": float(np.mean(scales)) if scales else 0.0,
        "phi_bias": float(np.mean(focals)) if focals else 0.0,
    }


def _view_bytes(view: View, targets: ViewTargets) -> int:
    arrays = [*vars(view).values(), *vars(targets).values()]
    return sum(a.nbytes for a in arrays if isinstance(a, np.ndarray))

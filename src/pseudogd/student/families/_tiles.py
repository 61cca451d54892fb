"""Families that squash a photo onto a canvas of square tiles, and add the whole photo as one more tile at the end."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pseudogd.errors import InputError
from pseudogd.student.families.base import PLACES, FamilyAdapter, View, grid_boxes


@dataclass(frozen=True)
class Tiling:
    """How a photo is cut: a canvas of `rows` x `cols` tiles, `side` pixels each way."""

    rows: int
    cols: int
    side: int

    @property
    def images(self) -> int:
        """Squares that the tower reads: the tiles and the whole photo, which is not made where one tile shows it."""
        tiles = self.rows * self.cols
        return tiles + (tiles > 1)


class TiledAdapter(FamilyAdapter):
    """Views and counts of a tiled photo.

    Attributes:
        n_prefix: tokens before the patches of every square.
        length_name: what the processor calls the number of tokens that it writes for a square.
    """

    n_prefix: int = 0
    length_name: str = "image_seq_len"

    @property
    @abstractmethod
    def patch(self) -> int:
        """Side of a patch, in pixels."""

    @property
    @abstractmethod
    def merge(self) -> int:
        """How many patches along each side the projector makes one token of."""

    @abstractmethod
    def tiling(self, image_size: tuple[int, int]) -> Tiling:
        """How the processor cuts a photo of this (width, height), by its settings."""

    @abstractmethod
    def images_in(self, encoding: Mapping[str, Any]) -> int:
        """How many squares the processor made of one photo."""

    # ------------------------------------------------------------------------------------------ where tokens look
    def views(
        self, image_size: tuple[int, int], encoding: Mapping[str, Any], index: int = 0, place: str = "encoder"
    ) -> list[View]:
        tiling, cells, cell, prefix = self._layout(image_size, place)
        height, width = (int(v) for v in np.shape(encoding["pixel_values"])[-2:])
        if (width, height) != (tiling.side, tiling.side):
            raise InputError(
                f"the image processor made tiles of {width}x{height} pixels where its settings say "
                f"{tiling.side}x{tiling.side}: {self._processor_name} does something this adapter does not know"
            )
        windows = [(f"tile {r},{c}", r, c, tiling.rows, tiling.cols) for r, c in np.ndindex(tiling.rows, tiling.cols)]
        whole = ("whole", 0, 0, 1, 1)
        windows = [whole] if tiling.images == 1 else [*windows, whole]
        made = []
        for number, (name, row, column, rows, cols) in enumerate(windows):
            tokens = number * (cells * cells + prefix) + prefix + np.arange(cells * cells, dtype=np.int64)
            scale = (image_size[0] / (cols * tiling.side), image_size[1] / (rows * tiling.side))
            boxes = grid_boxes((cells, cells), cell, scale, (-column * tiling.side, -row * tiling.side))
            made.append(View(name, (cells, cells), tokens, boxes, name == "whole", cell))
        return made

    def token_count(
        self, image_size: tuple[int, int], encoding: Mapping[str, Any], index: int = 0, place: str = "encoder"
    ) -> int:
        tiling, cells, _, prefix = self._layout(image_size, place)
        return tiling.images * (cells * cells + prefix)

    def _layout(self, image_size: tuple[int, int], place: str) -> tuple[Tiling, int, int, int]:
        """Tiling, cells along a side of a square, pixels of a cell, tokens before a square's cells."""
        if place not in PLACES:
            raise ValueError(f"place {place!r} is not one of {PLACES}")
        if self.processor is None:
            raise ValueError("views need the processor: get_family(config, processor)")
        tiling = self.tiling(image_size)
        cells = tiling.side // self.patch  # a remainder of the division is never seen by the tower
        if cells % self.merge:
            raise InputError(
                f"tiles of {tiling.side} pixels are {cells} patches of {self.patch} wide, which the projector cannot "
                f"join by {self.merge}; set the tile size of the image processor to a multiple of "
                f"{self.patch * self.merge}"
            )
        joined = cells // self.merge
        written = getattr(self.processor, self.length_name, joined * joined)
        if written != joined * joined:
            raise InputError(
                f"the processor writes {written} tokens for a tile of {tiling.side} pixels, of which the projector "
                f"makes {joined * joined}; set {self.length_name}={joined * joined} in processor_config.json"
            )
        if place == "encoder":
            return tiling, cells, self.patch, self.n_prefix
        return tiling, joined, self.patch * self.merge, 0

    # ------------------------------------------------------------------------------------------ what the tower reads
    def encode_photo(self, image: Any, together: int = 1) -> dict[str, Any]:
        encoding = super().encode_photo(image, together)
        made, expected = self.images_in(encoding), self.tiling(image.size).images
        if made != expected:
            raise InputError(
                f"the image processor made {made} tiles of a {image.size[0]}x{image.size[1]} photo where its settings "
                f"say {expected}: {self._processor_name} does something this adapter does not know"
            )
        return encoding

    def setting(self, name: str) -> Any:
        """A setting of the image processor, or what the processor around it sets instead."""
        forced = getattr(self.processor, "images_kwargs", None) or {}
        return forced[name] if name in forced else getattr(self.processor.image_processor, name)

    @property
    def _processor_name(self) -> str:
        return type(self.processor.image_processor).__name__

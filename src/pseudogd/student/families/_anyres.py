"""Photos at any resolution: a squashed base view and tiles of a padded canvas. What LLaVA-NeXT and OneVision share.

The tower reads the base view and then the tiles, row-major, each on its own. The projector's output is the base view's
tokens and then the rows of the canvas without those that are padding alone, a line-end token after each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pseudogd.errors import InputError
from pseudogd.student.families._placement import Pair, padded_to_square, resized_and_cropped
from pseudogd.student.families.base import Encoded, View, grid_boxes
from pseudogd.student.families.llava import LlavaAdapter

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

Grid = tuple[int, int]


@dataclass(frozen=True)
class Canvas:
    """The photo scaled into one of the image processor's resolutions, keeping its aspect, with padding around it.

    Attributes:
        tiles: (rows, columns) of square tiles that it is cut into.
        side: of a tile, in pixels of the canvas.
        scale: (x, y), original pixels per pixel of the canvas.
        offset: (x, y), where the photo's corner (0, 0) lies on the canvas.
    """

    tiles: Grid
    side: int
    scale: Pair
    offset: Pair


class AnyResAdapter(LlavaAdapter):
    """Arithmetic of families whose image processor makes (photos, tiles, 3, side, side), base view first."""

    model_types = ()
    pixel_keys = ("pixel_values", "image_sizes")

    def __init__(self, config: Any, processor: Any = None):
        super().__init__(config, processor)
        if self.n_prefix and not self._drops_first:
            raise InputError(
                "vision_feature_select_strategy 'full' keeps the class token, which has no place in a grid of tiles; "
                "set it to 'default' in the model's config.json"
            )
        if processor is not None:
            self._check_processor(processor)

    def _check_processor(self, processor: Any) -> None:
        """Raises InputError where the processor would write other numbers of tokens than the model makes."""
        raise NotImplementedError

    @property
    def _side(self) -> int:
        """Cells along a side of the base view and of every tile; what is left of the division is never seen."""
        return int(self.config.vision_config.image_size) // int(self.config.vision_config.patch_size)

    @property
    def _per_tile(self) -> int:
        """Tokens that the tower makes of the base view or of a tile."""
        return self.n_prefix + self._side**2

    # ------------------------------------------------------------------------------------------- hooks of families
    def _is_tiled(self, encoding: Mapping[str, Any], index: int) -> bool:
        """Whether a photo is cut into tiles; if not, it is one square view of its own."""
        return True

    def _read_grid(self, grid: Grid) -> Grid:
        """(rows, columns) of the canvas that language reads, of those that are not padding alone."""
        return grid

    # ------------------------------------------------------------------------------------------ where tokens look
    def views(
        self, image_size: tuple[int, int], encoding: Mapping[str, Any], index: int = 0, place: str = "encoder"
    ) -> list[View]:
        self._check_place(place)
        if not self._is_tiled(encoding, index):
            where = padded_to_square(self.processor.image_processor, image_size)
            return [self._whole("whole, padded to a square", where, encoding, index, place)]
        canvas = self._canvas(image_size)
        base = self._whole("whole, squashed", self._squashed(image_size), encoding, index, place)
        if place == "projector":
            return [base, *self._read_canvas(image_size, canvas)]
        return [base, *self._tiles(image_size, canvas)]

    def token_count(
        self, image_size: tuple[int, int], encoding: Mapping[str, Any], index: int = 0, place: str = "encoder"
    ) -> int:
        self._check_place(place)
        if not self._is_tiled(encoding, index):
            return self._per_tile if place == "encoder" else self._side**2 + 1
        canvas = self._canvas(image_size)
        if place == "encoder":
            return self._per_tile * (1 + canvas.tiles[0] * canvas.tiles[1])
        rows, columns = self._read_grid(self._unpadded(image_size, canvas)[1])
        return self._side**2 + rows * (columns + 1)

    def _whole(
        self,
        name: str,
        where: tuple[Pair, Pair, tuple[int, int]],
        encoding: Mapping[str, Any],
        index: int,
        place: str,
    ) -> View:
        scale, offset, made = where
        self._check_made(made, encoding, index)
        tokens = np.arange(self._side**2, dtype=np.int64) + (self.n_prefix if place == "encoder" else 0)
        return self._view(name, tokens, self._boxes(scale, offset), True)

    def _tiles(self, image_size: tuple[int, int], canvas: Canvas) -> list[View]:
        """Views of the tower, one a tile; those that hold padding alone are left out."""
        views = []
        for number, boxes in enumerate(self._tile_boxes(canvas)):
            first = (1 + number) * self._per_tile + self.n_prefix
            shown = (boxes[:, :2] < image_size) & (boxes[:, 2:] > 0)
            if shown.all(axis=1).any():
                name = f"tile {number // canvas.tiles[1]},{number % canvas.tiles[1]}"
                views.append(self._view(name, np.arange(self._side**2, dtype=np.int64) + first, boxes, False))
        return views

    def _read_canvas(self, image_size: tuple[int, int], canvas: Canvas) -> list[View]:
        """The canvas as the language model reads it; nothing where a photo is thinner than half a cell of it."""
        (top, left), grid = self._unpadded(image_size, canvas)
        rows, columns = self._read_grid(grid)
        if rows * columns == 0:
            return []
        boxes = np.stack(self._tile_boxes(canvas)).reshape(*canvas.tiles, self._side, self._side, 4)
        boxes = boxes.transpose(0, 2, 1, 3, 4).reshape(canvas.tiles[0] * self._side, canvas.tiles[1] * self._side, 4)
        boxes = boxes[top : top + grid[0], left : left + grid[1]]
        if (rows, columns) != grid:
            boxes = resampled_boxes(boxes, (rows, columns))
        tokens = np.arange(rows)[:, None] * (columns + 1) + np.arange(columns) + self._side**2
        cell = int(self.config.vision_config.patch_size) * math.sqrt(grid[0] / rows * grid[1] / columns)
        return [View("canvas", (rows, columns), tokens.reshape(-1), boxes.reshape(-1, 4), False, cell)]

    def _view(self, name: str, tokens: NDArray[np.int64], boxes: NDArray[np.float64], is_global: bool) -> View:
        patch = int(self.config.vision_config.patch_size)
        return View(name, (self._side, self._side), tokens, boxes, is_global, patch)

    def _boxes(self, scale: Pair, offset: Pair) -> NDArray[np.float64]:
        return grid_boxes((self._side, self._side), int(self.config.vision_config.patch_size), scale, offset)

    # -------------------------------------------------------------------------------------- what the processor does
    def _squashed(self, image_size: tuple[int, int]) -> tuple[Pair, Pair, tuple[int, int]]:
        """`placement` of the base view: squashed to the size of a tile, then treated as every tile is."""
        ip = self.processor.image_processor
        short = ip.size.get("shortest_edge")
        size = (int(ip.size.get("width") or short), int(ip.size.get("height") or short))
        scale, offset, made = resized_and_cropped(ip, size)
        squash = (image_size[0] / size[0], image_size[1] / size[1])
        return (squash[0] * scale[0], squash[1] * scale[1]), offset, made

    def _canvas(self, image_size: tuple[int, int]) -> Canvas:
        from transformers.image_processing_utils import select_best_resolution

        width, height = image_size
        ip = self.processor.image_processor
        best = select_best_resolution((height, width), [list(p) for p in ip.image_grid_pinpoints])
        if best != select_best_resolution((height, width), [list(p) for p in self.config.image_grid_pinpoints]):
            raise InputError(
                "image_grid_pinpoints of the image processor and of the model's config.json differ; "
                "make them the same, or the model cuts other tiles than it is given"
            )
        side = self._tile_side()
        if best[0] % side or best[1] % side:
            raise InputError(f"image_grid_pinpoints names {best[0]}x{best[1]}, which is not made of {side}-pixel tiles")
        if best[1] / width < best[0] / height:
            new = (best[1], min(math.ceil(height * (best[1] / width)), best[0]))
        else:
            new = (min(math.ceil(width * (best[0] / height)), best[1]), best[0])
        return Canvas(
            (best[0] // side, best[1] // side),
            side,
            (width / new[0], height / new[1]),
            ((best[1] - new[0]) // 2, (best[0] - new[1]) // 2),
        )

    def _tile_side(self) -> int:
        """Side of a tile on the canvas, before the image processor resizes and crops it like a photo."""
        ip = self.processor.image_processor
        crop, size = ip.crop_size or {}, ip.size
        side = int(crop.get("height") or size.get("height") or size.get("shortest_edge"))
        expected = int(self.config.vision_config.image_size)
        if side != expected:
            raise InputError(
                f"the image processor cuts tiles of {side} pixels, but the vision tower's image_size is {expected}; "
                "set crop_size and size in preprocessor_config.json to it"
            )
        return side

    def _tile_boxes(self, canvas: Canvas) -> list[NDArray[np.float64]]:
        """Boxes of every tile, row-major."""
        inner, shift, _ = resized_and_cropped(self.processor.image_processor, (canvas.side, canvas.side))
        scale = (canvas.scale[0] * inner[0], canvas.scale[1] * inner[1])
        return [
            self._boxes(
                scale,
                (
                    (canvas.offset[0] - column * canvas.side) / inner[0] + shift[0],
                    (canvas.offset[1] - row * canvas.side) / inner[1] + shift[1],
                ),
            )
            for row in range(canvas.tiles[0])
            for column in range(canvas.tiles[1])
        ]

    def _unpadded(self, image_size: tuple[int, int], canvas: Canvas) -> tuple[Grid, Grid]:
        """First (row, column) of the canvas that the model keeps, and how many it keeps: its own roundings."""
        width, height = image_size
        rows, columns = canvas.tiles[0] * self._side, canvas.tiles[1] * self._side
        if width / height > columns / rows:
            top = (rows - int(round(height * (columns / width), 7))) // 2
            return (top, 0), (rows - 2 * top, columns)
        left = (columns - int(round(width * (rows / height), 7))) // 2
        return (0, left), (rows, columns - 2 * left)

    # ------------------------------------------------------------------------------------------ what the tower reads
    def collate_pixels(self, photos: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Photos of fewer tiles are filled up with zeros, which the model drops."""
        from torch.nn.functional import pad

        tiles = max(photo["pixel_values"].shape[1] for photo in photos)
        filled = []
        for photo in photos:
            pixels = photo["pixel_values"]
            filled.append({**photo, "pixel_values": pad(pixels, (0, 0) * 3 + (0, tiles - pixels.shape[1]))})
        return super().collate_pixels(filled)

    def encode_distinct(self, model: nn.Module, inputs: Mapping[str, Any], photos: Sequence[int]) -> Encoded:
        some = {name: value[list(photos)] for name, value in self.pixel_inputs(inputs).items()}
        return self.encode(model, some, hidden_states=False)


def resampled_boxes(boxes: NDArray[np.float64], grid: Grid) -> NDArray[np.float64]:
    """Boxes (h, w, 4) of a grid's cells -> (rows, columns, 4) of the cells that bilinear resampling makes of them.

    A box is centred on the mean place of what is mixed into its cell, up to four cells weighted by how near they are,
    and has the size of a cell of the new grid.
    """
    y = _resampled_edges(boxes[:, 0, 1], boxes[:, 0, 3], grid[0])
    x = _resampled_edges(boxes[0, :, 0], boxes[0, :, 2], grid[1])
    low, high = (np.meshgrid(x[i], y[i]) for i in (0, 1))
    return np.stack([low[0], low[1], high[0], high[1]], axis=-1)


def _resampled_edges(
    low: NDArray[np.float64], high: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper edges (count,) of cells between whose centres torch's `interpolate` puts its samples."""
    zoom = len(low) / count
    centre = np.interp((np.arange(count) + 0.5) * zoom - 0.5, np.arange(len(low)), (low + high) / 2)
    half = zoom * (high[0] - low[0]) / 2
    return centre - half, centre + half

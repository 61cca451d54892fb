"""What the Qwen vision-language models share: photos at their own size, patches packed in blocks, 3-D positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pseudogd.errors import InputError
from pseudogd.student.families.base import PLACES, Encoded, FamilyAdapter, View, grid_boxes

if TYPE_CHECKING:
    from torch import nn


class QwenAdapter(FamilyAdapter):
    """One view, the whole photo, squashed a little so that both sides are multiples of patch * merge.

    The tower's output holds the patches of all photos one after another, (all patches, D): each photo in blocks of
    merge x merge patches, row-major inside the block, and every block becomes one token of the language model. How
    large a photo is read is the image processor's choice (`size`, or min_pixels and max_pixels of old), so that nothing
    but the grid that it reports is needed here.
    """

    pixel_keys = ("pixel_values", "image_grid_thw")
    kept_keys = ("image_grid_thw",)  # positions of the language model count the rows and columns of the photo
    shares_photos = True
    shares_prefix = False  # a cached photo does not say where its positions end

    def __init__(self, config: Any, processor: Any = None):
        super().__init__(config, processor)
        vision = config.vision_config
        self.patch, self.merge = int(vision.patch_size), int(vision.spatial_merge_size)
        if processor is not None:
            for name, want in (
                ("patch_size", self.patch),
                ("merge_size", self.merge),
                ("temporal_patch_size", int(vision.temporal_patch_size)),
            ):
                found = getattr(processor.image_processor, name, None)
                if found != want:
                    raise InputError(
                        f"the image processor's {name} is {found}, but the vision tower was made for {want}; set it in "
                        "the checkpoint's preprocessor_config.json or processor_config.json"
                    )

    # ------------------------------------------------------------------------------------ what the config says
    @property
    def depth(self) -> int:
        return int(self.config.vision_config.depth)

    # ------------------------------------------------------------------------------------------ where tokens look
    def views(
        self, image_size: tuple[int, int], encoding: Mapping[str, Any], index: int = 0, place: str = "encoder"
    ) -> list[View]:
        patches = self._grid(encoding, index)
        blocks = (patches[0] // self.merge, patches[1] // self.merge)
        if _checked(place) == "projector":
            grid, cell, tokens = blocks, self.patch * self.merge, np.arange(blocks[0] * blocks[1])
        else:
            grid, cell, tokens = patches, self.patch, self._patch_tokens(patches)
        scale = (image_size[0] / (patches[1] * self.patch), image_size[1] / (patches[0] * self.patch))
        return [View("whole", grid, tokens.astype(np.int64), grid_boxes(grid, cell, scale), True, cell)]

    def token_count(
        self, image_size: tuple[int, int], encoding: Mapping[str, Any], index: int = 0, place: str = "encoder"
    ) -> int:
        rows, columns = self._grid(encoding, index)
        return rows * columns // (self.merge**2 if _checked(place) == "projector" else 1)

    def _grid(self, encoding: Mapping[str, Any], index: int) -> tuple[int, int]:
        """(rows, columns) of a photo's patches."""
        _, rows, columns = (int(v) for v in encoding["image_grid_thw"][index])
        return rows, columns

    def _patch_tokens(self, grid: tuple[int, int]) -> NDArray[np.int64]:
        """Where in the tower's output the row-major patches of a photo are."""
        m = self.merge
        row, column = np.divmod(np.arange(grid[0] * grid[1]), grid[1])
        place = np.argsort(self._block_order(grid[0] // m, grid[1] // m))
        block = place[row // m * (grid[1] // m) + column // m]
        return block * m**2 + row % m * m + column % m

    def _block_order(self, rows: int, columns: int) -> NDArray[np.int64]:
        """The row-major number of every block of a photo, in the order of the tower's output."""
        return np.arange(rows * columns)

    # ------------------------------------------------------------------------------------------ what the tower reads
    def text_extras(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """1 where a token is the photo's; without it, positions would be counted as if there were no photo."""
        return {"mm_token_type_ids": (inputs["input_ids"] == self.image_token_id).long()}

    # ------------------------------------------------------------------------------------------ reaching the parts
    def projector(self, model: nn.Module) -> nn.Module:
        return self.tower(model).merger

    def unused_parameters(self, model: nn.Module) -> list[str]:
        return []

    def encode_distinct(self, model: nn.Module, inputs: Mapping[str, Any], photos: Sequence[int]) -> Encoded:
        import torch

        grids = inputs["image_grid_thw"]
        parts = inputs["pixel_values"].split(grids.prod(-1).tolist())
        pixels = {"pixel_values": torch.cat([parts[i] for i in photos]), "image_grid_thw": grids[list(photos)]}
        return self.encode(model, pixels, hidden_states=False)

    def repeated(self, encoded: Encoded, rows: Sequence[int]) -> Encoded:
        import torch

        def again(photos: Sequence[Any]) -> list[Any]:
            return [photos[row] for row in rows]

        output = type(encoded.output)(pooler_output=again(encoded.output.pooler_output))
        deep = getattr(encoded.output, "deepstack_features", None)
        if deep is not None:
            output.deepstack_features = [again(layer) for layer in deep]
        return Encoded(output, None, torch.cat(output.pooler_output))


def _checked(place: str) -> str:
    if place not in PLACES:
        raise ValueError(f"place {place!r} is not one of {PLACES}")
    return place

"""LLaVA-OneVision: tiles as in LLaVA-NeXT, a large canvas resampled; several photos of one row are squares, untiled."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pseudogd.errors import InputError
from pseudogd.student.families._anyres import AnyResAdapter, Grid
from pseudogd.student.families.base import Encoded

if TYPE_CHECKING:
    from torch import nn

_RESAMPLED_FROM = 1.1  # the model leaves a canvas alone whose sides are longer than allowed by less than this


class LlavaOnevisionAdapter(AnyResAdapter):
    """`LlavaOnevisionForConditionalGeneration`; photos only, no videos."""

    model_types = ("llava_onevision",)
    pixel_keys = ("pixel_values", "image_sizes", "batch_num_images")

    def __init__(self, config: Any, processor: Any = None):
        limit = re.fullmatch(r"anyres_max_([1-9]\d*)", config.vision_aspect_ratio)
        if limit is None:
            raise InputError(
                f"vision_aspect_ratio {config.vision_aspect_ratio!r} is not supported; "
                "set it to 'anyres_max_9' in the model's config.json, or to another number"
            )
        self.max_tiles = int(limit[1])
        super().__init__(config, processor)

    def _check_processor(self, processor: Any) -> None:
        if processor.vision_aspect_ratio != self.config.vision_aspect_ratio:
            raise InputError(
                f"vision_aspect_ratio is {processor.vision_aspect_ratio!r} in processor_config.json and "
                f"{self.config.vision_aspect_ratio!r} in config.json; make them the same"
            )
        dropped = processor.vision_feature_select_strategy == "default"
        if (processor.num_image_tokens or 0) - dropped != self._side**2:
            raise InputError(
                f"processor_config.json says num_image_tokens {processor.num_image_tokens} and "
                f"vision_feature_select_strategy {processor.vision_feature_select_strategy!r}, which is not the number "
                f"of tokens that the model makes; set them to {self._side**2 + self.n_prefix} and "
                f"{self.config.vision_feature_select_strategy!r}"
            )

    # ------------------------------------------------------------------------------------------ where tokens look
    def _is_tiled(self, encoding: Mapping[str, Any], index: int) -> bool:
        counts = encoding.get("batch_num_images")
        if counts is None:
            return True
        alone = [int(count) == 1 for count in counts for _ in range(int(count))]
        # one photo taken out of its row still says how many the row has
        return alone[index]

    def _read_grid(self, grid: Grid) -> Grid:
        ratio = math.sqrt(grid[0] * grid[1] / (self.max_tiles * self._side**2))
        return (int(grid[0] // ratio), int(grid[1] // ratio)) if ratio > _RESAMPLED_FROM else grid

    # ------------------------------------------------------------------------------------------ what the tower reads
    def encode_photo(self, image: Any, together: int = 1) -> dict[str, Any]:
        if together == 1:
            return super().encode_photo(image)
        from PIL import Image

        others = [Image.new("RGB", (32, 32))] * (together - 1)
        text = self.photo_text() * together
        encoding = self.processor(images=[[image, *others]], text=[text], return_tensors="pt")
        return {name: value[:1] for name, value in self.pixel_inputs(encoding).items()}

    def collate_pixels(self, photos: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Of rows of several photos all must be there, one after another."""
        batch = super().collate_pixels(photos)
        counts, rows = batch["batch_num_images"], []
        while sum(rows) < len(counts):
            rows.append(int(counts[sum(rows)]))
        if sum(rows) != len(counts) or any(counts != counts.new_tensor([n for n in rows for _ in range(n)])):
            raise ValueError(f"photos of rows of {counts.tolist()} photos do not make whole rows")
        return {**batch, "batch_num_images": counts.new_tensor(rows)}

    def encode_distinct(self, model: nn.Module, inputs: Mapping[str, Any], photos: Sequence[int]) -> Encoded:
        if any(inputs["batch_num_images"] != 1):
            raise InputError("of rows of several photos no part can be encoded alone")
        return super().encode_distinct(model, inputs, photos)

"""Idefics3 and SmolVLM: a SigLIP-like tower over square tiles, the squashed whole last, a pixel-shuffling connector."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pseudogd.errors import InputError
from pseudogd.student.families._tiles import TiledAdapter, Tiling
from pseudogd.student.families.base import Encoded, joined

if TYPE_CHECKING:
    import torch
    from torch import nn

_LARGEST = 4096  # the image processors' own bound on a resized side


class IdeficsAdapter(TiledAdapter):
    """What Idefics3 and SmolVLM have in common: all but the name."""

    pixel_keys = ("pixel_values", "pixel_attention_mask")
    shares_photos = True
    lora_pattern = r".*vision_model\.encoder\.layers\.\d+\..*(q_proj|k_proj|v_proj|out_proj|fc1|fc2)"

    # ------------------------------------------------------------------------------------ what the config says
    @property
    def patch(self) -> int:
        return int(self.config.vision_config.patch_size)

    @property
    def merge(self) -> int:
        return int(self.config.scale_factor)

    # ------------------------------------------------------------------------------------------ where tokens look
    def tiling(self, image_size: tuple[int, int]) -> Tiling:
        side = int(self.setting("max_image_size")["longest_edge"])
        if not self.setting("do_image_splitting"):
            return Tiling(1, 1, side)
        width, height = self._resized(*image_size) if self.setting("do_resize") else image_size
        # the longer side up to a multiple of the tile, the shorter after it, each with the processor's own roundings
        aspect = width / height
        if width >= height:
            cols = math.ceil(width / side)
            rows = math.ceil(int(cols * side / aspect) / side)
        else:
            rows = math.ceil(height / side)
            cols = math.ceil(int(rows * side * aspect) / side)
        return Tiling(rows, cols, side)

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) after the processor's first resize."""
        size = self.setting("size")
        if longest := size.get("longest_edge"):
            width, height = _to_longest(width, height, int(longest))
            return _at_most(width, height, _LARGEST)
        if size.get("height") and size.get("width"):
            return int(size["width"]), int(size["height"])
        raise InputError(f"image processor size {dict(size)} is not supported; use longest_edge, or height and width")

    def images_in(self, encoding: Mapping[str, Any]) -> int:
        return int(encoding["pixel_values"].shape[1])

    # ------------------------------------------------------------------------------------------ what the tower reads
    def encode_photo(self, image: Any, together: int = 1) -> dict[str, Any]:
        encoding = super().encode_photo(image, together)
        if bool((encoding["pixel_values"] == 0).flatten(2).all(-1).any()):
            raise InputError(
                "a part of a photo comes out of the image processor as zeros, which this family takes for filling and "
                "drops; set do_normalize=true in its settings, or leave the photo out"
            )
        return encoding

    def collate_pixels(self, photos: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        most = max(self.images_in(photo) for photo in photos)
        return {name: joined([_filled(photo[name], most) for photo in photos], name) for name in photos[0]}

    # ------------------------------------------------------------------------------------------ reaching the parts
    def encode_distinct(self, model: nn.Module, inputs: Mapping[str, Any], photos: Sequence[int]) -> Encoded:
        pixels = {name: value[list(photos)] for name, value in self.pixel_inputs(inputs).items()}
        return self.encode(model, pixels, hidden_states=False)

    def repeated(self, encoded: Encoded, rows: Sequence[int]) -> Encoded:
        import torch

        per_photo = list(encoded.output.pooler_output)
        output = type(encoded.output)(pooler_output=[per_photo[row] for row in rows])
        return Encoded(output, None, torch.cat(output.pooler_output, dim=0))

    def projector(self, model: nn.Module) -> nn.Module:
        return next(m for n, m in model.named_modules() if n.endswith("connector"))

    def unused_parameters(self, model: nn.Module) -> list[str]:
        return []


def _to_longest(width: int, height: int, longest: int) -> tuple[int, int]:
    """The longer side made `longest`, the shorter an even number of pixels."""
    aspect = width / height
    if width >= height:
        short = int(longest / aspect)
        return longest, max(short + short % 2, 1)
    short = int(longest * aspect)
    return max(short + short % 2, 1), longest


def _at_most(width: int, height: int, bound: int) -> tuple[int, int]:
    aspect = width / height
    if width >= height and width > bound:
        return bound, max(int(bound / aspect), 1)
    if height > width and height > bound:
        return max(int(bound * aspect), 1), bound
    return width, height


def _filled(tensor: torch.Tensor, images: int) -> torch.Tensor:
    """(1, N, ...) with zeros up to (1, images, ...), as the processor fills photos that have fewer tiles."""
    missing = images - tensor.shape[1]
    if not missing:
        return tensor
    import torch

    return torch.cat([tensor, tensor.new_zeros(1, missing, *tensor.shape[2:])], dim=1)

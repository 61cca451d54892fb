"""InternVL (the `-hf` checkpoints): a canvas of square tiles, the squashed whole last, four patches to a token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pseudogd.errors import InputError
from pseudogd.student.families._tiles import TiledAdapter, Tiling
from pseudogd.student.families.base import Encoded

if TYPE_CHECKING:
    from torch import nn

_TOWER = "internvl_vision"


class InternVLAdapter(TiledAdapter):
    """`InternVLForConditionalGeneration` over `InternVLVisionModel`: a class token comes before a tile's patches."""

    model_types = ("internvl",)
    n_prefix = 1
    length_name = "image_seq_length"
    shares_photos = True
    lora_pattern = r".*vision_tower\.encoder\.layer\.\d+\..*(q_proj|k_proj|v_proj|projection_layer|fc1|fc2)"

    def __init__(self, config: Any, processor: Any = None):
        super().__init__(config, processor)
        tower, layer = config.vision_config, config.vision_feature_layer
        if tower.model_type != _TOWER:
            raise InputError(
                f"vision tower {tower.model_type!r} of this InternVL is not supported; it must be {_TOWER!r}"
            )
        if not isinstance(layer, int):
            raise InputError(f"vision_feature_layer {layer} of this InternVL is not supported; it must be one layer")
        if config.vision_feature_select_strategy != "default":
            raise InputError(
                "vision_feature_select_strategy of this InternVL must be 'default': tokens are joined in squares, in "
                "which a class token has no place"
            )
        if tower.patch_size[0] != tower.patch_size[1]:
            raise InputError(f"patches of {tower.patch_size} pixels are not supported; they must be square")

    # ------------------------------------------------------------------------------------ what the config says
    @property
    def last_read(self) -> int:
        return int(self.config.vision_feature_layer) % (self.depth + 1)

    @property
    def patch(self) -> int:
        return int(self.config.vision_config.patch_size[0])

    @property
    def merge(self) -> int:
        return int(1 / self.config.downsample_ratio)

    # ------------------------------------------------------------------------------------------ where tokens look
    def tiling(self, image_size: tuple[int, int]) -> Tiling:
        size = self.setting("size")
        side, width = (int(size.get(name) or 0) for name in ("height", "width"))
        if not side or side != width:
            raise InputError(f"image processor size {dict(size)} is not supported; height and width must be the same")
        # the processor around the image processor asks for tiles, whatever the image processor's own settings say
        most = int(self.setting("max_patches")) if self.setting("crop_to_patches") else 1
        if most > 1:
            return Tiling(*_canvas(image_size, side, int(self.setting("min_patches")), most), side)
        if not self.setting("do_resize"):
            raise InputError("photos at their own size (do_resize=false) are not supported without crop_to_patches")
        return Tiling(1, 1, side)

    def images_in(self, encoding: Mapping[str, Any]) -> int:
        return len(encoding["pixel_values"])

    # ------------------------------------------------------------------------------------------ reaching the parts
    def encode_distinct(self, model: nn.Module, inputs: Mapping[str, Any], photos: Sequence[int]) -> Encoded:
        pixels = inputs["pixel_values"]
        tokens = (inputs["input_ids"] == self.image_token_id).sum(1).tolist()
        each = pixels.split([count * len(pixels) // sum(tokens) for count in tokens])
        parts = [each[photo] for photo in photos]
        import torch

        encoded = self.encode(model, {"pixel_values": torch.cat(parts)}, hidden_states=False)
        output = type(encoded.output)(pooler_output=encoded.output.pooler_output.split([len(p) for p in parts]))
        return Encoded(output, None, encoded.tokens)

    def repeated(self, encoded: Encoded, rows: Sequence[int]) -> Encoded:
        import torch

        per_photo = [encoded.output.pooler_output[row] for row in rows]
        return Encoded(type(encoded.output)(pooler_output=per_photo), None, torch.cat(per_photo).flatten(0, -2))

    def language_inputs(self, inputs: Mapping[str, Any], encoded: Encoded) -> dict[str, Any]:
        import torch

        tiles = encoded.output.pooler_output
        if isinstance(tiles, (list, tuple)):  # the model takes the tiles of all photos in one tensor
            encoded = Encoded(type(encoded.output)(pooler_output=torch.cat(list(tiles))), None, encoded.tokens)
        return super().language_inputs(inputs, encoded)

    def projector(self, model: nn.Module) -> nn.Module:
        return next(m for n, m in model.named_modules() if n.endswith("multi_modal_projector"))

    def unused_parameters(self, model: nn.Module) -> list[str]:
        tower = self.tower(model)
        prefix = next(n for n, m in model.named_modules() if m is tower)
        silent = [f"{prefix}.encoder.layer.{i}." for i in range(self.last_read, self.depth)]
        silent.append(f"{prefix}.embeddings.mask_token")
        if self.config.vision_feature_layer != -1:
            silent.append(f"{prefix}.layernorm.")
        return [n for n, _ in model.named_parameters() if n.startswith(tuple(silent))]


def _canvas(image_size: tuple[int, int], side: int, fewest: int, most: int) -> tuple[int, int]:
    """(rows, cols) of the canvas whose shape is nearest to the photo's; of two equally near the larger, if it is not
    more than twice as large as the photo. One tile where nothing is allowed."""
    width, height = image_size
    shapes = [(r, c) for c in range(1, most + 1) for r in range(1, most + 1) if fewest <= r * c <= most]
    best, nearest = (1, 1), np.inf
    for rows, cols in sorted(shapes, key=lambda shape: shape[0] * shape[1]):
        off = abs(width / height - cols / rows)
        if off < nearest or (off == nearest and width * height > 0.5 * side * side * rows * cols):
            best, nearest = (rows, cols), off
    return best

"""Gemma 4: a tower with axial rotary positions, every photo at its own shape, tokens pooled and freed of filling.

The processor gives every photo as many patches as the largest could have; what is too much is filling. The tower's
states hold it, the tokens that it hands on do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pseudogd.errors import InputError
from pseudogd.student.families.base import PLACES, Encoded, FamilyAdapter, View, grid_boxes

if TYPE_CHECKING:
    from torch import nn


class Gemma4Adapter(FamilyAdapter):
    """`Gemma4ForConditionalGeneration`; its audio tower and its way with videos are left alone."""

    model_types = ("gemma4",)
    pixel_keys = ("pixel_values", "image_position_ids")
    lora_pattern = r".*vision_tower\.encoder\.layers\.\d+\.(self_attn|mlp)\.(q|k|v|o|gate|up|down)_proj\.linear"
    shares_photos = True

    def __init__(self, config: Any, processor: Any = None):
        super().__init__(config, processor)
        if config.vision_config is None:
            raise InputError("this gemma4 has no vision tower (vision_config is null), so it reads no photos")
        # the larger models let tokens of a photo see each other in both directions, the smaller ones do not
        self.shares_prefix = config.get_text_config().use_bidirectional_attention is None

    # ------------------------------------------------------------------------------------------ where tokens look
    def views(
        self, image_size: tuple[int, int], encoding: Mapping[str, Any], index: int = 0, place: str = "encoder"
    ) -> list[View]:
        if place not in PLACES:
            raise ValueError(f"place {place!r} is not one of {PLACES}")
        vision = self.config.vision_config
        patch, pooled = int(vision.patch_size), int(vision.pooling_kernel_size)
        columns, rows = (int(v) + 1 for v in np.asarray(encoding["image_position_ids"][index]).max(axis=0))
        if columns % pooled or rows % pooled:
            raise InputError(
                f"the image processor made {columns}x{rows} patches of a photo of {image_size[0]}x{image_size[1]}, "
                f"which the tower cannot pool by {pooled}x{pooled}: set pooling_kernel_size={pooled} and "
                "do_resize=true in the image processor's settings"
            )
        scale = (image_size[0] / (columns * patch), image_size[1] / (rows * patch))
        side = 1 if place == "encoder" else pooled
        grid = (rows // side, columns // side)
        tokens = np.arange(grid[0] * grid[1], dtype=np.int64)
        return [View("whole", grid, tokens, grid_boxes(grid, patch * side, scale), True, patch * side)]

    def token_count(
        self, image_size: tuple[int, int], encoding: Mapping[str, Any], index: int = 0, place: str = "encoder"
    ) -> int:
        if place == "encoder":  # filling and all
            return len(encoding["image_position_ids"][index])
        (view,) = self.views(image_size, encoding, index, place)
        return len(view.tokens)

    # ------------------------------------------------------------------------------------------ what the tower reads
    def text_extras(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        return {"mm_token_type_ids": (inputs["input_ids"] == self.image_token_id).long()}

    # ------------------------------------------------------------------------------------------ reaching the parts
    def encode(self, model: nn.Module, inputs: Mapping[str, Any], hidden_states: bool = True) -> Encoded:
        """The deepest state is the last block's, as all others are, where the library gives the pooled tokens."""
        if not hidden_states:
            return super().encode(model, inputs, hidden_states=False)
        outputs: list[Any] = []
        watch = self.tower(model).encoder.register_forward_hook(lambda *call: outputs.append(call[-1]))
        try:
            encoded = super().encode(model, inputs)
        finally:
            watch.remove()
        assert encoded.hidden_states is not None
        states = (*encoded.hidden_states[:-1], outputs[0].last_hidden_state)
        return Encoded(encoded.output, states, encoded.tokens)

    def encode_distinct(self, model: nn.Module, inputs: Mapping[str, Any], photos: Sequence[int]) -> Encoded:
        pixels = {name: value[list(photos)] for name, value in self.pixel_inputs(inputs).items()}
        return self.encode(model, pixels, hidden_states=False)

    def repeated(self, encoded: Encoded, rows: Sequence[int]) -> Encoded:
        import torch

        per_photo = list(encoded.output.pooler_output)
        output = type(encoded.output)(pooler_output=[per_photo[row] for row in rows])
        return Encoded(output, None, torch.cat(output.pooler_output, dim=0))

    def projector(self, model: nn.Module) -> nn.Module:
        return next(m for n, m in model.named_modules() if n.endswith("embed_vision"))

    def unused_parameters(self, model: nn.Module) -> list[str]:
        """The audio tower and what leads from it."""
        return [n for n, _ in model.named_parameters() if {"audio_tower", "embed_audio"} & set(n.split("."))]

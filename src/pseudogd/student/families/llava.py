"""LLaVA: a CLIP or SigLIP tower, a two-layer projector, one square view of the photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pseudogd.errors import InputError
from pseudogd.student.families._placement import placement
from pseudogd.student.families.base import PLACES, Encoded, FamilyAdapter, View, grid_boxes

if TYPE_CHECKING:
    from torch import nn

# tower's model_type -> number of tokens before the patches
_TOWERS = {"clip_vision_model": 1, "siglip_vision_model": 0}


class LlavaAdapter(FamilyAdapter):
    """`LlavaForConditionalGeneration` over `CLIPVisionModel` (class token first) or `SiglipVisionModel` (none)."""

    model_types = ("llava",)
    shares_photos = True
    lora_pattern = r".*vision_tower\.(.*\.)?encoder\.layers\.\d+\..*(q_proj|k_proj|v_proj|out_proj|fc1|fc2)"

    def __init__(self, config: Any, processor: Any = None):
        super().__init__(config, processor)
        tower = config.vision_config.model_type
        if tower not in _TOWERS:
            raise InputError(
                f"vision tower {tower!r} is not supported in {config.model_type}; supported are: {', '.join(_TOWERS)}"
            )
        self.n_prefix = _TOWERS[tower]
        if self._drops_first and not self.n_prefix:
            raise InputError(
                "vision_feature_select_strategy 'default' drops the first token, but a SigLIP tower has no class "
                "token; set it to 'full' in the model's config.json"
            )

    # ------------------------------------------------------------------------------------ what the config says
    @property
    def last_read(self) -> int:
        layers = self.config.vision_feature_layer
        layers = [layers] if isinstance(layers, int) else list(layers)
        return max(v % (self.depth + 1) for v in layers)

    @property
    def _drops_first(self) -> bool:
        return self.config.vision_feature_select_strategy == "default"

    # ------------------------------------------------------------------------------------------ where tokens look
    def views(
        self, image_size: tuple[int, int], encoding: Mapping[str, Any], index: int = 0, place: str = "encoder"
    ) -> list[View]:
        self._check_place(place)
        scale, offset, made = placement(self.processor.image_processor, image_size)
        width, height = self._check_made(made, encoding, index)
        patch = int(self.config.vision_config.patch_size)
        grid = (height // patch, width // patch)  # a remainder of the division is never seen by the tower
        first = self.n_prefix if place == "encoder" else self.n_prefix - self._drops_first
        tokens = np.arange(grid[0] * grid[1], dtype=np.int64) + first
        return [View("whole", grid, tokens, grid_boxes(grid, patch, scale, offset), True, patch)]

    def _check_place(self, place: str) -> None:
        if place not in PLACES:
            raise ValueError(f"place {place!r} is not one of {PLACES}")
        if self.processor is None:
            raise ValueError("views need the processor: get_family(config, processor)")

    def _check_made(self, made: tuple[int, int], encoding: Mapping[str, Any], index: int) -> tuple[int, int]:
        """`made`, the (width, height) that the image processor's settings lead to, if it is what has been made."""
        height, width = (int(v) for v in np.shape(encoding["pixel_values"][index])[-2:])
        if made != (width, height):
            raise InputError(
                f"the image processor made {width}x{height} pixels where its settings say {made[0]}x{made[1]}: "
                f"{type(self.processor.image_processor).__name__} does something this adapter does not know"
            )
        return made

    def token_count(
        self, image_size: tuple[int, int], encoding: Mapping[str, Any], index: int = 0, place: str = "encoder"
    ) -> int:
        (view,) = self.views(image_size, encoding, index, place)
        return int(view.tokens[-1]) + 1

    # ------------------------------------------------------------------------------------------ reaching the parts
    def encode_distinct(self, model: nn.Module, inputs: Mapping[str, Any], photos: Sequence[int]) -> Encoded:
        return self.encode(model, {"pixel_values": inputs["pixel_values"][list(photos)]}, hidden_states=False)

    def repeated(self, encoded: Encoded, rows: Sequence[int]) -> Encoded:
        import torch

        per_photo = list(encoded.output.pooler_output)
        output = type(encoded.output)(pooler_output=[per_photo[row] for row in rows])
        return Encoded(output, None, torch.cat(output.pooler_output, dim=0))

    def projector(self, model: nn.Module) -> nn.Module:
        return next(m for n, m in model.named_modules() if n.endswith("multi_modal_projector"))

    def unused_parameters(self, model: nn.Module) -> list[str]:
        tower = self.tower(model)
        prefix = next(n for n, m in model.named_modules() if m is tower)
        blocks = tuple(f"{prefix}.encoder.layers.{i}." for i in range(self.last_read, self.depth))
        # both towers normalise (and SigLIP pools) only for their own classification output, which LLaVA never reads
        after = (f"{prefix}.post_layernorm.", f"{prefix}.head.")
        return [n for n, _ in model.named_parameters() if n.startswith(blocks + after)]

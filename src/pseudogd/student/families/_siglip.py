"""Families whose SigLIP tower is read at its end, after its last norm, and whose photos are squashed to a square."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pseudogd.errors import InputError
from pseudogd.student.families._placement import placement
from pseudogd.student.families.base import PLACES, Encoded, FamilyAdapter, View, grid_boxes

if TYPE_CHECKING:
    from torch import Tensor, nn

Box = tuple[int, int, int, int]
"""x, y, width, height of a part of the photo, in its pixels."""


class SquashedSiglipAdapter(FamilyAdapter):
    """A photo becomes one image of the tower or several (`parts`), each squashed to the same square."""

    shares_photos = True
    shares_prefix = False
    lora_pattern = r".*vision_tower\.(.*\.)?encoder\.layers\.\d+\..*(q_proj|k_proj|v_proj|out_proj|fc1|fc2)"

    def __init__(self, config: Any, processor: Any = None):
        super().__init__(config, processor)
        tower = config.vision_config.model_type
        if tower != "siglip_vision_model":
            raise InputError(
                f"vision tower {tower!r} of this {config.model_type} is not supported; 'siglip_vision_model' is"
            )

    # ------------------------------------------------------------------------------------------ where tokens look
    def parts(self, image_size: tuple[int, int]) -> list[tuple[str, Box]]:
        """Name and place of every image that the tower sees of a photo, in order; the first is the whole photo."""
        return [("whole", (0, 0, *image_size))]

    @property
    def merged(self) -> int:
        """Cells along a side that the projector makes one token of."""
        return 1

    def views(
        self, image_size: tuple[int, int], encoding: Mapping[str, Any], index: int = 0, place: str = "encoder"
    ) -> list[View]:
        if place not in PLACES:
            raise ValueError(f"place {place!r} is not one of {PLACES}")
        if self.processor is None:
            raise ValueError("views need the processor: get_family(config, processor)")
        height, width = (int(v) for v in np.shape(encoding["pixel_values"])[-2:])
        cell = int(self.config.vision_config.patch_size) * (1 if place == "encoder" else self.merged)
        grid = (height // cell, width // cell)  # a remainder of the division is never seen
        views: list[View] = []
        for name, (x, y, w, h) in self.parts(image_size):
            scale, offset, made = placement(self.processor.image_processor, (w, h))
            if made != (width, height):
                raise InputError(
                    f"the image processor made {width}x{height} pixels where its settings say {made[0]}x{made[1]}: "
                    f"{type(self.processor.image_processor).__name__} does something this adapter does not know"
                )
            tokens = np.arange(grid[0] * grid[1], dtype=np.int64) + len(views) * grid[0] * grid[1]
            boxes = grid_boxes(grid, cell, scale, offset) + np.array([x, y, x, y])
            views.append(View(name, grid, tokens, boxes, not views, cell))
        return views

    def token_count(
        self, image_size: tuple[int, int], encoding: Mapping[str, Any], index: int = 0, place: str = "encoder"
    ) -> int:
        return int(self.views(image_size, encoding, index, place)[-1].tokens[-1]) + 1

    # ------------------------------------------------------------------------------------------ reaching the parts
    def encode_distinct(self, model: nn.Module, inputs: Mapping[str, Any], photos: Sequence[int]) -> Encoded:
        import torch

        counts = self._images(inputs)
        parts = torch.split(inputs["pixel_values"], counts)
        encoded = self.encode(model, {"pixel_values": torch.cat([parts[i] for i in photos])}, hidden_states=False)
        per_photo = torch.split(encoded.output.pooler_output, [counts[i] for i in photos])
        return Encoded(type(encoded.output)(pooler_output=per_photo), None, encoded.tokens)

    def repeated(self, encoded: Encoded, rows: Sequence[int]) -> Encoded:
        import torch

        tokens: Tensor = torch.cat([encoded.output.pooler_output[row] for row in rows])
        return Encoded(type(encoded.output)(pooler_output=tokens), None, tokens.flatten(0, -2))

    def _images(self, inputs: Mapping[str, Any]) -> list[int]:
        """How many images of the tower each prompt holds."""
        vision = self.config.vision_config
        per_image = (int(vision.image_size) // int(vision.patch_size) // self.merged) ** 2
        return [int(n) // per_image for n in (inputs["input_ids"] == self.image_token_id).sum(1)]

    def projector(self, model: nn.Module) -> nn.Module:
        return next(m for n, m in model.named_modules() if n.endswith("multi_modal_projector"))

    def unused_parameters(self, model: nn.Module) -> list[str]:
        tower = self.tower(model)
        prefix = next(n for n, m in model.named_modules() if m is tower)
        # pools for SigLIP's own training; checkpoints of these families leave it out, but a config may ask for it
        return [n for n, _ in model.named_parameters() if n.startswith(f"{prefix}.head.")]

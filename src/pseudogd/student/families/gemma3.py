"""Gemma 3: a SigLIP tower, average pooling, the whole photo squashed to a square; pan & scan adds strips of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pseudogd.errors import InputError
from pseudogd.student.families._placement import in_force
from pseudogd.student.families._siglip import Box, SquashedSiglipAdapter


class Gemma3Adapter(SquashedSiglipAdapter):
    """`Gemma3ForConditionalGeneration` over `SiglipVisionModel`.

    Pan & scan is what the processor's call does, not what the image processor's settings say: `Gemma3Processor` turns
    it off at every call unless its own `images_kwargs` say otherwise.
    """

    model_types = ("gemma3",)

    @property
    def merged(self) -> int:
        vision = self.config.vision_config
        return int(vision.image_size) // int(vision.patch_size) // int(self.config.mm_tokens_per_image**0.5)

    def parts(self, image_size: tuple[int, int]) -> list[tuple[str, Box]]:
        width, height = image_size
        whole = super().parts(image_size)
        if not in_force(self.processor, "do_pan_and_scan"):
            return whole
        shortest, most, least_ratio = (
            in_force(self.processor, f"pan_and_scan_{name}")
            for name in ("min_crop_size", "max_num_crops", "min_ratio_to_activate")
        )
        long, short = max(image_size), min(image_size)
        if long / short < least_ratio:
            return whole
        count = min(most, max(2, min(long // shortest, math.floor(long / short + 0.5))))
        strip = math.ceil(long / count)
        if min(strip, short) < shortest:
            return whole
        starts = range(0, strip * count, strip)
        if width >= height:
            return whole + [(f"strip {i}", (x, 0, min(strip, width - x), height)) for i, x in enumerate(starts)]
        return whole + [(f"strip {i}", (0, y, width, min(strip, height - y))) for i, y in enumerate(starts)]

    def encode_photo(self, image: Any, together: int = 1) -> dict[str, Any]:
        inputs = super().encode_photo(image, together)
        made, known = len(inputs["pixel_values"]), len(self.parts(image.size))
        if made != known:
            raise InputError(
                f"the image processor made {made} images of a photo of {image.width}x{image.height} where its settings "
                f"of pan & scan say {known}: {type(self.processor.image_processor).__name__} does something this "
                "adapter does not know"
            )
        return inputs

    def text_extras(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Tokens of one photo see each other in both directions: 1 marks them."""
        return {"token_type_ids": (inputs["input_ids"] == self.image_token_id).long()}

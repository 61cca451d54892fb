"""LLaVA-NeXT (LLaVA 1.6): LLaVA with a base view and tiles of the photo; Granite Vision is one of them."""

from __future__ import annotations

from typing import Any

from pseudogd.errors import InputError
from pseudogd.student.families._anyres import AnyResAdapter


class LlavaNextAdapter(AnyResAdapter):
    """`LlavaNextForConditionalGeneration` over CLIP or SigLIP, and any language model."""

    model_types = ("llava_next",)

    def _check_processor(self, processor: Any) -> None:
        patch = int(self.config.vision_config.patch_size)
        if processor.patch_size != patch:
            raise InputError(
                f"processor_config.json says patch_size {processor.patch_size}, but the vision tower's is {patch}; "
                "make them the same"
            )
        dropped = processor.vision_feature_select_strategy == "default"
        if processor.num_additional_image_tokens != dropped:
            raise InputError(
                f"processor_config.json says num_additional_image_tokens {processor.num_additional_image_tokens} and "
                f"vision_feature_select_strategy {processor.vision_feature_select_strategy!r}, which is not the number "
                f"of tokens that the model makes; set them to {self.n_prefix} and "
                f"{self.config.vision_feature_select_strategy!r}"
            )

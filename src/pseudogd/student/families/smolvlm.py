"""SmolVLM2: square tiles row by row, then the squashed whole. (The first SmolVLM is saved as `idefics3`.)"""

from __future__ import annotations

from pseudogd.student.families._idefics import IdeficsAdapter


class SmolVLMAdapter(IdeficsAdapter):
    """`SmolVLMForConditionalGeneration`."""

    model_types = ("smolvlm",)

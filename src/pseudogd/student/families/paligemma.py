"""PaliGemma and PaliGemma 2: a SigLIP tower, one linear layer, one squashed view; a prefix language model.

Photo and question see each other in both directions and the answer sees them and itself, which is why one conversation
is one question.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pseudogd.student.families._siglip import SquashedSiglipAdapter

IGNORED = -100


class PaliGemmaAdapter(SquashedSiglipAdapter):
    """`PaliGemmaForConditionalGeneration` over `SiglipVisionModel` and Gemma or Gemma 2.

    The checkpoints have no chat template. Of a question this one writes photo and words alone, to which the processor
    adds the start token and the line break that ends a question; of question and answer it writes everything.
    """

    model_types = ("paligemma",)
    max_turns = 1
    chat_template = (
        "{% for message in messages %}"
        "{% if message['role'] == 'assistant' %}{% set begin, end = '', eos_token %}"
        "{% elif loop.last %}{% set begin, end = '', '' %}"
        "{% else %}{% set begin, end = bos_token, '\n' %}{% endif %}"
        "{% if message['content'] is string %}{{ begin + message['content'] + end }}{% else %}"
        "{% for part in message['content'] if part['type'] == 'image' %}{{ '<image>' }}{% endfor %}{{ begin }}"
        "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}{{ end }}"
        "{% endif %}{% endfor %}"
    )

    def processed_text(self, prompt: str) -> str:
        photo_end = prompt.rfind(self.photo_text()) + len(self.photo_text()) if self.photo_text() in prompt else 0
        return f"{prompt[:photo_end]}{self.processor.tokenizer.bos_token}{prompt[photo_end:]}\n"

    def text_extras(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """0 for what sees and is seen in both directions, 1 for the answer."""
        return {"token_type_ids": (inputs["labels"] != IGNORED).long()}

    def text_inputs(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        # the processor returns labels even for a question alone, and they are none of the language model's inputs
        return {k: v for k, v in super().text_inputs(inputs).items() if k != "labels"}

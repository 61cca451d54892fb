"""Qwen3-VL: DeepStack after the second and third of four blocks."""

import transformers as hf

from helpers.tiny import _parts, _qwen

SIZES = _qwen.SIZES
PATCH, MERGE = 16, 2
LEAST, MOST = 64 * 64, 32 * 32 * 30

VARIANTS = {
    "DeepStack": {},
    "DeepStack in another order, tied embeddings": dict(deep=(2, 0, 1), tied=True),
    "without DeepStack, files of the hub": dict(deep=(), hub_files=True),
    "more DeepStack than layers, merges 3 x 3": dict(deep=(0, 1, 2), layers=2, merge=3, least=48 * 48),
}


def chat_template(thinking):
    """Of an instructed model, or of one that always thinks: its last answer alone shows its thoughts, here none."""
    opens = "<think>\n" if thinking else ""
    thought = "{% if loop.last and message.role == 'assistant' %}<think>\n\n</think>\n\n{% endif %}" if thinking else ""
    return (
        "{%- if messages[0].role == 'system' %}<|im_start|>system\n"
        "{% if messages[0].content is string %}{{ messages[0].content }}"
        "{% else %}{% for content in messages[0].content %}{% if 'text' in content %}{{ content.text }}{% endif %}"
        "{% endfor %}{% endif %}<|im_end|>\n{% endif %}"
        "{%- for message in messages %}"
        "{%- if message.role == 'user' or message.role == 'assistant' %}"
        "<|im_start|>{{ message.role }}\n" + thought + "{% if message.content is string %}{{ message.content }}"
        "{% else %}{% for content in message.content %}" + _qwen.IMAGE_PART + "{% endfor %}{% endif %}<|im_end|>\n"
        "{% endif %}"
        "{%- endfor %}"
        "{%- if add_generation_prompt %}<|im_start|>assistant\n" + opens + "{% endif %}"
    )


def save(
    folder, deep=(1, 2), layers=3, merge=MERGE, tied=False, least=LEAST, most=MOST, hub_files=False, thinking=False
):
    """`deep`: blocks that DeepStack reads; `layers` of the language model; `thinking`: see `chat_template`."""
    tok = _qwen.tokenizer()
    changes = dict(num_hidden_layers=layers, head_dim=16, rope_parameters=_qwen.ROPE | {"mrope_interleaved": True})
    config = hf.Qwen3VLConfig(
        vision_config=dict(
            depth=4,
            hidden_size=32,
            intermediate_size=64,
            num_heads=2,
            out_hidden_size=32,
            patch_size=PATCH,
            spatial_merge_size=merge,
            num_position_embeddings=64,
            deepstack_visual_indexes=list(deep),
        ),
        text_config=_parts.text_settings(tok, **changes),
        tie_word_embeddings=tied,
        **_qwen.token_ids(tok),
    )
    images = _qwen.image_processor(PATCH, least, most, merge)
    made = _qwen.processor(hf.Qwen3VLProcessor, images, tok, chat_template(thinking))
    return _qwen.save(folder, lambda: hf.Qwen3VLForConditionalGeneration(config), made, hub_files)

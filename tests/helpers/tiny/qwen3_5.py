"""Qwen3.5: a layer of linear attention and one of the ordinary kind; a template that can think aloud."""

import transformers as hf

from helpers.tiny import _parts, _qwen

SIZES = _qwen.SIZES
PATCH, MERGE = 16, 2
LEAST, MOST = 64 * 64, 32 * 32 * 30

VARIANTS = {
    "thinks unless told not to": {},
    "thinks if told to, tied embeddings": dict(tied=True, thinks=False),
    "files of the hub": dict(hub_files=True),
}

_THOUGHT, _THINKING = "<think>\n\n</think>\n\n", "<think>\n"


def chat_template(thinks):
    """Only the answer to the last question shows its thoughts, empty where it has none."""
    said, then, otherwise = ("false", _THOUGHT, _THINKING) if thinks else ("true", _THINKING, _THOUGHT)
    return (
        "{%- set ns = namespace(last=messages|length - 1) %}"
        "{%- for message in messages %}{% if message.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}"
        "{% endfor %}"
        "{%- for message in messages %}<|im_start|>{{ message.role }}\n"
        "{% if message.role == 'assistant' and loop.index0 > ns.last %}" + _THOUGHT + "{% endif %}"
        "{% if message.content is string %}{{ message.content|trim }}"
        "{% else %}{% for content in message.content %}" + _qwen.IMAGE_PART + "{% endfor %}{% endif %}<|im_end|>\n"
        "{% endfor %}"
        "{%- if add_generation_prompt %}<|im_start|>assistant\n"
        f"{{% if enable_thinking is defined and enable_thinking is {said} %}}{then}"
        f"{{% else %}}{otherwise}{{% endif %}}"
        "{% endif %}"
    )


def save(folder, thinks=True, tied=False, least=LEAST, most=MOST, hub_files=False):
    """`thinks`: whether the template lets the model think where nothing is said of it."""
    tok = _qwen.tokenizer(hf.Qwen3_5Tokenizer)
    tok.add_tokens(["<think>", "</think>"])
    changes = dict(
        num_hidden_layers=2,
        layer_types=["linear_attention", "full_attention"],
        head_dim=32,
        rope_parameters=_qwen.ROPE | dict(mrope_section=[2, 1, 1], mrope_interleaved=True, partial_rotary_factor=0.25),
        linear_key_head_dim=8,
        linear_value_head_dim=8,
        linear_num_key_heads=2,
        linear_num_value_heads=4,
    )
    config = hf.Qwen3_5Config(
        vision_config=dict(
            depth=4,
            hidden_size=32,
            intermediate_size=64,
            num_heads=2,
            out_hidden_size=32,
            patch_size=PATCH,
            spatial_merge_size=MERGE,
            num_position_embeddings=64,
        ),
        text_config=_parts.text_settings(tok, **changes),
        tie_word_embeddings=tied,
        **_qwen.token_ids(tok),
    )
    images = _qwen.image_processor(PATCH, least, most)
    made = _qwen.processor(hf.Qwen3VLProcessor, images, tok, chat_template(thinks))
    return _qwen.save(folder, lambda: hf.Qwen3_5ForConditionalGeneration(config), made, hub_files)


def encode_conversation(processor, messages, *photos):
    """Every answer after empty thoughts, as it is asked for; the template itself writes them before the last alone."""
    text = processor.apply_chat_template(messages, tokenize=False).replace(_THOUGHT, "")
    opens = "<|im_start|>assistant\n"
    return processor(
        text=[text.replace(opens, opens + _THOUGHT)], images=[photos] if photos else None, return_tensors="pt"
    )

"""LLaVA-NeXT over CLIP with Vicuna's and Mistral's conversations, and over SigLIP with several layers, as Granite's."""

import transformers as hf

from helpers.tiny._parts import VISION, text_settings, tokenizer
from helpers.tiny._parts import save as save_parts

SIZES = [(150, 97), (97, 150), (311, 97), (64, 64), (60, 233), (800, 601), (20, 14)]

VARIANTS = {
    "clip, vicuna": dict(),
    "clip, mistral": dict(text="mistral"),
    "siglip, several layers, granite, last pixels unseen": dict(
        tower="siglip", layer=[-4, -3, -1], text="granite", side=60
    ),
    "siglip, reads -2, size and no crop": dict(tower="siglip", layer=-2, crop=False),
    "clip, reads -1, one resolution": dict(layer=-1, pinpoints=[(3, 3)]),
    "clip, resized before the crop": dict(resize=64),
    "clip, 8 px patches, many resolutions": dict(patch=8, pinpoints=[(r, c) for r in range(1, 5) for c in range(1, 5)]),
}

PINPOINTS = [(1, 2), (2, 1), (2, 2), (3, 1), (1, 3)]
"""(rows, columns) of tiles, as the published checkpoints have them."""

_WORDS = "{% for c in m['content'] if c['type'] == 'text' %}{{ c['text'] }}{% endfor %}"
_PHOTOS = "{% for c in m['content'] if c['type'] == 'image' %}{{ '<image>\n' }}{% endfor %}"
TEMPLATES = {
    # no end token after an answer, a blank instead
    "llama": "{% for m in messages %}{{ m['role'].upper() + ': ' }}"
    + _PHOTOS
    + _WORDS
    + "{{ ' ' }}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}",
    # what follows an answer is meant to be the end token, but is not; the prompt is the same with and without a request
    "mistral": "{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' }}"
    + _PHOTOS
    + _WORDS
    + "{{ ' [/INST]' }}{% else %}{{ ' ' }}"
    + _WORDS
    + r"{{ '<\s> ' }}{% endif %}{% endfor %}",
    "granite": "{{ '<|system|>\na chat\n' }}{% for m in messages %}{{ '<|' + m['role'] + '|>\n' }}"
    + _PHOTOS
    + _WORDS
    + "{{ '\n' if m['role'] == 'user' else '</s>\n' }}{% endfor %}"
    + "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}",
}


def encode_conversation(processor, messages, *photos):
    """What training reads: the last answer without the misspelt end."""
    text = processor.apply_chat_template(messages, tokenize=False).removesuffix(r"<\s> ")
    return processor(text=[text], images=[photos] if photos else None, return_tensors="pt")


def save(folder, tower="clip", layer=-2, text="llama", side=56, patch=14, resize=None, crop=True, pinpoints=PINPOINTS):
    """`resize`: shortest edge before the centre crop, if not the side of a tile; `pinpoints`: in tiles."""
    tok = tokenizer(("<|system|>", "<|user|>", "<|assistant|>"))
    strategy = "default" if tower == "clip" else "full"
    pixels = [[r * side, c * side] for r, c in pinpoints]
    square = {"height": side, "width": side}
    vision = hf.CLIPVisionConfig if tower == "clip" else hf.SiglipVisionConfig
    config = hf.LlavaNextConfig(
        vision_config=vision(**VISION, image_size=side, patch_size=patch),
        text_config=hf.CONFIG_MAPPING[text](**text_settings(tok, **_TEXTS.get(text, {}))),
        image_token_id=tok.convert_tokens_to_ids("<image>"),
        vision_feature_layer=layer,
        vision_feature_select_strategy=strategy,
        image_grid_pinpoints=pixels,
    )
    size = {"shortest_edge": resize or side} if crop else square
    images = hf.LlavaNextImageProcessorPil(
        size=size, crop_size=square, do_center_crop=crop, image_grid_pinpoints=pixels
    )
    processor = hf.LlavaNextProcessor(
        images,
        tok,
        patch_size=patch,
        vision_feature_select_strategy=strategy,
        num_additional_image_tokens=int(tower == "clip"),
        chat_template=TEMPLATES[text],
    )
    return save_parts(folder, lambda: hf.LlavaNextForConditionalGeneration(config), processor)


_TEXTS = {"mistral": dict(sliding_window=None), "granite": dict(logits_scaling=2.0, embedding_multiplier=3.0)}

"""LLaVA-OneVision over SigLIP with Qwen2, and over CLIP; every byte of a text is a token, as blanks count here."""

import transformers as hf
from tokenizers.pre_tokenizers import ByteLevel

from helpers.tiny import _parts
from pseudogd.student.processors import without_video

SIZES = [(150, 97), (97, 150), (311, 97), (64, 64), (60, 233), (800, 601), (20, 14)]

VARIANTS = {
    "siglip, last pixels unseen": dict(),
    "resampled to two tiles' worth": dict(most=2),
    "resampled to one tile's worth": dict(most=1),
    "siglip, reads -2, tied, four resolutions": dict(layer=-2, tied=True, across=2, side=56),
    "siglip, several layers": dict(layer=[-4, -2, -1]),
    "clip, class token dropped": dict(tower="clip"),
}

MIXED = ("resampled to two tiles' worth", "resampled to one tile's worth")

# before an answer there is a blank and a line break, where one is asked for a line break alone
TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + ' ' }}"
    "{% for c in m['content'] if c['type'] == 'image' %}{{ '<image>' }}{% endfor %}"
    "{% for c in m['content'] if c['type'] == 'text' %}{{ '\n' + c['text'] }}{% endfor %}"
    "{{ '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>")
VIDEO = {"video_processor_type": "LlavaOnevisionVideoProcessor", "size": {"height": 60, "width": 60}}
"""Settings of a video processor: never used here, and not to be lost."""


def tokenizer():
    words = [*sorted(ByteLevel.alphabet()), *SPECIALS]
    tok = hf.Qwen2Tokenizer(vocab={word: i for i, word in enumerate(words)}, merges=[])
    tok.add_special_tokens({"eos_token": "<|im_end|>", "additional_special_tokens": list(SPECIALS[1:])})
    return tok


def encode_conversation(processor, messages, *photos):
    """What training reads: every answer after the prompt that asks for it."""
    text = processor.apply_chat_template(messages, tokenize=False).replace("assistant \n", "assistant\n")
    return processor(text=[text], images=[photos] if photos else None, return_tensors="pt")


def save(folder, tower="siglip", layer=-1, side=60, patch=14, across=6, most=9, tied=False):
    """`across`: tiles along the longest side of a canvas; `most`: tiles' worth of cells that language reads."""
    tok = tokenizer()
    strategy = "default" if tower == "clip" else "full"
    pixels = [[r * side, c * side] for r in range(1, across + 1) for c in range(1, across + 1)]
    settings = dict(**_parts.VISION, image_size=side, patch_size=patch)
    clip = tower == "clip"
    vision = hf.CLIPVisionConfig(**settings) if clip else hf.SiglipVisionConfig(**settings, vision_use_head=False)
    ratio = f"anyres_max_{most}"
    config = hf.LlavaOnevisionConfig(
        vision_config=vision,
        text_config=hf.Qwen2Config(**_parts.text_settings(tok, tie_word_embeddings=tied)),
        image_token_id=tok.convert_tokens_to_ids("<image>"),
        video_token_id=tok.convert_tokens_to_ids("<video>"),
        vision_feature_layer=layer,
        vision_feature_select_strategy=strategy,
        vision_aspect_ratio=ratio,
        image_grid_pinpoints=pixels,
        tie_word_embeddings=tied,
    )
    images = hf.LlavaOnevisionImageProcessorPil(
        size={"height": side, "width": side},
        image_grid_pinpoints=pixels,
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
    )
    processor = without_video(hf.LlavaOnevisionProcessor)(
        images,
        tok,
        None,
        num_image_tokens=(side // patch) ** 2 + clip,
        vision_feature_select_strategy=strategy,
        vision_aspect_ratio=ratio,
        chat_template=TEMPLATE,
    )
    processor._left_out = ({"video_processor": VIDEO}, {})
    return _parts.save(folder, lambda: hf.LlavaOnevisionForConditionalGeneration(config), processor)

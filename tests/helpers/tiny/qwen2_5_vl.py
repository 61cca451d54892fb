"""Qwen2.5-VL: windows of 2 x 2 blocks of 2 x 2 patches."""

import transformers as hf

from helpers.tiny import _parts, _qwen

SIZES = _qwen.SIZES
PATCH, MERGE = 14, 2
LEAST, MOST = 56 * 56, 28 * 28 * 40

VARIANTS = {
    "windows of 2 x 2 blocks": {},
    "windows of 3 x 3 blocks, tied embeddings": dict(window=84, tied=True),
    "few pixels, files of the hub": dict(least=28 * 28, most=28 * 28 * 12, hub_files=True),
    "photos as they are, blocks of one": dict(window=28, least=28 * 28 * 6),
}


def save(folder, window=56, tied=False, least=LEAST, most=MOST, hub_files=False):
    """`window` in pixels; `least` and `most` pixels of a photo as the tower reads it."""
    tok = _qwen.tokenizer()
    text = _parts.text_settings(tok, rope_parameters=_qwen.ROPE, tie_word_embeddings=tied)
    config = hf.Qwen2_5_VLConfig(
        vision_config=dict(
            depth=4,
            hidden_size=32,
            intermediate_size=64,
            num_heads=2,
            out_hidden_size=32,
            patch_size=PATCH,
            spatial_merge_size=MERGE,
            window_size=window,
            fullatt_block_indexes=[3],
        ),
        text_config=text,
        tie_word_embeddings=tied,
        **_qwen.token_ids(tok),
    )
    images = _qwen.image_processor(PATCH, least, most)
    made = _qwen.processor(hf.Qwen2_5_VLProcessor, images, tok, _qwen.CHAT_TEMPLATE)
    return _qwen.save(folder, lambda: hf.Qwen2_5_VLForConditionalGeneration(config), made, hub_files)

"""Qwen2-VL: blocks of 2 x 2 patches, no windows; the tower is wider than the language model."""

import transformers as hf

from helpers.tiny import _parts, _qwen

SIZES = _qwen.SIZES
PATCH, MERGE = 14, 2
LEAST, MOST = 56 * 56, 28 * 28 * 40

VARIANTS = {
    "ordinary": {},
    "tied embeddings, few pixels": dict(tied=True, least=28 * 28, most=28 * 28 * 12),
    "files of the hub": dict(hub_files=True),
}


def save(folder, tied=False, least=LEAST, most=MOST, hub_files=False):
    """`least` and `most` pixels of a photo as the tower reads it."""
    tok = _qwen.tokenizer()
    config = hf.Qwen2VLConfig(
        vision_config=dict(
            depth=4, embed_dim=40, hidden_size=32, mlp_ratio=2, num_heads=2, patch_size=PATCH, spatial_merge_size=MERGE
        ),
        text_config=_parts.text_settings(tok, rope_parameters=_qwen.ROPE, tie_word_embeddings=tied),
        tie_word_embeddings=tied,
        **_qwen.token_ids(tok),
    )
    images = _qwen.image_processor(PATCH, least, most)
    made = _qwen.processor(hf.Qwen2VLProcessor, images, tok, _qwen.CHAT_TEMPLATE)
    return _qwen.save(folder, lambda: hf.Qwen2VLForConditionalGeneration(config), made, hub_files)

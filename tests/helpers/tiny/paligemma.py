"""PaliGemma (over Gemma) and PaliGemma 2 (over Gemma 2): one squashed view, no chat template."""

import transformers as hf

from helpers.tiny import _gemma
from helpers.tiny._parts import VISION
from helpers.tiny._parts import save as save_parts

SIZES = [(150, 97), (97, 150), (311, 97), (64, 64), (60, 233), (800, 601), (20, 14)]

VARIANTS = {
    "over gemma": dict(),
    "over gemma 2, 8 px patches": dict(text="gemma2", image_size=64, patch=8),
    "last pixels unseen, SigLIP's own head, embeddings not tied": dict(image_size=60, head=True, tied=False),
}


def save(folder, text="gemma", image_size=56, patch=14, head=False, tied=True):
    tok = _gemma.tokenizer(["<image>"], image_token="<image>")
    vision = hf.SiglipVisionConfig(**VISION, image_size=image_size, patch_size=patch, vision_use_head=head)
    image_processor = hf.SiglipImageProcessorPil(size={"height": image_size, "width": image_size})
    image_processor.image_seq_length = (image_size // patch) ** 2
    processor = hf.PaliGemmaProcessor(image_processor, tok)
    settings = _gemma.text_settings(tok, tie_word_embeddings=tied)
    if text == "gemma2":
        settings |= dict(sliding_window=4096, query_pre_attn_scalar=16)
    config = hf.PaliGemmaConfig(
        vision_config=vision,
        text_config=hf.Gemma2Config(**settings) if text == "gemma2" else hf.GemmaConfig(**settings),
        image_token_index=tok.image_token_id,
        projection_dim=32,
        hidden_size=32,
        tie_word_embeddings=tied,
    )
    return save_parts(folder, lambda: _gemma.attentive(hf.PaliGemmaForConditionalGeneration(config)), processor)


def encode_conversation(processor, messages, photo):
    """By the processor's own way to say question and answer: a prefix and a suffix."""
    question, answer = (
        "".join(part["text"] for part in message["content"] if part["type"] == "text") for message in messages
    )
    return processor(text=["<image>" + question], images=[[photo]], suffix=[answer], return_tensors="pt")

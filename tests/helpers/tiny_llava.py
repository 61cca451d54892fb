"""A LLaVA of a few thousand random parameters, saved to disk as any checkpoint and loaded by the same calls.

folder = save_tiny_llava(tmp_path / "student", tower="clip")
student = load_student(folder)
"""

from __future__ import annotations

from pathlib import Path

WORDS = """
<pad> <unk> <s> </s> <image> USER : ASSISTANT A B C D . , ? ! ' which is nearer farther closer the a an to of in on how
far many metres m cm between from camera chair table sofa bed shelf cabinet lamp box ball cup plant stool red green blue
yellow orange purple white black gray brown pink cyan left right above below front behind standing at facing where you
are it yes no answer with letter and 0 1 2 3 4 5 6 7 8 9 what thing wider taller larger
"""

CHAT_TEMPLATE = (
    "{% for m in messages %}"
    "{{ 'USER : ' if m['role'] == 'user' else 'ASSISTANT : ' }}"
    "{% if m['content'] is string %}{{ m['content'] }}"
    "{% else %}{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}{{ '<image> ' }}{% else %}{{ c['text'] }}{% endif %}"
    "{% endfor %}{% endif %}"
    "{{ ' ' if m['role'] == 'user' else ' </s> ' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT : ' }}{% endif %}"
)


def tiny_tokenizer():
    """A word-level tokenizer with <image>, padding and an end token."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = WORDS.split()
    tok = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, "<unk>"))
    tok.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("isolated"), pre_tokenizers.Digits(True)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tok,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=["<image>"],
    )


def tiny_image_processor(image_size: int, squash: bool):
    """Shortest edge and centre crop (as CLIP), or a plain squash to a square (as SigLIP)."""
    from transformers import CLIPImageProcessorPil, SiglipImageProcessorPil

    square = {"height": image_size, "width": image_size}
    if squash:
        return SiglipImageProcessorPil(size=square)
    return CLIPImageProcessorPil(size={"shortest_edge": image_size}, crop_size=square)


def save_tiny_llava(
    folder: str | Path,
    tower: str = "clip",
    layer: int = -2,
    strategy: str | None = None,
    image_size: int = 56,
    patch: int = 14,
    squash: bool = False,
    width: int = 32,
    blocks: int = 4,
    seed: int = 0,
) -> Path:
    """Write model, processor and chat template to `folder`; returns it."""
    import torch
    import transformers as hf

    strategy = strategy or ("default" if tower == "clip" else "full")
    vision = dict(
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=blocks,
        num_attention_heads=2,
        image_size=image_size,
        patch_size=patch,
    )
    tokenizer = tiny_tokenizer()
    text = hf.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    config = hf.LlavaConfig(
        vision_config=hf.CLIPVisionConfig(**vision) if tower == "clip" else hf.SiglipVisionConfig(**vision),
        text_config=text,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=layer,
        vision_feature_select_strategy=strategy,
    )
    torch.manual_seed(seed)
    model = hf.LlavaForConditionalGeneration(config)
    with torch.no_grad():  # larger than the usual initialisation, so that photos and words make a visible difference
        for name, p in model.named_parameters():
            if p.ndim > 1 and "position" not in name:
                p.mul_(4.0)
    processor = hf.LlavaProcessor(
        tiny_image_processor(image_size, squash),
        tokenizer,
        patch_size=patch,
        vision_feature_select_strategy=strategy,
        num_additional_image_tokens=1 if tower == "clip" else 0,
        chat_template=CHAT_TEMPLATE,
    )
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return Path(folder)

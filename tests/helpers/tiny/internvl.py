"""InternVL over Qwen2, Qwen3 and Llama, with settings that the real checkpoints have."""

import json

import transformers as hf

from helpers.tiny import _parts
from pseudogd.student.processors import without_video

SIZES = [(150, 97), (97, 150), (311, 97), (72, 72), (30, 40), (800, 601), (120, 300)]

VARIANTS = {
    "6 tiles, qwen2, tied embeddings": dict(),
    "no tiles": dict(image_settings=dict(max_patches=1)),
    "2 to 12 tiles, qwen3, as the 6B tower": dict(
        image_settings=dict(min_patches=2, max_patches=12),
        text="qwen3",
        tied=False,
        vision=dict(norm_type="rms_norm", use_qk_norm=True, attention_bias=False, use_mask_token=True),
    ),
    "llama, ends named by the generation config, reads -2, tower with a norm at its end": dict(
        text="llama", tied=False, end="</s>", layer=-2, vision=dict(use_mean_pooling=False)
    ),
    "last pixels unseen, 4x4 patches a token": dict(side=60, patch=7, ratio=0.25, vision=dict(use_mean_pooling=False)),
}

TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n'}}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' %}{{ '<IMG_CONTEXT>\n' }}{% elif content['type'] == 'video' %}{{ '<video>\n' }}"
    "{% elif content['type'] == 'text' %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}{{'<|im_end|>\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{'<|im_start|>assistant\n' }}{% endif %}"
)

VIDEO = dict(video_processor_type="InternVLVideoProcessor", size={"height": 56, "width": 56}, initial_shift=False)


def tokenizer(end):
    return _parts.tokenizer(
        ["<|im_start|>", "<|im_end|>"],
        words="user assistant",
        lines=True,
        bos_token=None,
        eos_token=end,
        pad_token="<|endoftext|>",
        start_image_token="<img>",
        end_image_token="</img>",
        context_image_token="<IMG_CONTEXT>",
        video_token="<video>",
    )


def save(
    folder,
    side=56,
    patch=14,
    ratio=0.5,
    layer=-1,
    text="qwen2",
    tied=True,
    end="<|im_end|>",
    vision=None,
    image_settings=None,
):
    """Write a checkpoint.

    Args:
        side, patch: of a tile, in pixels.
        ratio: tokens that the projector makes along a side, for each patch.
        layer: of the tower that the projector reads.
        text: kind of the language model; `tied`: whether its input and output embeddings are the same.
        end: the tokenizer's; where `end` is not what the template ends a turn by, the generation config names that.
        vision: further settings of the tower; image_settings: of the image processor.
    """
    tok = tokenizer(end)
    settings = dict(size={"height": side, "width": side}, min_patches=1, max_patches=6)
    image_processor = hf.GotOcr2ImageProcessorPil(**settings | (image_settings or {}))
    seq_len = int(side // patch * ratio) ** 2
    processor = without_video(hf.InternVLProcessor)(
        image_processor, tok, None, image_seq_length=seq_len, chat_template=TEMPLATE
    )

    def make_model():
        kinds = {"qwen2": hf.Qwen2Config, "qwen3": hf.Qwen3Config, "llama": hf.LlamaConfig}
        changes = dict(tie_word_embeddings=tied, bos_token_id=None) | (dict(head_dim=16) if text == "qwen3" else {})
        tower = dict(
            image_size=[side, side], patch_size=[patch, patch], attention_bias=True, layer_scale_init_value=1.0
        )
        config = hf.InternVLConfig(
            vision_config=hf.InternVLVisionConfig(**_parts.VISION | tower | (vision or {})),
            text_config=kinds[text](**_parts.text_settings(tok, **changes)),
            image_token_id=tok.convert_tokens_to_ids("<IMG_CONTEXT>"),
            image_seq_length=seq_len,
            downsample_ratio=ratio,
            vision_feature_layer=layer,
            tie_word_embeddings=tied,
        )
        return hf.InternVLForConditionalGeneration(config)

    _parts.save(folder, make_model, processor)
    if end != "<|im_end|>":
        generation = hf.GenerationConfig.from_pretrained(folder)
        generation.eos_token_id = tok.convert_tokens_to_ids("<|im_end|>")
        generation.save_pretrained(folder)
    (folder / "video_preprocessor_config.json").write_text(json.dumps(VIDEO))
    return folder

"""What the tiny Qwen checkpoints share: a tokenizer of bytes, the template, an image processor, settings for videos."""

import json
from pathlib import Path

import transformers as hf
from tokenizers.pre_tokenizers import ByteLevel

from helpers.tiny import _parts
from pseudogd.student.processors import without_video

SIZES = [(150, 97), (97, 150), (311, 97), (64, 64), (60, 233), (800, 601), (20, 14)]
"""The last but one is larger than `MOST` pixels, the last smaller than `LEAST`."""

SPECIALS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)

IMAGE_PART = (
    "{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
    "<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif content['type'] == 'video' or 'video' in content %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}"
)

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n"
    "{% else %}{% for content in message['content'] %}" + IMAGE_PART + "{% endfor %}<|im_end|>\n{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

VIDEO = {"video_processor_type": "Qwen2VLVideoProcessor", "fps": 2, "size": {"longest_edge": 777, "shortest_edge": 128}}
"""Settings of a video processor: never used here, and not to be lost."""

ROPE = dict(rope_type="default", rope_theta=1e4, mrope_section=[2, 3, 3])


def tokenizer(cls=hf.Qwen2Tokenizer):
    """The families' own class, every byte a word, ending and filling as the real ones do; it has no start token."""
    words = [*sorted(ByteLevel.alphabet()), *SPECIALS]
    tok = cls(vocab={word: i for i, word in enumerate(words)}, merges=[])
    tok.add_special_tokens({"eos_token": "<|im_end|>", "additional_special_tokens": list(SPECIALS[1:])})
    return tok


def token_ids(tok):
    """The ids that a config names."""
    names = dict(image="image_pad", video="video_pad", vision_start="vision_start", vision_end="vision_end")
    return {f"{key}_token_id": tok.convert_tokens_to_ids(f"<|{name}|>") for key, name in names.items()}


def image_processor(patch, least, most, merge=2):
    """Makes photos of `least` to `most` pixels."""
    size = {"shortest_edge": least, "longest_edge": most}
    return hf.Qwen2VLImageProcessorPil(size=size, patch_size=patch, merge_size=merge)


def processor(cls, images, tok, template):
    """A processor of the family's class with settings for videos, as from a machine that can read them."""
    made = without_video(cls)(images, tok, None, chat_template=template)
    made._left_out = ({"video_processor": VIDEO}, {})
    return made


def save(folder, make_model, made, hub_files=False):
    """As `_parts.save`; `hub_files`: in files as older releases wrote them, and as most checkpoints of the hub have."""
    folder = _parts.save(Path(folder), make_model, made)
    if hub_files:
        _as_on_the_hub(folder)
    return folder


def _as_on_the_hub(folder):
    """One file for each part of the processor; Qwen2's have the language model's settings at the top of the config."""
    settings = json.loads((folder / "processor_config.json").read_text())
    config = json.loads((folder / "config.json").read_text())
    images, text = settings["image_processor"], config.pop("text_config")
    images |= {"processor_class": settings["processor_class"], "image_processor_type": "Qwen2VLImageProcessorFast"}
    rope = text.pop("rope_parameters")
    text |= {"rope_theta": rope.pop("rope_theta"), "rope_scaling": rope}
    config["vision_config"] |= {"in_chans": 3, "model_type": config["model_type"]}
    if config["model_type"].startswith("qwen2"):
        rope["type"] = "mrope"
        text.pop("layer_types")
        size = images.pop("size")
        images |= {"min_pixels": size["shortest_edge"], "max_pixels": size["longest_edge"]}
        images["image_processor_type"] = "Qwen2VLImageProcessor"
        config = {**text, **config}
    else:
        config["text_config"] = text
    files = {
        "preprocessor_config.json": images,
        "video_preprocessor_config.json": VIDEO,
        "chat_template.json": {"chat_template": (folder / "chat_template.jinja").read_text()},
        "config.json": config,
    }
    for name, values in files.items():
        (folder / name).write_text(json.dumps(values, indent=2))
    for name in ("processor_config.json", "chat_template.jinja"):
        (folder / name).unlink()

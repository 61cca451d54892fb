"""What the tiny checkpoints of Idefics3 and SmolVLM share: the tokens and the template of the real ones."""

import transformers as hf

from helpers.tiny import _parts
from pseudogd.student.processors import without_video

SIZES = [(150, 97), (97, 150), (311, 97), (72, 72), (30, 40), (800, 601), (120, 300)]

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)

MARKS = [f"<row_{r}_col_{c}>" for r in range(1, 7) for c in range(1, 7)]


def tokenizer(marks, start, end):
    """`marks`: whether a tile's place is one token, or spelt out."""
    specials = ["<fake_token_around_image>", "<global-img>", "<end_of_utterance>", *(MARKS if marks else [])]
    return _parts.tokenizer(specials, words="User Assistant System", lines=True, bos_token=start, eos_token=end)


def save(
    folder,
    names,
    side=64,
    patch=8,
    factor=4,
    tiles=3,
    marks=True,
    tied=False,
    image_settings=None,
    start="<|im_start|>",
    end="<end_of_utterance>",
):
    """Write a checkpoint.

    Args:
        names: how the classes begin: "Idefics3" or "SmolVLM".
        side, patch: of a tile, in pixels.
        factor: patches along each side that make one token.
        tiles: how many tiles the longer side of a photo is.
        tied: whether input and output embeddings of the language model are the same.
        image_settings: further settings of the image processor.
        start, end: the tokenizer's; where `end` is not what ends an utterance, the generation config names both.
    """
    tok = tokenizer(marks, start, end)
    settings = dict(size={"longest_edge": tiles * side}, max_image_size={"longest_edge": side})
    image_processor = getattr(hf, f"{names}ImageProcessorPil")(**settings | (image_settings or {}))
    seq_len = (side // patch // factor) ** 2
    cls = getattr(hf, f"{names}Processor")
    if names == "SmolVLM":
        processor = without_video(cls)(image_processor, tok, None, image_seq_len=seq_len, chat_template=TEMPLATE)
    else:
        processor = cls(image_processor, tok, image_seq_len=seq_len, chat_template=TEMPLATE)

    def make_model():
        vision = dict(**_parts.VISION, image_size=side, patch_size=patch)
        text = hf.LlamaConfig(**_parts.text_settings(tok, tie_word_embeddings=tied))
        config = getattr(hf, f"{names}Config")(
            vision_config=vision,
            text_config=text.to_dict(),
            image_token_id=tok.convert_tokens_to_ids("<image>"),
            scale_factor=factor,
            tie_word_embeddings=tied,
            pad_token_id=tok.pad_token_id,
        )
        return getattr(hf, f"{names}ForConditionalGeneration")(config)

    _parts.save(folder, make_model, processor)
    if end != "<end_of_utterance>":
        generation = hf.GenerationConfig.from_pretrained(folder)
        generation.eos_token_id = tok.convert_tokens_to_ids([end, "<end_of_utterance>"])
        generation.save_pretrained(folder)
    return folder

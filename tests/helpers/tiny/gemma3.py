"""Gemma 3: whole photo squashed, pan & scan on and off."""

import torch
import transformers as hf

from helpers.tiny import _gemma
from helpers.tiny._parts import VISION
from helpers.tiny._parts import save as save_parts

SIZES = [(150, 97), (97, 150), (311, 97), (64, 64), (60, 233), (800, 601), (41, 23)]

PAN_AND_SCAN = {
    "do_pan_and_scan": True,
    "pan_and_scan_min_crop_size": 20,
    "pan_and_scan_max_num_crops": 4,
    "pan_and_scan_min_ratio_to_activate": 1.2,
}

VARIANTS = {
    "whole photo": dict(),
    "pan & scan": dict(pan_and_scan=True),
    "pooled 4 x 4, last pixels unseen": dict(image_size=114, tokens=4),
    "pools what it can, with SigLIP's own head": dict(image_size=70, tokens=4, head=True),
}

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\n' }}"
    "{% if message['content'] is string %}{{ message['content'] | trim }}{% else %}"
    "{% for item in message['content'] %}"
    "{% if item['type'] == 'image' %}{{ '<start_of_image>' }}{% else %}{{ item['text'] | trim }}{% endif %}"
    "{% endfor %}{% endif %}"
    "{{ '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)


def save(folder, image_size=56, tokens=4, head=False, pan_and_scan=False):
    """`pan_and_scan` is nothing that a checkpoint on disk can say: see `after_load`."""
    tok = _gemma.tokenizer(
        ["<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>", "<image_soft_token>"],
        boi_token="<start_of_image>",
        eoi_token="<end_of_image>",
        image_token="<image_soft_token>",
    )
    vision = hf.SiglipVisionConfig(**VISION, image_size=image_size, patch_size=14, vision_use_head=head)
    config = hf.Gemma3Config(
        vision_config=vision,
        text_config=hf.Gemma3TextConfig(
            **_gemma.text_settings(tok, sliding_window=16, layer_types=["sliding_attention", "full_attention"])
        ),
        mm_tokens_per_image=tokens,
        image_token_index=tok.image_token_id,
        boi_token_index=tok.boi_token_id,
        eoi_token_index=tok.eoi_token_id,
    )
    processor = hf.Gemma3Processor(
        hf.Gemma3ImageProcessorPil(size={"height": image_size, "width": image_size}),
        tok,
        chat_template=CHAT_TEMPLATE,
        image_seq_length=tokens,
    )

    def make():
        model = hf.Gemma3ForConditionalGeneration(config)
        # made of zeros: trained weights are not
        torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight, std=0.05)
        return _gemma.attentive(model)

    return save_parts(folder, make, processor, ends=["<end_of_turn>"])


def after_load(student, pan_and_scan=False, **_):
    """What a user sets on a loaded student: `Gemma3Processor` turns pan & scan off at every call but for this."""
    if pan_and_scan:
        student.processor.images_kwargs = student.processor.images_kwargs | PAN_AND_SCAN

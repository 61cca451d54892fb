"""Gemma 4: small ones with per-layer inputs and an audio tower, large ones that see photos in both directions."""

import torch
import transformers as hf

from helpers.tiny import _gemma
from helpers.tiny._parts import VISION
from helpers.tiny._parts import save as save_parts
from pseudogd.student.processors import without_video

# a small photo has few colours along a side for many cells, so it must be nearly square
SIZES = [(750, 485), (485, 750), (1110, 300), (64, 64), (300, 1110), (1600, 1200), (30, 26)]

SMALL = dict(
    hidden_size_per_layer_input=8,
    num_hidden_layers=4,
    num_kv_shared_layers=2,
    use_double_wide_mlp=True,
    layer_types=["sliding_attention", "full_attention"] * 2,
)
LARGE = dict(
    hidden_size_per_layer_input=0,
    use_bidirectional_attention="vision",
    attention_k_eq_v=True,
    num_global_key_value_heads=1,
    layer_types=["sliding_attention", "full_attention"],
)
EXPERTS = dict(enable_moe_block=True, num_experts=4, top_k_experts=2, moe_intermediate_size=16)

VARIANTS = {
    "small, hears too": dict(text=SMALL, audio=True, vision=dict(use_clipped_linears=True)),
    "large, opens with an empty thought": dict(text=LARGE, thinks=True, vision=dict(standardize=True)),
    "experts, pooled 2 x 2, up to 140 tokens": dict(text=LARGE | EXPERTS, thinks=True, pooled=2, most=140),
    "no cap on logits, blank lines around photos": dict(text=LARGE, cap=None, mark="\n\n<|image|>\n\n"),
}

SPECIALS = {
    "image_token": "<|image|>",
    "boi_token": "<|image>",
    "eoi_token": "<image|>",
    "audio_token": "<|audio|>",
    "boa_token": "<|audio>",
    "eoa_token": "<audio|>",
}

AUDIO = {"feature_extractor_type": "Gemma4AudioFeatureExtractor", "feature_size": 128, "sampling_rate": 16000}
VIDEO = {"video_processor_type": "Gemma4VideoProcessor", "max_soft_tokens": 70, "num_frames": 32, "patch_size": 8}


_MODEL = "<|turn>model\n"
_THOUGHT = "<|channel>thought\n<channel|>"


def chat_template(mark="<|image|>", thinks=False):
    """As the checkpoints have it, but for tools; `thinks`: the large ones begin an answer with an empty thought."""
    thought = "{%- if not enable_thinking | default(false) -%}{{ THOUGHT }}{%- endif -%}" if thinks else ""
    text = (
        "{{ bos_token }}{%- for message in messages -%}"
        "{{ '<|turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\n' }}"
        "{%- if message['content'] is string -%}{{ message['content'] | trim }}{%- else -%}"
        "{%- for item in message['content'] -%}"
        "{%- if item['type'] == 'image' -%}{{ MARK }}{%- else -%}{{ item['text'] | trim }}{%- endif -%}"
        "{%- endfor -%}{%- endif -%}"
        "{{ '<turn|>\n' }}{%- endfor -%}"
        "{%- if add_generation_prompt -%}{{ MODEL }}" + thought + "{%- endif -%}"
    )
    return text.replace("MARK", repr(mark)).replace("MODEL", repr(_MODEL)).replace("THOUGHT", repr(_THOUGHT))


def save(folder, text=SMALL, vision=None, audio=False, pooled=3, most=70, cap=30.0, mark="<|image|>", thinks=False):
    """`most`: tokens of a photo."""
    names = ["<|turn>", "<turn|>", "<|channel>", "<channel|>", "<|video|>", *SPECIALS.values()]
    tok = _gemma.tokenizer(names, **SPECIALS)
    images = hf.Gemma4ImageProcessorPil(patch_size=8, pooling_kernel_size=pooled, max_soft_tokens=most)
    template = chat_template(mark, thinks)
    processor = without_video(hf.Gemma4Processor)(
        None, images, tok, None, chat_template=template, image_seq_length=most
    )
    # as from a machine that can read videos and sounds
    processor._left_out = ({"video_processor": VIDEO, "feature_extractor": AUDIO}, {})
    settings = _gemma.text_settings(
        tok, sliding_window=16, final_logit_softcapping=cap, global_head_dim=16, vocab_size_per_layer_input=len(tok)
    )
    config = hf.Gemma4Config(
        text_config=hf.Gemma4TextConfig(**settings | text),
        vision_config=hf.Gemma4VisionConfig(
            **VISION | dict(num_key_value_heads=2, head_dim=16, patch_size=8, position_embedding_size=512),
            pooling_kernel_size=pooled,
            **vision or {},
        ),
        audio_config=_audio() if audio else None,
        **{f"{name}_id": tok.convert_tokens_to_ids(token) for name, token in SPECIALS.items() if name != "eoa_token"},
        eoa_token_index=tok.convert_tokens_to_ids("<audio|>"),
        video_token_id=tok.convert_tokens_to_ids("<|video|>"),
    )

    def make():
        model = _gemma.attentive(hf.Gemma4ForConditionalGeneration(config), loud=1.0)
        # made of ones, and so the same everywhere: trained weights are not
        torch.nn.init.normal_(model.model.vision_tower.patch_embedder.position_embedding_table, std=0.02)
        return model

    return save_parts(folder, make, processor, ends=["<turn|>"])


def _audio():
    return hf.Gemma4AudioConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        output_proj_dims=32,
        subsampling_conv_channels=[8, 4],
    )


def make_identity(student):
    """Every state of the tower becomes the mean colour of its patch, from -1 to 1; there is no convolution here."""
    tower = student.family.tower(student.model)
    with torch.no_grad():
        for parameter in tower.parameters():
            parameter.zero_()
        weight = tower.patch_embedder.input_proj.weight  # channels are a patch's innermost dimension
        for channel in range(3):
            weight[channel, channel::3] = 3 / weight.shape[1]


def colours(student, hidden):
    return hidden.reshape(-1, hidden.shape[-1])[:, :3] / 2 + 0.5


def encode_conversation(processor, messages, *photos):
    """Every answer after the empty thought that it is asked for with; the template itself writes none once answered."""
    text = processor.apply_chat_template(messages, tokenize=False)
    if processor.apply_chat_template(messages[:1], tokenize=False, add_generation_prompt=True).endswith(_THOUGHT):
        text = text.replace(_MODEL, _MODEL + _THOUGHT)
    return processor(text=[text], images=[photos] if photos else None, add_special_tokens=False, return_tensors="pt")

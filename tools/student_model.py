"""The embedded student's model, tokenizer and processor, and how they start: see `make_student.py`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from flat_questions import COLOR_NAMES, KIND_NAMES, REGIONS, Thing, turns
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPImageProcessorPil,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    SiglipVisionConfig,
)

from pseudogd.vqa import vocabulary

SIZE, PATCH = 120, 12
GRID = SIZE // PATCH
WIDTH = 160
USER, ASSISTANT, END, PAD, IMAGE = "<|user|>", "<|assistant|>", "<|end|>", "<|pad|>", "<image>"
TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}<|assistant|>{% if m['content'] is string %}"
    "{{ m['content'] }}{% else %}{% for c in m['content'] if c['type'] == 'text' %}{{ c['text'] }}{% endfor %}"
    "{% endif %}<|end|>"
    "{% else %}{% if m['content'] is string %}<|user|>{{ m['content'] }}{% else %}"
    "{% for c in m['content'] if c['type'] == 'image' %}<image>{% endfor %}<|user|>"
    "{% for c in m['content'] if c['type'] == 'text' %}{{ c['text'] }}{% endfor %}{% endif %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
COMMON = (
    "object picture photo room house person man woman child dog cat bird horse car bus truck bicycle boat plane "
    "train television desk window door curtain floor wall ceiling carpet clock book bottle glass plate bowl "
    "spoon fork knife phone laptop keyboard mouse monitor bag backpack umbrella shoe hat toy flag helmet rocket "
    "tower armchair wardrobe drawer oven sink fridge toilet bath mirror picture pillow blanket basket bench tree "
    "flower grass road office lounge light dark big small long short round wooden metal plastic soft hard new "
    "old open closed empty full one two three four five six seven eight nine ten and of in on at by with from to "
    "for is are was it this that these those there here what which who where when how many much more less most "
    "least near far next under over inside outside beside cyan beige silver gold "
)


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE in which each expected word and each number up to 99 is one token; others fall to pieces."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r" ?\d{1,2}|\n"), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    words = {*vocabulary.all_words(), *COMMON.split(), *KIND_NAMES, *COLOR_NAMES, *" ".join(REGIONS).split()}
    words |= {f"{k}s" for k in KIND_NAMES} | {"shelfes", "boxes"}
    rng = np.random.default_rng(0)
    names = [f"{c} {k}" for c in COLOR_NAMES for k in KIND_NAMES]
    things = [Thing(c, k, *rng.random(2), tuple(rng.random(2))) for c in COLOR_NAMES for k in KIND_NAMES]
    flat = [
        text for i in range(300) for _, q, a in turns(rng, list(rng.permutation(things)[:6]), 12) for text in (q, a)
    ]
    corpus = [*sorted(words), *(f" {w}" for w in sorted(words)), *vocabulary.example_texts(names), *flat] * 3
    special = [PAD, END, USER, ASSISTANT, IMAGE]
    trainer = trainers.BpeTrainer(
        vocab_size=4000, min_frequency=1, special_tokens=special, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    tokenizer.train_from_iterator(corpus, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, additional_special_tokens=[USER, ASSISTANT, IMAGE],
        padding_side="left", chat_template=TEMPLATE, model_max_length=2048, clean_up_tokenization_spaces=False,
    )  # fmt: skip


def make_processor(tokenizer: PreTrainedTokenizerFast) -> LlavaProcessor:
    image_processor = CLIPImageProcessorPil(
        size={"shortest_edge": SIZE},
        crop_size={"height": SIZE, "width": SIZE},
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    return LlavaProcessor(
        image_processor, tokenizer, patch_size=PATCH, vision_feature_select_strategy="full", image_token=IMAGE,
        num_additional_image_tokens=0, chat_template=TEMPLATE,
    )  # fmt: skip


def sincos(grid: int, width: int) -> torch.Tensor:
    """(grid * grid, width) 2D sine-cosine positions (Vaswani et al. 2017, one half of the channels per axis)."""
    omega = 1 / 100 ** (torch.arange(width // 4) / (width // 4))
    y, x = (
        c.flatten().float()[:, None] * omega
        for c in torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
    )
    return torch.cat([x.sin(), x.cos(), y.sin(), y.cos()], 1)


def make_model(tokenizer: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    vision = SiglipVisionConfig(
        hidden_size=WIDTH, intermediate_size=3 * WIDTH, num_hidden_layers=5, num_attention_heads=4, image_size=SIZE,
        patch_size=PATCH, vision_use_head=False,
    )  # fmt: skip
    text = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=432, num_hidden_layers=6, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=2048, tie_word_embeddings=True, bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=vision, text_config=text, image_token_id=tokenizer.convert_tokens_to_ids(IMAGE),
        vision_feature_layer=-1, vision_feature_select_strategy="full", image_seq_length=GRID * GRID,
        tie_word_embeddings=True,
    )  # fmt: skip
    model = LlavaForConditionalGeneration._from_config(config, attn_implementation="eager")
    initialise(model)
    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    model.generation_config = GenerationConfig(**ids, bos_token_id=None, do_sample=False, max_new_tokens=16)
    return model


@torch.no_grad()
def initialise(model: LlavaForConditionalGeneration) -> None:
    """Weights for a narrow model, after mimetic initialisation (Trockman & Kolter 2023).

    The usual 0.02 is made for widths of thousands: here words would drown in the first layer's noise. Keys start equal
    to queries, so that a word looks at what resembles it; the output map starts as the transpose of the value map, so
    that what it sees is added to it as it is.
    """
    core = model.model
    core.vision_tower.embeddings.position_embedding.weight.copy_(0.5 * sincos(GRID, WIDTH))
    core.get_input_embeddings().weight.normal_(std=0.1)
    for linear in (core.multi_modal_projector.linear_1, core.multi_modal_projector.linear_2):
        linear.weight.normal_(std=0.08)
    for layer in core.language_model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        scales = {
            attention.q_proj: 0.07,
            attention.v_proj: 0.04,
            mlp.gate_proj: 0.06,
            mlp.up_proj: 0.06,
            mlp.down_proj: 0.02,
        }
        for linear, std in scales.items():
            linear.weight.normal_(std=std)
        attention.k_proj.weight.copy_(attention.q_proj.weight)
        attention.o_proj.weight.copy_(attention.v_proj.weight.T)


def save(model: LlavaForConditionalGeneration, tokenizer, out: Path) -> None:
    """An ordinary checkpoint in bfloat16: model, generation config, processor, tokenizer, chat template."""
    out.mkdir(parents=True, exist_ok=True)
    model.config.dtype = torch.bfloat16
    state = {k: v.detach().to(torch.bfloat16) for k, v in model.state_dict().items() if k != "lm_head.weight"}  # tied
    model.save_pretrained(out, state_dict=state)
    model.config.dtype = torch.float32
    make_processor(tokenizer).save_pretrained(out)

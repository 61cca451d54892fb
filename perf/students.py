"""A student of any size with random weights, and a data folder and recipe to train it on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pseudogd
from pseudogd.training.recipe import Recipe, load_recipe
from pseudogd.world import checkpoint

TINY = {"image": 120, "patch": 12, "tower_width": 160, "tower_blocks": 5, "llm_width": 160, "llm_blocks": 5}
"""Sizes of the embedded student."""


def add_sizes(parser: argparse.ArgumentParser) -> None:
    """Options for the student's sizes, by default those of the embedded one."""
    for name, value in TINY.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value, help=f"default {value}")


def save_student(folder: Path, args: argparse.Namespace) -> Path:
    """A LLaVA with a SigLIP tower of `args`' sizes, with the embedded student's tokenizer and chat template."""
    import torch
    from transformers import AutoProcessor, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, SiglipVisionConfig

    processor = AutoProcessor.from_pretrained(checkpoint("student"))
    pixels, tokenizer = processor.image_processor, processor.tokenizer
    pixels.size, pixels.crop_size = {"shortest_edge": args.image}, {"height": args.image, "width": args.image}
    processor.patch_size = args.patch
    vision = SiglipVisionConfig(
        hidden_size=args.tower_width,
        intermediate_size=4 * args.tower_width,
        num_hidden_layers=args.tower_blocks,
        num_attention_heads=max(1, args.tower_width // 64),
        image_size=args.image,
        patch_size=args.patch,
        vision_use_head=False,
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=args.llm_width,
        intermediate_size=8 * args.llm_width // 3,
        num_hidden_layers=args.llm_blocks,
        num_attention_heads=max(1, args.llm_width // 64),
        num_key_value_heads=max(1, args.llm_width // 64),
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=processor.image_token_id,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(config)
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = text.eos_token_id, text.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def recipe(arm: str, student: Path, data: Path, out: Path, args: argparse.Namespace, **more: Any) -> Recipe:
    """The recipe of an arm; `more` are sections, such as geometry={...}."""
    values = {
        "arm": arm,
        "out": str(out),
        "model.path": str(student),
        "data.path": str(data),
        "data.turns_per_row": args.turns,
        "optim.batch_size": args.batch_size,
    }
    return load_recipe(None, {**values, **more})


def questions(data: Path) -> Path:
    """The data folder with its questions made."""
    pseudogd.synth(data, quiet=True)
    return data

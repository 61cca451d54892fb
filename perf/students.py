"""A student of any size with random weights, and a data folder and recipe to train it on.

    python perf/students.py --preset siglip-so400m+qwen2.5-1.5b --photos 64 --size 640 --out runs/perf

writes runs/perf/student, runs/perf/data, and runs/perf/joint.yaml, which `pseudogd train` takes.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pseudogd
from pseudogd.training.recipe import Recipe, load_recipe, recipe_text
from pseudogd.world import checkpoint

_SO400M = {"image": 384, "patch": 14, "tower_width": 1152, "tower_blocks": 27, "tower_heads": 16, "tower_mlp": 4304}
_QWEN = {"llm": "qwen2", "vocabulary": 151936}
PRESETS: dict[str, dict[str, Any]] = {
    "embedded": {
        "image": 120,
        "patch": 12,
        "tower_width": 160,
        "tower_blocks": 5,
        "tower_heads": 0,
        "tower_mlp": 0,
        "llm": "llama",
        "llm_width": 160,
        "llm_blocks": 5,
        "llm_heads": 0,
        "llm_kv_heads": 0,
        "llm_mlp": 0,
        "vocabulary": 0,
    },
    "siglip-b+smollm2-135m": {
        "image": 224,
        "patch": 16,
        "tower_width": 768,
        "tower_blocks": 12,
        "llm_width": 576,
        "llm_blocks": 30,
        "llm_heads": 9,
        "llm_kv_heads": 3,
        "llm_mlp": 1536,
        "vocabulary": 49152,
    },
    "siglip-so400m+qwen2.5-0.5b": {
        **_SO400M,
        **_QWEN,
        "llm_width": 896,
        "llm_blocks": 24,
        "llm_heads": 14,
        "llm_kv_heads": 2,
        "llm_mlp": 4864,
    },
    "siglip-so400m+qwen2.5-1.5b": {
        **_SO400M,
        **_QWEN,
        "llm_width": 1536,
        "llm_blocks": 28,
        "llm_heads": 12,
        "llm_kv_heads": 2,
        "llm_mlp": 8960,
    },
    "siglip-so400m+qwen2.5-3b": {
        **_SO400M,
        **_QWEN,
        "llm_width": 2048,
        "llm_blocks": 36,
        "llm_heads": 16,
        "llm_kv_heads": 2,
        "llm_mlp": 11008,
    },
}
"""Sizes by name, as in the models' own configs; what a preset does not name is as in `embedded`."""

_HELP = {
    "image": "side of the photo as the tower sees it, pixels",
    "patch": "side of a patch, pixels",
    "tower_heads": "0: one for 64 of its width",
    "tower_mlp": "0: four times its width",
    "llm": "model_type of the language model",
    "llm_heads": "0: one for 64 of its width",
    "llm_kv_heads": "0: as many as heads",
    "llm_mlp": "0: 8/3 of its width",
    "vocabulary": "0: the embedded tokenizer's; more leaves the rest unused",
}


def add_sizes(parser: argparse.ArgumentParser) -> None:
    """Options for the student's sizes: a preset, and single sizes that go on top of it."""
    parser.add_argument("--preset", choices=PRESETS, default="embedded", help="sizes by name; default embedded")
    for name, value in PRESETS["embedded"].items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), help=_HELP.get(name, name))


def fill_sizes(args: argparse.Namespace) -> argparse.Namespace:
    """Every size that was not given, from the preset."""
    for name, value in {**PRESETS["embedded"], **PRESETS[args.preset]}.items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


def save_student(folder: Path, args: argparse.Namespace) -> Path:
    """A LLaVA with a SigLIP tower of `args`' sizes, with the embedded student's tokenizer and chat template."""
    import torch
    from transformers import AutoProcessor, LlavaConfig, LlavaForConditionalGeneration

    processor = AutoProcessor.from_pretrained(checkpoint("student"))
    pixels, tokenizer = processor.image_processor, processor.tokenizer
    pixels.size, pixels.crop_size = {"shortest_edge": args.image}, {"height": args.image, "width": args.image}
    processor.patch_size = args.patch
    text = _text_config(args, tokenizer)
    config = LlavaConfig(
        vision_config=_vision_config(args),
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


def _vision_config(args: argparse.Namespace) -> Any:
    from transformers import SiglipVisionConfig

    return SiglipVisionConfig(
        hidden_size=args.tower_width,
        intermediate_size=args.tower_mlp or 4 * args.tower_width,
        num_hidden_layers=args.tower_blocks,
        num_attention_heads=args.tower_heads or max(1, args.tower_width // 64),
        image_size=args.image,
        patch_size=args.patch,
        vision_use_head=False,
    )


def _text_config(args: argparse.Namespace, tokenizer: Any) -> Any:
    from transformers import AutoConfig

    heads = args.llm_heads or max(1, args.llm_width // 64)
    if args.vocabulary and args.vocabulary < len(tokenizer):
        raise SystemExit(f"--vocabulary {args.vocabulary}: the tokenizer has {len(tokenizer)} tokens")
    return AutoConfig.for_model(
        args.llm,
        vocab_size=args.vocabulary or len(tokenizer),
        hidden_size=args.llm_width,
        intermediate_size=args.llm_mlp or 8 * args.llm_width // 3,
        num_hidden_layers=args.llm_blocks,
        num_attention_heads=heads,
        num_key_value_heads=args.llm_kv_heads or heads,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )


def recipe(
    arm: str, student: Path, data: Path, out: Path, args: argparse.Namespace, more: Mapping[str, Any] | None = None
) -> Recipe:
    """The recipe of an arm; `more` are dotted keys that go on top."""
    values = {
        "arm": arm,
        "out": str(out),
        "model.path": str(student),
        "data.path": str(data),
        "data.turns_per_row": args.turns,
        "optim.batch_size": args.batch_size,
    }
    return load_recipe(None, {**values, **(more or {})})


def questions(data: Path) -> Path:
    """The data folder with its questions made."""
    pseudogd.synth(data, quiet=True)
    return data


def main() -> None:
    from common import arguments, labelled, one_thread, rooms

    parser = arguments(__doc__, photos=64, size=640, batch_size=8, turns=12, steps=30)
    add_sizes(parser)
    parser.add_argument("--out", required=True, help="folder to write")
    args = fill_sizes(parser.parse_args())
    one_thread()
    out = Path(args.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    with rooms(args.photos, args.size) as folder:
        shutil.move(folder, out / "photos")
    data = questions(labelled(out / "photos"))
    student = save_student(out / "student", args)
    # a measurement of steps: neither checkpoints on the way nor one line for many steps
    more = {"optim.steps": args.steps, "checkpoint.every": 0, "log_every": 1}
    text = recipe_text(recipe("joint", student, data, out / "joint", args, more))
    (out / "joint.yaml").write_text(text, encoding="utf-8")
    print(out / "joint.yaml")


if __name__ == "__main__":
    main()

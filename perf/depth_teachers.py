"""Depth Anything checkpoints of the published sizes, weights at random: what a teacher costs, not what it knows."""

from __future__ import annotations

import json
from pathlib import Path

SIZES = {
    "tiny": {"width": 48, "blocks": 4, "heads": 2, "neck": [8, 16, 24, 32], "fusion": 8},
    "small": {"width": 384, "blocks": 12, "heads": 6, "neck": [48, 96, 192, 384], "fusion": 64},
    "base": {"width": 768, "blocks": 12, "heads": 12, "neck": [96, 192, 384, 768], "fusion": 128},
}
"""By name, as in the configs of Depth Anything V2 (Yang et al. 2024); "tiny" is for tests."""


def save_teacher(folder: Path, size: str, side: int) -> Path:
    """A metric Depth Anything over a DINOv2 with patches of 14 pixels; `side` is that of its input, pixels.

    Its preprocessor_config.json is that of the published ones, for `pseudogd` and transformers' pipeline alike.
    """
    import torch
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    sizes = SIZES[size]
    blocks = int(sizes["blocks"])
    backbone = Dinov2Config(
        hidden_size=sizes["width"],
        num_hidden_layers=blocks,
        num_attention_heads=sizes["heads"],
        image_size=side,
        patch_size=14,
        out_indices=[blocks * part // 4 for part in (1, 2, 3, 4)],
        reshape_hidden_states=False,
        apply_layernorm=True,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        patch_size=14,
        reassemble_hidden_size=sizes["width"],
        neck_hidden_sizes=sizes["neck"],
        fusion_hidden_size=sizes["fusion"],
        depth_estimation_type="metric",
        max_depth=20,
    )
    torch.manual_seed(0)
    DepthAnythingForDepthEstimation(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(_preprocessor(side), indent=1), encoding="utf-8")
    return folder


def _preprocessor(side: int) -> dict[str, object]:
    return {
        "image_processor_type": "DPTImageProcessor",
        "do_resize": True,
        "size": {"height": side, "width": side},
        "keep_aspect_ratio": True,
        "ensure_multiple_of": 14,
        "resample": 3,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
    }

"""A Depth Anything network of a few thousand random parameters, saved to disk as any checkpoint."""

from __future__ import annotations

from pathlib import Path


def save_tiny_depth_anything(
    folder: str | Path,
    kind: str = "metric",
    max_depth: int = 10,
    seed: int = 0,
    preprocessor: dict | None = None,
    **extra,
) -> Path:
    """Write config and safetensors to `folder`; patches of 14 px, trained side 56. `extra` goes into the config."""
    import torch
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    torch.manual_seed(seed)
    backbone = Dinov2Config(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=56,
        patch_size=14,
        out_indices=[1, 2, 3, 4],
        reshape_hidden_states=False,
        initializer_range=0.2,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        patch_size=14,
        reassemble_hidden_size=32,
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=8,
        head_hidden_size=4,
        depth_estimation_type=kind,
        max_depth=max_depth,
        initializer_range=0.2,
        **extra,
    )
    folder = Path(folder)
    DepthAnythingForDepthEstimation(config).save_pretrained(folder)
    return folder

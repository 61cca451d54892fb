"""A tiny random network of each depth class of transformers, saved to disk as any checkpoint.

`constant=True` sets the last layer so that the class's own head says one known number everywhere (`CONSTANT`), while
the rest of the network runs as it is.
"""

from __future__ import annotations

import math
from pathlib import Path

from helpers.tiny_depth_anything import save_tiny_depth_anything

METRES = 2.5
INVERSE = 0.4
FIELD_OF_VIEW = 60.0


def _save(model, folder: Path, preprocessor: dict | None) -> Path:
    import json

    model.save_pretrained(folder)
    if preprocessor is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor), encoding="utf-8")
    return folder


def _silence(layer, bias: float) -> None:
    """Weights of zero and one bias: the layer says `bias` whatever it hears."""
    import torch

    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.fill_(bias)


def _dinov2(image: int, patch: int, width: int = 16, **extra):
    from transformers import Dinov2Config

    return Dinov2Config(
        hidden_size=width,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=image,
        patch_size=patch,
        initializer_range=0.2,
        **extra,
    )


def save_depth_anything(folder, constant=False, **extra):
    return save_tiny_depth_anything(folder, **extra)


def save_depth_pro(folder, constant=False, preprocessor=None, fov=FIELD_OF_VIEW, use_fov_model=True):
    """Patches of 16 px on three scales, so that photos are seen at 64 x 64."""
    import torch
    from transformers import DepthProConfig, DepthProForDepthEstimation

    torch.manual_seed(0)
    parts = {f"{name}_model_config": _dinov2(16, 4).to_dict() for name in ("image", "patch", "fov")}
    config = DepthProConfig(
        fusion_hidden_size=16,
        patch_size=16,
        intermediate_hook_ids=[3, 1],
        intermediate_feature_dims=[8, 8],
        scaled_images_ratios=[0.25, 0.5, 1.0],
        scaled_images_overlap_ratios=[0.0, 0.5, 0.25],
        scaled_images_feature_dims=[16, 16, 8],
        merge_padding_value=1,
        use_fov_model=use_fov_model,
        num_fov_head_layers=1,
        initializer_range=0.2,
        **parts,
    )
    model = DepthProForDepthEstimation(config)
    if use_fov_model:
        _silence(model.fov_model.head.layers[-1], fov)
    if constant:
        _silence(model.head.layers[-2], INVERSE)
    return _save(model, Path(folder), preprocessor)


def save_zoedepth(folder, constant=False, preprocessor=None, domains=1):
    """BEiT of 16 px patches; constant: all bins lie within a hair of `METRES` (of each domain: 2.5 and 25)."""
    import torch
    from transformers import BeitConfig, ZoeDepthConfig, ZoeDepthForDepthEstimation

    torch.manual_seed(0)
    backbone = BeitConfig(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=32,
        patch_size=16,
        use_relative_position_bias=True,
        reshape_hidden_states=False,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    ranges = [(METRES, METRES + 1e-4), (10 * METRES, 10 * METRES + 1e-3)] if constant else [(0.1, 10.0), (0.1, 80.0)]
    bins = [
        {"name": name, "n_bins": 16, "min_depth": low, "max_depth": high}
        for name, (low, high) in zip(("nyu", "kitti"), ranges)
    ]
    several = {
        "num_patch_transformer_layers": 4,  # as many as the class runs, whatever its config says
        "patch_transformer_hidden_size": 128,
        "patch_transformer_intermediate_size": 32,
        "patch_transformer_num_attention_heads": 4,
    }
    config = ZoeDepthConfig(
        backbone_config=backbone.to_dict(),
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16,
        bottleneck_features=16,
        bin_embedding_dim=16,
        num_attractors=[16, 8, 4, 1] if domains == 1 else [16, 16, 16, 16],
        bin_centers_type="normed",
        bin_configurations=bins[:domains],
        initializer_range=0.2,
        **(several if domains > 1 else {}),
    )
    return _save(ZoeDepthForDepthEstimation(config), Path(folder), preprocessor)


def save_dpt(folder, constant=False, preprocessor=None, dinov2=False):
    """A plain vision transformer of 8 px patches at 32 x 32, or a DINOv2 backbone."""
    import torch
    from transformers import DPTConfig, DPTForDepthEstimation

    torch.manual_seed(0)
    backbone = _dinov2(32, 8, 32, out_indices=[1, 2, 3, 4], reshape_hidden_states=False).to_dict() if dinov2 else None
    config = DPTConfig(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=32,
        patch_size=8,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=8,
        initializer_range=0.2,
        backbone_config=backbone,
    )
    model = DPTForDepthEstimation(config)
    with torch.no_grad():
        model.head.head[-2].bias.fill_(1.0)  # a random head may say nothing but zero after its last ReLU
    if constant:
        _silence(model.head.head[-2], INVERSE)
    return _save(model, Path(folder), preprocessor or {"size": {"height": 32, "width": 32}})


def save_glpn(folder, constant=False, preprocessor=None):
    """At most 10 m; constant: the sigmoid of the last bias is METRES / 10."""
    import torch
    from transformers import GLPNConfig, GLPNForDepthEstimation

    torch.manual_seed(0)
    config = GLPNConfig(
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 8, 16, 16],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=8,
        max_depth=10,
        initializer_range=0.2,
    )
    model = GLPNForDepthEstimation(config)
    if constant:
        share = METRES / config.max_depth
        _silence(model.head.head[-1], math.log(share / (1 - share)))
    return _save(model, Path(folder), preprocessor)


def save_tipsv2(folder, constant=False, preprocessor=None):
    """Patches of 14 px at 56 x 56; constant: all the weight on the bin of `METRES`."""
    import torch
    from transformers import Tipsv2DptConfig, Tipsv2DptForDepthEstimation
    from transformers.models.tipsv2.configuration_tipsv2 import Tipsv2VisionConfig

    torch.manual_seed(0)
    backbone = Tipsv2VisionConfig(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=56,
        patch_size=14,
        out_indices=[1, 2, 3, 4],
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    config = Tipsv2DptConfig(
        backbone_config=backbone.to_dict(),
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=8,
        num_depth_bins=5,
        min_depth=0.5,
        max_depth=4.5,  # bins at .5 1.5 2.5 3.5 4.5
    )
    model = Tipsv2DptForDepthEstimation(config)
    if constant:
        _silence(model.decoder.head, 0.0)
        with torch.no_grad():
            model.decoder.head.bias[2] = 1e6
    return _save(model, Path(folder), preprocessor or {"size": {"height": 56, "width": 56}})


SAVE = {
    "depth-anything": save_depth_anything,
    "depth-pro": save_depth_pro,
    "zoedepth": save_zoedepth,
    "dpt": save_dpt,
    "glpn": save_glpn,
    "tipsv2": save_tipsv2,
}

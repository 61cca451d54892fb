"""Detectors and segmenters of a few thousand random parameters, saved to disk as any checkpoint.

Boxes of the detectors are known, because their box heads say "no change": Grounding DINO's are the proposals that it
begins with (the middle of a cell of a feature map, 0.05 wide and high at the finest map and twice that at each coarser
one), OWLv2's are one for each patch, as its own bias puts them.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

WORDS = ("chair", "table", "lamp", "dining", "red", "box", "person", "ball")


def save_tiny_grounding_dino(folder: Path, kind: str = "grounding-dino", seed: int = 0) -> Path:
    from transformers import (
        AutoConfig,
        AutoModelForZeroShotObjectDetection,
        BertConfig,
        BertTokenizer,
        GroundingDinoProcessor,
        SwinConfig,
    )  # fmt: skip
    from transformers.models.grounding_dino.image_processing_pil_grounding_dino import GroundingDinoImageProcessorPil

    torch.manual_seed(seed)
    text = BertConfig(vocab_size=1100, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    backbone = SwinConfig(image_size=64, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=4,
                          out_indices=[2, 3, 4])  # fmt: skip
    config = AutoConfig.for_model(
        kind, text_config=text, backbone_config=backbone, d_model=32, encoder_layers=1, decoder_layers=2,
        encoder_ffn_dim=32, decoder_ffn_dim=32, encoder_attention_heads=4, decoder_attention_heads=4,
        num_queries=12, two_stage=True, max_text_len=24, num_feature_levels=4,
    )  # fmt: skip
    model = AutoModelForZeroShotObjectDetection.from_config(config)
    with torch.no_grad():
        for head in (*model.bbox_embed, *model.model.decoder.bbox_embed, model.model.encoder_output_bbox_embed):
            head.layers[-1].weight.zero_()
            head.layers[-1].bias.zero_()
        for name, parameter in model.named_parameters():
            if "text" in name and parameter.ndim > 1:
                parameter.mul_(3)
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = [f"[unused{i}]" for i in range(1100)]
    # The network knows its separators by these very numbers.
    for place, piece in {
        0: "[PAD]",
        100: "[UNK]",
        101: "[CLS]",
        102: "[SEP]",
        103: "[MASK]",
        1012: ".",
        1029: "?",
    }.items():
        vocabulary[place] = piece
    for place, word in enumerate(WORDS):
        vocabulary[1040 + place] = word
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    processor = GroundingDinoImageProcessorPil(size={"shortest_edge": 96, "longest_edge": 160})
    GroundingDinoProcessor(processor, BertTokenizer(str(folder / "vocab.txt"))).save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


def save_tiny_owlv2(folder: Path, seed: int = 0) -> Path:
    """An eight by eight grid of patches of 8 pixels."""
    from transformers import CLIPTokenizer, Owlv2Config, Owlv2ForObjectDetection, Owlv2Processor
    from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil

    torch.manual_seed(seed)
    small = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
    config = Owlv2Config(
        text_config=dict(small, vocab_size=600, max_position_embeddings=16, bos_token_id=512, eos_token_id=513),
        vision_config=dict(small, image_size=64, patch_size=8),
        projection_dim=16,
        initializer_factor=3.0,
    )
    model = Owlv2ForObjectDetection(config)
    with torch.no_grad():
        model.box_head.dense2.weight.zero_()
        model.box_head.dense2.bias.zero_()
    folder.mkdir(parents=True, exist_ok=True)
    letters = "abcdefghijklmnopqrstuvwxyz"
    pieces = [*letters, *(letter + "</w>" for letter in letters)]
    pieces += [f"[unused{i}]" for i in range(512 - len(pieces))] + ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=16)
    processor = Owlv2ImageProcessorPil(size={"height": 64, "width": 64})
    Owlv2Processor(processor, tokenizer).save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


def save_tiny_sam(folder: Path, seed: int = 0) -> Path:
    from transformers import SamConfig, SamModel, SamProcessor
    from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

    torch.manual_seed(seed)
    config = SamConfig(
        vision_config=dict(hidden_size=16, output_channels=16, num_hidden_layers=1, num_attention_heads=2,
                           image_size=64, patch_size=8, mlp_dim=16, window_size=4, global_attn_indexes=[0],
                           num_pos_feats=8),
        prompt_encoder_config=dict(hidden_size=16, image_size=64, patch_size=8, mask_input_channels=4,
                                   image_embedding_size=8),
        mask_decoder_config=dict(hidden_size=16, mlp_dim=16, num_attention_heads=2, iou_head_hidden_dim=16),
    )  # fmt: skip
    SamModel(config).save_pretrained(folder)
    processor = SamImageProcessorPil(
        size={"longest_edge": 64}, pad_size={"height": 64, "width": 64}, mask_size={"longest_edge": 32},
        mask_pad_size={"height": 32, "width": 32},
    )  # fmt: skip
    SamProcessor(processor).save_pretrained(folder)
    return folder


def save_tiny_sam2(folder: Path, seed: int = 0) -> Path:
    from transformers import Sam2Config, Sam2HieraDetConfig, Sam2Model, Sam2VisionConfig

    torch.manual_seed(seed)
    backbone = Sam2HieraDetConfig(
        hidden_size=8, image_size=[64, 64], blocks_per_stage=[1, 1, 2, 1], embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 2, 2], window_size_per_stage=[4, 2, 2, 2], global_attention_blocks=[3],
        window_positional_embedding_background_size=[2, 2],
    )  # fmt: skip
    vision = Sam2VisionConfig(
        backbone_config=backbone, backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]], fpn_hidden_size=16,
    )  # fmt: skip
    config = Sam2Config(
        vision_config=vision,
        prompt_encoder_config=dict(hidden_size=16, image_size=64, patch_size=16, mask_input_channels=4),
        mask_decoder_config=dict(hidden_size=16, mlp_dim=16, num_attention_heads=2, iou_head_hidden_dim=16),
    )
    Sam2Model(config).save_pretrained(folder)
    values = {"size": {"height": 64, "width": 64}, "image_mean": [0.485, 0.456, 0.406],
              "image_std": [0.229, 0.224, 0.225], "image_processor_type": "Sam2ImageProcessorFast"}  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(values))
    return folder

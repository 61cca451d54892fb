"""Qwen2-VL: every block of the tower sees the whole photo."""

from __future__ import annotations

from pseudogd.student.families._qwen import QwenAdapter


class Qwen2VLAdapter(QwenAdapter):
    """`Qwen2VLForConditionalGeneration`."""

    model_types = ("qwen2_vl",)
    lora_pattern = r".*visual\.blocks\.\d+\.(attn\.(qkv|proj)|mlp\.fc[12])"

    @property
    def tower_width(self) -> int:
        return int(self.config.vision_config.embed_dim)  # its hidden_size is the width of what leaves the projector

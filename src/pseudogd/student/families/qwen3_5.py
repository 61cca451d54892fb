"""Qwen3.5: the tower of Qwen3-VL without DeepStack, and a language model that mixes two kinds of attention."""

from __future__ import annotations

from pseudogd.student.families._qwen import QwenAdapter


class Qwen35Adapter(QwenAdapter):
    """`Qwen3_5ForConditionalGeneration`, whose processor is Qwen3-VL's.

    Three of four layers of its language model keep a running state (gated delta rule) instead of keys and values.
    """

    model_types = ("qwen3_5",)
    lora_pattern = r".*visual\.blocks\.\d+\.(attn\.(qkv|proj)|mlp\.linear_fc[12])"

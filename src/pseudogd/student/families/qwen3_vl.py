"""Qwen3-VL: the language model reads the tower in several places (DeepStack)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pseudogd.student.families._qwen import QwenAdapter

if TYPE_CHECKING:
    from torch import nn

_DEEP_TAPS = 3


class Qwen3VLAdapter(QwenAdapter):
    """`Qwen3VLForConditionalGeneration`.

    Beside the last block's states, those after the blocks `deepstack_visual_indexes` go through projectors of their
    own and are added to what comes out of the language model's first layers.
    """

    model_types = ("qwen3_vl",)
    lora_pattern = r".*visual\.blocks\.\d+\.(attn\.(qkv|proj)|mlp\.linear_fc[12])"

    @property
    def deep_states(self) -> list[int]:
        """Hidden states that the language model reads by DeepStack; that of block i is number i + 1."""
        return sorted(index + 1 for index in self.config.vision_config.deepstack_visual_indexes)

    def default_taps(self) -> list[int]:
        """The states of DeepStack (three of them at most, evenly chosen) and the last."""
        deep = self.deep_states
        if not deep:
            return super().default_taps()
        chosen = np.rint(np.linspace(0, len(deep) - 1, min(_DEEP_TAPS, len(deep)))).astype(int)
        return sorted({*(deep[i] for i in chosen), self.last_read})

    def projector(self, model: nn.Module) -> nn.Module:
        from torch import nn

        tower = self.tower(model)
        return nn.ModuleList([tower.merger, tower.deepstack_merger_list])

    def unused_parameters(self, model: nn.Module) -> list[str]:
        """Projectors of DeepStack for which the language model has too few layers."""
        listed = list(self.config.vision_config.deepstack_visual_indexes)
        read = [listed.index(state - 1) for state in self.deep_states[: self.text_depth]]
        silent = tuple(f"deepstack_merger_list.{i}." for i in range(len(listed)) if i not in read)
        return [name for name, _ in model.named_parameters() if any(part in name for part in silent)]

"""Qwen2.5-VL: a tower that attends in windows, whose output is sorted by window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pseudogd.student.families._qwen import QwenAdapter


class Qwen25VLAdapter(QwenAdapter):
    """`Qwen2_5_VLForConditionalGeneration`.

    The tower puts the blocks of one window beside each other, and its hidden states stay in that order; the projector
    puts its tokens back into rows.
    """

    model_types = ("qwen2_5_vl",)
    lora_pattern = r".*visual\.blocks\.\d+\.(attn\.(qkv|proj)|mlp\.(gate_proj|up_proj|down_proj))"

    def _block_order(self, rows: int, columns: int) -> NDArray[np.int64]:
        side = self.config.vision_config.window_size // self.merge // self.patch
        row, column = np.divmod(np.arange(rows * columns), columns)
        return np.lexsort((column, row, column // side, row // side))

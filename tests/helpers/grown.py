"""A tiny checkpoint made larger: the same family, processor and words, with other sizes and random weights.

folder = grown(FAMILIES["llava"].save(tmp_path), vision={"hidden_size": 256}, text={"hidden_size": 512})
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def grown(folder: Path, vision: Mapping[str, Any], text: Mapping[str, Any], seed: int = 0) -> Path:
    """Write the checkpoint in `folder` anew with other sizes; `vision` and `text` are keys of its two configs."""
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText, GenerationConfig

    values = json.loads((folder / "config.json").read_text())
    values["vision_config"] |= vision
    for name in ("layer_types", "head_dim"):  # those of the tiny checkpoint, which follow from its other sizes
        values["text_config"].pop(name, None)
    values["text_config"] |= text
    (folder / "config.json").write_text(json.dumps(values))
    torch.manual_seed(seed)
    model = AutoModelForImageTextToText.from_config(AutoConfig.from_pretrained(folder))
    model.generation_config = GenerationConfig.from_pretrained(folder)
    model.save_pretrained(folder)
    return folder

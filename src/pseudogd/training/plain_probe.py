"""Logits of an exported checkpoint, by transformers alone. Run as a script this never imports the rest of the package.

python -I plain_probe.py PROCESSORS.py DEVICE THREADS CHECKPOINT OUT.safetensors [CHECKPOINT OUT.safetensors]...

PROCESSORS.py is `student/processors.py`, which knows transformers alone: several families' processors cannot be loaded
by the library itself where torchvision is not installed.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import AutoModelForImageTextToText

QUESTIONS = ("Which is nearer?\nA. the red chair\nB. the table", "How far is the sofa from the camera?")
SIZES = ((160, 120), (96, 144))


def pictures() -> list[Image.Image]:
    """Two pictures of smooth colours, the same on every machine."""
    made = []
    for width, height in SIZES:
        y, x = np.mgrid[0:height, 0:width]
        made.append(Image.fromarray(np.stack([x, y, (x * y) // 64], axis=-1).astype(np.uint8)))
    return made


def load(folder: str, processors: Any) -> tuple[Any, Any]:
    """Model and processor (Pillow's image processor, whatever else is installed) as plain transformers gives them.

    Raises:
        SystemExit: the checkpoint lacks weights of the model, or has others.
    """
    processor = processors.load(folder)
    model, found = AutoModelForImageTextToText.from_pretrained(folder, use_safetensors=True, output_loading_info=True)
    for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if names := sorted(map(str, found.get(what) or ())):
            raise SystemExit(f"the checkpoint has {what.replace('_', ' ')}: {', '.join(names[:3])}")
    return model, processor


@torch.no_grad()
def logits(model: Any, processor: Any) -> dict[str, torch.Tensor]:
    """Logits of the model for every picture and question, from pixels and words on."""
    was_training = model.training
    model.eval()
    found = {}
    for number, (picture, question) in enumerate(zip(pictures(), QUESTIONS)):
        content = [{"type": "image"}, {"type": "text", "text": question}]
        text = processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        start = processor.tokenizer.bos_token
        special = not (start and text.startswith(start))
        inputs = processor(images=[[picture]], text=[text], add_special_tokens=special, return_tensors="pt")
        device = next(model.parameters()).device
        found[str(number)] = model(**inputs.to(device)).logits.float().cpu().contiguous()
    model.train(was_training)
    return found


def main(processors: str, device: str, threads: str, *folders_and_outs: str) -> None:
    torch.set_num_threads(int(threads))
    found = importlib.util.spec_from_file_location("processors", processors)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    for folder, out in zip(folders_and_outs[::2], folders_and_outs[1::2]):
        model, processor = load(folder, module)
        save_file(logits(model.to(device), processor), out)
    if any(name.partition(".")[0] == "pseudogd" for name in sys.modules):
        raise SystemExit("this process was to know transformers alone, but pseudogd was imported")


if __name__ == "__main__":
    main(*sys.argv[1:])

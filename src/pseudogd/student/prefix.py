"""Read a photo once for all questions about it: the keys and values of what their prompts share are computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from pseudogd.student.families.base import Encoded
from pseudogd.student.load import Student


def can_share(student: Student) -> bool:
    """Whether the language model keeps an ordinary cache of everything that it has read, token after token."""
    if not student.family.shares_prefix:
        return False
    text = student.model.config.get_text_config()
    kinds = set(getattr(text, "layer_types", None) or ["full_attention"])
    return kinds == {"full_attention"} and getattr(text, "sliding_window", None) is None


def shared_length(ids: Tensor, mask: Tensor, image_token: int) -> int:
    """Number of leading tokens that all prompts have in common, or 0 if a photo's token lies after them.

    ids, mask: (B, T), padded on the left. At least one token of every prompt is left to be read on its own.
    """
    rows = [row[keep.bool()] for row, keep in zip(ids, mask)]
    shortest = min(len(row) for row in rows) - 1
    same = torch.stack([row[:shortest] == rows[0][:shortest] for row in rows]).all(0)
    length = shortest if bool(same.all()) else int(same.int().argmin())
    outside = any(bool((row[length:] == image_token).any()) for row in rows)
    return 0 if outside else length


def with_shared_prefix(
    student: Student, inputs: Mapping[str, Any], encoded: Encoded, rows: Sequence[int], length: int
) -> dict[str, Any]:
    """Arguments for `generate` in which the first `length` tokens of every prompt have been read already.

    Args:
        student: model, processor and family.
        inputs: what the processor returned, padded on the left.
        encoded: the distinct photos.
        rows: which entry of `encoded` each prompt is about.
        length: of the prefix that all prompts share but for their photos.
    """
    prompts = [ids[keep.bool()] for ids, keep in zip(inputs["input_ids"], inputs["attention_mask"])]
    prefix = prompts[0][:length].expand(max(rows) + 1, -1)
    text = {"input_ids": prefix, "attention_mask": torch.ones_like(prefix)}
    read = student.model(**student.family.language_inputs(text, encoded), use_cache=True, logits_to_keep=1)
    read.past_key_values.batch_select_indices(torch.tensor(rows, device=prefix.device))
    # the padding moves from before the prompt to between prefix and question, where the mask hides it just as well
    width = max(len(p) for p in prompts)
    ids = prefix.new_full((len(prompts), width), student.processor.tokenizer.pad_token_id)
    mask = torch.zeros_like(ids)
    for i, prompt in enumerate(prompts):
        for part in (slice(0, length), slice(width - len(prompt) + length, width)):
            mask[i, part] = 1
        ids[i, mask[i].bool()] = prompt
    return {"input_ids": ids, "attention_mask": mask, "past_key_values": read.past_key_values}

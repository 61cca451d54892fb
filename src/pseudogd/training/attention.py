"""Attention by two batched matrix products: on a CPU in bfloat16, twice to three times as fast as the fused kernel.

The fused kernel of torch saves memory, which matters on long rows; short rows under a mask, as training has them, spend
most of their time in it. Long rows are handed on to it here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

NAME = "pseudogd_products"
LONGEST = 1024
"""Rows of more tokens would need too much memory for their (L, L) weights."""


def products_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """softmax(q k' * scaling + mask) v, (B, L, H, D), from q (B, H, L, D), k and v (B, H or fewer, M, D).

    `attention_mask`: (B, 1, L, M), additive. Without one only attention that sees everything is done here. The second
    result is the weights (B, H, L, M), None where the fused kernel was asked instead.
    """
    causal = attention_mask is None and getattr(module, "is_causal", False)
    if causal or key.shape[2] > LONGEST or (attention_mask is not None and attention_mask.dtype == torch.bool):
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
    batch, heads, length, width = query.shape
    groups = heads // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    scale = width**-0.5 if scaling is None else scaling
    q, k, v = query.flatten(0, 1), key.flatten(0, 1).transpose(1, 2), value.flatten(0, 1)
    if attention_mask is None:
        scores = torch.bmm(q * scale, k)
    else:
        mask = attention_mask.expand(batch, heads, length, key.shape[2]).flatten(0, 1)
        scores = torch.baddbmm(mask, q, k, alpha=scale)
    weights = nn.functional.dropout(scores.softmax(-1), p=dropout, training=module.training)
    out = torch.bmm(weights, v).unflatten(0, (batch, heads)).transpose(1, 2).contiguous()
    return out, weights.unflatten(0, (batch, heads))


AttentionInterface.register(NAME, products_attention)


@contextmanager
def attention_for(model: Any, wanted: bool) -> Iterator[None]:
    """With `wanted`, the model attends by products inside the context, and as before after it."""
    parts = {name: getattr(model.config, name) for name in model.config.sub_configs} if wanted else {}
    before = {name: part._attn_implementation for name, part in parts.items()}
    fused = [name for name, implementation in before.items() if implementation == "sdpa"]
    if fused:
        model.set_attn_implementation({name: NAME for name in fused})
    try:
        yield
    finally:
        if fused:
            model.set_attn_implementation({name: before[name] for name in fused})

"""Attention by products is attention, forward and backward, and leaves no trace on the model."""

import json

import pytest
import torch

from pseudogd.student.load import load_student
from pseudogd.training import attention
from pseudogd.training.attention import NAME, attention_for, products_attention
from pseudogd.training.collator import turn_mask


@pytest.mark.parametrize("kv_heads", [4, 2])
@pytest.mark.parametrize("masked", [True, False])
def test_products_are_the_fused_attention(kv_heads, masked):
    torch.manual_seed(0)
    q = torch.randn(2, 4, 7, 8, requires_grad=True)
    k, v = (torch.randn(2, kv_heads, 7, 8, requires_grad=True) for _ in range(2))
    mask = turn_mask(torch.tensor([[0, 0, 1, 1, 2, 2, -1], [0, 1, 1, 1, 2, -1, -1]]), torch.float32) if masked else None
    ours, weights = products_attention(torch.nn.Module(), q, k, v, mask, scaling=0.3)
    wide = [x.repeat_interleave(4 // kv_heads, dim=1) for x in (k, v)]
    assert torch.allclose((weights @ wide[1]).transpose(1, 2), ours, atol=1e-5)
    theirs = torch.nn.functional.scaled_dot_product_attention(q, *wide, attn_mask=mask, scale=0.3).transpose(1, 2)
    assert torch.allclose(ours, theirs, atol=1e-5)
    weight = torch.randn_like(ours)
    for a, b in zip(*(torch.autograd.grad((x * weight).sum(), (q, k, v)) for x in (ours, theirs))):
        assert torch.allclose(a, b, atol=1e-5)


def test_causal_and_long_attention_is_left_to_the_fused_kernel(monkeypatch):
    causal = torch.nn.Module()
    causal.is_causal, causal.num_key_value_groups = True, 1
    q, k, v = torch.randn(3, 1, 2, 5, 4).unbind(0)
    whole = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)
    assert torch.allclose(products_attention(causal, q, k, v, None)[0], whole, atol=1e-6)
    monkeypatch.setattr(attention, "LONGEST", 4)
    mask = torch.zeros(1, 1, 5, 5).masked_fill(~torch.ones(5, 5, dtype=torch.bool).tril(), float("-inf"))
    assert torch.allclose(products_attention(causal, q, k, v, mask)[0], whole, atol=1e-6)


def test_the_model_is_as_before_afterwards_and_its_config_never_says(student_path, tmp_path):
    model = load_student(student_path).model
    before = model.config.text_config._attn_implementation
    with pytest.raises(KeyError), attention_for(model, True):
        assert model.config.text_config._attn_implementation == model.config.vision_config._attn_implementation == NAME
        model.save_pretrained(tmp_path)
        raise KeyError
    assert model.config.text_config._attn_implementation == model.config.vision_config._attn_implementation == before
    assert NAME not in json.dumps(json.loads((tmp_path / "config.json").read_text()))
    with attention_for(model, False):
        assert model.config.text_config._attn_implementation == before

"""What is read off single layers: widths, and what each of them leaves for the backward pass."""

import torch
from torch import nn
from transformers.activations import QuickGELUActivation

from pseudogd.training.doctor.layers import blocks_of, count, layers_of, nbytes


class Attention(nn.Module):
    def __init__(self, width, narrow):
        super().__init__()
        self.q_proj, self.k_proj = nn.Linear(width, width), nn.Linear(width, narrow)
        self.v_proj, self.o_proj = nn.Linear(width, narrow), nn.Linear(width, width)


class Gated(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.gate_proj, self.up_proj = nn.Linear(width, inner), nn.Linear(width, inner)
        self.down_proj = nn.Linear(inner, width)


class Plain(nn.Module):
    def __init__(self, width, inner, activation):
        super().__init__()
        self.activation, self.fc1, self.fc2 = activation, nn.Linear(width, inner), nn.Linear(inner, width)


class Adapted(nn.Module):
    """A linear layer with an adapter, named as `peft` names them."""

    def __init__(self, base, r):
        super().__init__()
        self.base_layer = base.requires_grad_(False)
        self.lora_A = nn.ModuleDict({"default": nn.Linear(base.in_features, r, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(r, base.out_features, bias=False)})


def test_layers_have_the_widths_of_their_weights():
    module = nn.Sequential(nn.Embedding(9, 4), nn.Conv2d(3, 8, 5), nn.Linear(4, 6), nn.LayerNorm(6), nn.RMSNorm(6))
    conv, linear, norm, written = layers_of(module)
    assert (conv.reads, conv.gives, conv.size) == (3 * 5 * 5, 8, 600)
    assert (linear.reads, linear.gives, linear.size, linear.norm) == (4, 6, 24, False)
    assert norm.norm and not norm.written_out and written.written_out and written.reads == 6


def test_what_is_frozen_or_of_half_width_is_known_as_such():
    module = nn.Sequential(nn.Linear(4, 4).requires_grad_(False), nn.Linear(4, 4).to(torch.bfloat16))
    frozen, half = layers_of(module)
    assert (frozen.trained, frozen.full) == (False, True) and (half.trained, half.full) == (True, False)


def test_queries_keys_and_values_read_the_same_numbers_and_the_last_layer_others():
    q, k, v, out = layers_of(Attention(8, 4))
    assert [layer.shares for layer in (q, k, v, out)] == [False, True, True, False]
    assert [layer.summed for layer in (q, k, v, out)] == [False, False, False, True]


def test_frozen_layers_keep_nothing_that_others_could_share():
    module = Attention(8, 4)
    module.q_proj.requires_grad_(False)
    assert [layer.shares for layer in layers_of(module)] == [False, False, True, False]


def test_a_gate_leaves_its_activation_beside_what_is_multiplied():
    gate, up, down = layers_of(Gated(8, 20))
    assert (gate.between, up.between, down.between) == (20, 0, 0) and up.shares and down.summed
    assert [layer.between for layer in layers_of(Plain(8, 20, nn.GELU()))] == [0, 0]
    assert [layer.between for layer in layers_of(Plain(8, 20, QuickGELUActivation()))] == [20, 0]


def test_adapters_belong_where_their_layer_does():
    module = Gated(8, 20)
    for name in ("gate_proj", "down_proj"):
        setattr(module, name, Adapted(getattr(module, name), 2))
    gate, gate_a, gate_b, up, down, down_a, down_b = layers_of(module)
    assert [layer.added for layer in (gate_a, gate_b, down_a, down_b)] == [False, True, False, True]
    assert gate.between == 20 and not (gate_a.between or gate_b.between)
    assert down.summed and not (down_a.summed or down_b.summed)
    assert up.shares  # what the adapter of its neighbour keeps already
    assert (gate_a.reads, gate_a.gives, gate_b.reads, gate_b.gives) == (8, 2, 2, 20)


def test_one_part_can_be_left_out_of_another():
    module = nn.ModuleDict({"blocks": nn.Sequential(nn.Linear(4, 4)), "merger": nn.Sequential(nn.Linear(4, 2))})
    assert [layer.gives for layer in layers_of(module, without=module["merger"])] == [4]


def test_blocks_are_the_list_that_holds_most():
    few = nn.ModuleList([nn.Linear(2, 2) for _ in range(5)])
    heavy = nn.ModuleList([nn.Linear(9, 9) for _ in range(2)])
    assert blocks_of(nn.ModuleDict({"few": few, "heavy": heavy})) == list(heavy)


def test_numbers_and_bytes():
    parameters = [nn.Parameter(torch.zeros(3, 4)), nn.Parameter(torch.zeros(5, dtype=torch.bfloat16))]
    assert (count(parameters), nbytes(parameters)) == (17, 48 + 10)

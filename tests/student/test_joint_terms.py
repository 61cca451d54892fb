"""Terms beside the two losses: what holds the encoder where it was, and one of a subclass's own."""

import pytest
import torch
from helpers.joint_batch import gradients, make_batch
from peft import LoraConfig, get_peft_model

from pseudogd.distill.kinds import JointWeights
from pseudogd.student.head import GeometryHead
from pseudogd.student.joint import Joint
from pseudogd.student.load import load_student
from pseudogd.student.taps import resolve_taps


def test_the_anchor_starts_at_zero_and_pulls_back(clip):
    inputs, _ = make_batch(clip)
    joint = Joint(clip.model, clip.family, anchor="frozen", weights=JointWeights(anchor=0.5))
    start = joint(inputs)
    assert start.anchor_loss.item() == pytest.approx(0, abs=1e-6)
    assert start.parts["anchor_cos"].item() == pytest.approx(1, abs=1e-6)
    with torch.no_grad():
        for p in clip.family.tower(clip.model).encoder.parameters():
            p.add_(0.05 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
    moved = joint(inputs)
    assert moved.anchor_loss > 1e-3
    assert moved.loss.item() == pytest.approx((moved.lm_loss + 0.5 * moved.anchor_loss).item(), rel=1e-6)
    moved.anchor_loss.backward()
    assert any((g != 0).any() for n, g in gradients(joint).items() if "vision_tower" in n)


def test_the_gram_term_starts_at_zero_and_holds_tokens_together(clip):
    inputs, _ = make_batch(clip)
    joint = Joint(clip.model, clip.family, anchor="frozen", weights=JointWeights(anchor=0.0, gram=0.5))
    start = joint(inputs)
    assert start.anchor_loss is None and start.gram_loss.item() == pytest.approx(0, abs=1e-6)
    with torch.no_grad():
        for p in clip.family.tower(clip.model).encoder.parameters():
            p.add_(0.05 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
    moved = joint(inputs)
    assert moved.gram_loss > 1e-3
    assert moved.loss.item() == pytest.approx((moved.lm_loss + 0.5 * moved.gram_loss).item(), rel=1e-6)
    moved.gram_loss.backward()
    assert any((g != 0).any() for n, g in gradients(joint).items() if "vision_tower" in n)


class WithFeatures(Joint):
    """The example of docs/how-it-works.md, with a term that is simple enough to be known."""

    def teacher_term(self, tapped, geometry, items):
        cells = torch.cat([tapped[-1][group.tokens.flatten()] for group in geometry.groups])
        return cells.float().square().mean()


def test_a_subclass_may_add_a_term_on_the_teacher_s_features(clip):
    inputs, geo = make_batch(clip)
    taps = resolve_taps(None, clip.family)
    head = GeometryHead.for_family(clip.family, taps, 16)
    plain, joint = (kind(clip.model, clip.family, head, taps=taps) for kind in (Joint, WithFeatures))
    without, out = (one(inputs, geo, lam=0.5, seed=0) for one in (plain, joint))
    assert without.teacher_loss is None and out.teacher_loss > 0
    assert out.loss.item() == pytest.approx((without.loss + 0.5 * out.teacher_loss).item(), rel=1e-6)
    out.teacher_loss.backward()
    reached = [n for n, g in gradients(joint).items() if (g != 0).any()]
    assert reached and all("vision_tower" in n for n in reached)


def test_the_frozen_copy_is_neither_saved_nor_trained_nor_a_second_language_model(clip):
    joint = Joint(clip.model, clip.family, anchor="frozen")
    assert [n for n, _ in joint.named_parameters()] == [f"model.{n}" for n, _ in clip.model.named_parameters()]
    assert list(joint.state_dict()) == [f"model.{n}" for n in clip.model.state_dict()]
    (frozen,) = joint._frozen
    words = {id(p) for part in (clip.model.get_decoder(), clip.model.lm_head) for p in part.parameters()}
    assert words and not any(id(p) in words for p in frozen.parameters())
    read = [*clip.family.tower(clip.model).parameters(), *clip.family.projector(clip.model).parameters()]
    assert sum(p.numel() for p in frozen.parameters()) == sum(p.numel() for p in read)
    assert clip.model.lm_head.weight.requires_grad
    own = next(clip.family.tower(frozen).parameters())
    assert own is not next(clip.family.tower(clip.model).parameters()) and not own.requires_grad


def test_the_anchor_may_be_the_model_without_its_adapters(clip):
    inputs, geo = make_batch(clip)
    model = get_peft_model(
        clip.model, LoraConfig(r=2, target_modules=clip.family.lora_pattern, init_lora_weights=False)
    )
    frozen_way = Joint(load_student(clip.model.name_or_path).model, clip.family, anchor="frozen")
    taps = resolve_taps(None, clip.family)
    head = GeometryHead.for_family(clip.family, taps, 16)
    out = Joint(model, clip.family, head, taps=taps, anchor="adapters")(inputs, geo)
    with torch.no_grad():
        base = frozen_way.family.encode(frozen_way.model, inputs, hidden_states=False).tokens
        now = clip.family.encode(model, inputs, hidden_states=False).tokens
    want = (1 - torch.cosine_similarity(now, base, dim=-1)).mean()
    assert want > 1e-4 and torch.allclose(out.anchor_loss, want, atol=1e-6)
    out.loss.backward()
    assert all(p.grad is not None for n, p in model.named_parameters() if "lora" in n and "layers.3" not in n)

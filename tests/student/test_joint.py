"""One forward pass and one graph: both losses, what each of them reaches, and where it is read."""

import pytest
import torch
from helpers.joint_batch import SIZE, geometry, gradients, make_batch, with_head

from pseudogd.distill.balance import GradientBalance
from pseudogd.distill.kinds import JointWeights
from pseudogd.distill.targets import cell_targets
from pseudogd.errors import InputError
from pseudogd.student.batch import GeometryBatch, PhotoTargets
from pseudogd.student.head import GeometryHead
from pseudogd.student.joint import Joint
from pseudogd.student.taps import Taps, resolve_taps


def count_tower_runs(student):
    runs = []
    student.family.tower(student.model).encoder.layers[0].register_forward_hook(lambda *_: runs.append(1))
    return runs


@pytest.mark.parametrize("taps", [None, "projector"])
def test_joint_has_the_logits_and_the_loss_of_the_plain_model(student, taps):
    place = "projector" if taps else "encoder"
    inputs, geo = make_batch(student, place=place)
    plain = student.model(**inputs)
    runs = count_tower_runs(student)
    out = with_head(student, taps)(inputs, geo, lam=0.3)
    assert len(runs) == 1
    assert torch.allclose(out.logits, plain.logits, atol=1e-6)
    assert torch.allclose(out.lm_loss, plain.loss, atol=1e-6)
    assert out.geometry_loss > 0
    assert out.loss.item() == pytest.approx((out.lm_loss + 0.3 * out.geometry_loss).item(), rel=1e-6)


@pytest.mark.parametrize("count", [None, 50])
@pytest.mark.parametrize("headed", [True, False])
def test_logits_of_answers_alone_give_the_same_loss_and_gradients(student, headed, count):
    inputs, geo = make_batch(student)
    inputs["labels"][:, ::2] = -100

    def trained(**options):
        joint = with_head(student, **options) if headed else Joint(student.model, student.family, **options)
        joint.zero_grad()
        out = joint(inputs, geo, num_items_in_batch=count)
        out.loss.backward()
        return out, gradients(joint)

    (whole, all_gradients), (part, same) = trained(), trained(answer_logits=True)
    known = inputs["labels"][:, 1:] != -100
    assert torch.allclose(part.logits, whole.logits[:, :-1][known], atol=1e-6)
    assert torch.allclose(part.loss, whole.loss, rtol=1e-5)
    assert same.keys() == all_gradients.keys()
    assert all(torch.allclose(same[n], g, atol=1e-5, rtol=1e-3) for n, g in all_gradients.items())


def test_logits_that_are_more_than_a_linear_map_are_left_to_the_model(student):
    student.model.config.text_config.final_logit_softcapping = 30.0
    inputs, _ = make_batch(student)
    out = Joint(student.model, student.family, answer_logits=True)(inputs)
    assert out.logits.shape[:2] == inputs["input_ids"].shape


def test_language_alone_is_the_plain_forward(student):
    inputs, _ = make_batch(student)
    seen = []
    tower = student.family.tower(student.model)
    tower.register_forward_hook(lambda m, a, k, out: seen.append(out.hidden_states), with_kwargs=True)
    plain = student.model(**inputs)
    out = Joint(student.model, student.family, taps="projector")(inputs)
    assert torch.equal(out.loss, plain.loss) and torch.equal(out.logits, plain.logits)
    by_itself, with_us = (sum(h is not None for h in states) for states in seen)
    assert with_us == by_itself  # no state is kept that the model does not keep (which, is up to transformers' version)
    assert out.geometry_loss is None and out.anchor_loss is None
    assert Joint(student.model, student.family).plain_model() is student.model


def test_geometry_reaches_the_encoder_up_to_its_deepest_tap_and_nothing_of_language(clip):
    inputs, geo = make_batch(clip)
    joint = with_head(clip, [1, 2])
    joint(inputs, geo).geometry_loss.backward()
    reached = {n for n, g in gradients(joint).items() if (g != 0).any()}
    assert any("encoder.layers.0." in n for n in reached) and any("encoder.layers.1." in n for n in reached)
    assert not any(part in n for n in reached for part in ("layers.2.", "language_model", "projector", "lm_head"))
    assert all(any(n.startswith(f"head.{part}.") for n in reached) for part in ("read", "mix", "cell", "view"))


def test_geometry_on_the_projector_trains_the_projector(clip):
    inputs, geo = make_batch(clip, place="projector")
    joint = with_head(clip, "projector")
    joint(inputs, geo).geometry_loss.backward()
    reached = {n for n, g in gradients(joint).items() if (g != 0).any()}
    assert any("multi_modal_projector" in n for n in reached)
    assert not any("language_model" in n for n in reached)


def test_gradient_norms_of_both_losses_in_one_backward_pass(clip):
    inputs, geo = make_batch(clip)
    balance = GradientBalance()
    joint = with_head(clip, [1, 3], balance=balance, weights=JointWeights(order=0.0))
    joint(inputs, geo, lam=0.7).loss.backward()
    seen = balance.read()
    assert set(seen) == {"encoder.1", "encoder.3"}
    plain = with_head(clip, [1, 3], weights=JointWeights(order=0.0))
    states = {}
    for which in ("geometry_loss", "lm_loss"):
        kept = []
        layer = clip.family.tower(clip.model).encoder.layers[2]
        handle = layer.register_forward_hook(lambda m, a, out: kept.append(out if torch.is_tensor(out) else out[0]))  # noqa: B023
        out = plain(inputs, geo)
        handle.remove()
        (states[which],) = torch.autograd.grad(out[which], kept[0])
    assert seen["encoder.3"][0] == pytest.approx(0.7 * states["geometry_loss"].norm().item(), rel=1e-3)
    assert seen["encoder.3"][1] == pytest.approx(states["lm_loss"].norm().item(), rel=1e-3)


def test_activation_checkpointing_changes_no_gradient(clip):
    inputs, geo = make_batch(clip)
    joint = with_head(clip, weights=JointWeights(order=0.0)).train()
    joint(inputs, geo).loss.backward()
    want = gradients(joint)
    joint.zero_grad()
    clip.model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    joint(inputs, geo).loss.backward()
    assert all(torch.allclose(g, want[n], atol=1e-6) for n, g in gradients(joint).items())


def test_geometry_stays_in_float32_under_autocast(clip):
    inputs, geo = make_batch(clip)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = with_head(clip)(inputs, geo)
    assert out.geometry_loss.dtype == torch.float32
    out.loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in clip.model.parameters() if p.grad is not None)


def test_a_joint_student_learns_depth_from_its_encoder(clip):
    inputs, geo = make_batch(clip, n=2)
    taps = resolve_taps(None, clip.family)
    torch.manual_seed(0)
    joint = Joint(clip.model, clip.family, GeometryHead.for_family(clip.family, taps, 32), taps=taps)
    opt = torch.optim.AdamW(joint.parameters(), 3e-3)
    first = joint(inputs, geo)
    for _ in range(60):
        opt.zero_grad()
        out = joint(inputs, geo)
        out.loss.backward()
        opt.step()
    assert out.parts["structure"] < 0.35 * first.parts["structure"]
    assert out.parts["scale"] < 0.1 * first.parts["scale"]
    assert out.lm_loss < first.lm_loss


def test_wrong_settings_are_said(clip):
    head = GeometryHead(32, 2, 16)
    with pytest.raises(InputError, match="reads 2 taps"):
        Joint(clip.model, clip.family, head, taps=[1])
    with pytest.raises(InputError, match="anchor 'glue'"):
        Joint(clip.model, clip.family, anchor="glue")
    with pytest.raises(InputError, match="LoRA"):
        Joint(clip.model, clip.family, anchor="adapters")
    for wrong, says in (([4], "0..3"), ("brain", "'brain'"), ([], "empty"), ([-1], "-1")):
        with pytest.raises(InputError, match=says):
            resolve_taps(wrong, clip.family)
    assert resolve_taps([-2, 1], clip.family) == Taps("encoder", (1, 3))
    assert resolve_taps("encoder", clip.family).layers == (1, 2, 3)
    assert resolve_taps(None, clip.family, "llm") == resolve_taps("llm", clip.family) == Taps("llm", (1,))
    assert resolve_taps([0, -1], clip.family, "llm") == Taps("llm", (0, 2))
    for layers, place, says in (([3], "llm", "0..2"), ([1], "projector", "no layers")):
        with pytest.raises(InputError, match=says):
            resolve_taps(layers, clip.family, place)


def test_parts_of_cells_are_learned_and_must_be_those_of_the_head(clip):
    inputs, _ = make_batch(clip, n=1)
    (view,) = clip.family.views(SIZE, inputs)
    target = cell_targets(geometry(0), view.boxes, view.grid, view.cell, True, subcells=2)
    fine = GeometryBatch.collate([PhotoTargets([(view, target)], 17)])
    joint = with_head(clip, shape={"blocks": 0, "subcells": 2})
    out = joint(inputs, fine)
    assert out.geometry_loss.isfinite() and out.geometry_loss > 0
    assert joint.predict(inputs, fine)[0].structure.shape == (1, 4 * len(view.boxes))
    with pytest.raises(ValueError, match="1 x 1 parts"):
        with_head(clip)(inputs, fine)


def test_the_view_and_its_targets_must_have_one_grid(clip):
    inputs, _ = make_batch(clip, n=1)
    (view,) = clip.family.views(SIZE, inputs)
    target = cell_targets(geometry(0), view.boxes[:8], (2, 4), 14, True)
    with pytest.raises(ValueError, match="grid"):
        GeometryBatch.collate([PhotoTargets([(view, target)], 17)])


def test_taps_in_the_language_model_read_the_photo_s_tokens_there(student):
    inputs, geo = make_batch(student, place="projector")
    joint = with_head(student, "llm")
    out = joint(inputs, geo)
    plain = Joint(student.model, student.family)(inputs).lm_loss
    assert torch.allclose(out.lm_loss, plain, atol=1e-6)
    out.geometry_loss.backward()
    first = student.family.tower(student.model).encoder.layers[0]
    assert sum(p.grad.abs().sum() for p in first.parameters()) > 0
    layers = student.model.model.language_model.layers
    assert sum(p.grad.abs().sum() for p in layers[0].parameters()) > 0
    assert all(p.grad is None for p in layers[1].parameters())  # it comes after the tap
    state = joint.predict(inputs, geo)[0]
    assert torch.isfinite(state.structure).all()


def test_taps_in_the_language_model_work_without_labels_and_see_no_question(clip):
    inputs, geo = make_batch(clip, n=2, place="projector", labels=False)
    joint = with_head(clip, "llm")
    out = joint(inputs, geo)
    assert out.logits is None and out.geometry_loss > 0
    other = dict(inputs)
    words = inputs["input_ids"] != clip.model.config.image_token_id
    after = words & (words.logical_not().cumsum(1) > 0)
    other["input_ids"] = inputs["input_ids"].masked_fill(after, 7)
    assert torch.equal(joint.predict(inputs, geo)[0].structure, joint.predict(other, geo)[0].structure)

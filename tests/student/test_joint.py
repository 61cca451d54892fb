import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from PIL import Image

from pseudogd.distill.balance import GradientBalance
from pseudogd.distill.kinds import JointWeights
from pseudogd.distill.targets import cell_targets
from pseudogd.errors import InputError
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo
from pseudogd.student.batch import GeometryBatch, PhotoTargets
from pseudogd.student.chat import chat_text, encode_chats, user_turn
from pseudogd.student.head import GeometryHead
from pseudogd.student.joint import Items, Joint, freeze_unused
from pseudogd.student.load import load_student
from pseudogd.student.taps import Taps, resolve_taps

SIZE = (90, 60)


@pytest.fixture(params=["clip", "siglip"])
def student(request, clip_folder, siglip_folder):
    return load_student({"clip": clip_folder, "siglip": siglip_folder}[request.param])


@pytest.fixture
def clip(clip_folder):
    return load_student(clip_folder)


def photo(seed):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8))


def geometry(seed, scale=Scale.METRIC):
    rng = np.random.default_rng(seed)
    depth = np.kron(rng.uniform(1, 4, (4, 6)), np.ones((15, 15))).astype(np.float32)
    camera = Camera(80.0, 80.0, 45.0, 30.0, *SIZE)
    return Geometry(depth, camera, scale=scale, teacher=TeacherInfo("t", "r", "h", "l"))


def make_batch(student, n=3, place="encoder", labels=True, without=()):
    texts = ["how far is the red chair ?", "which is nearer , the table or the lamp ?", "is it left ?", "what ?"]
    turns = [[user_turn(t), {"role": "assistant", "content": [{"type": "text", "text": "yes"}]}] for t in texts[:n]]
    inputs = encode_chats(
        student.processor, [chat_text(student.processor, t) for t in turns], [photo(i) for i in range(n)], "right"
    )
    if labels:
        inputs["labels"] = inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, -100)
        inputs["labels"] = inputs["labels"].masked_fill(
            inputs["input_ids"] == student.model.config.image_token_id, -100
        )
    views = []
    for i in range(n):
        own = [] if i in without else student.family.views(SIZE, inputs, i, place)
        targets = [(v, cell_targets(geometry(i), v.boxes, v.grid, v.cell, True)) for v in own]
        views.append(PhotoTargets(targets, student.family.token_count(SIZE, inputs, i, place)))
    return dict(inputs), GeometryBatch.collate(views)


def with_head(student, taps=None, seed=0, shape=None, **options):
    taps = resolve_taps(taps, student.family)
    torch.manual_seed(seed)
    head = GeometryHead.for_family(student.family, taps, width=16, **(shape or {}))
    with torch.no_grad():  # as after some steps: zero last layers let no gradient through to the encoder
        for p in (head.cell.weight, head.view[-1].weight):
            p.normal_(0, 0.1)
    return Joint(student.model, student.family, head, taps=taps, **options)


def count_tower_runs(student):
    runs = []
    student.family.tower(student.model).encoder.layers[0].register_forward_hook(lambda *_: runs.append(1))
    return runs


def gradients(joint):
    return {n: p.grad.clone() for n, p in joint.named_parameters() if p.grad is not None}


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


@pytest.mark.parametrize("count", [None, 0, 3])
def test_a_batch_without_labels_has_a_finite_loss_and_every_gradient(student, count):
    inputs, geo = make_batch(student)
    inputs["labels"] = torch.full_like(inputs["labels"], -100)
    joint = with_head(student)
    freeze_unused(student.model, student.family)
    out = joint(inputs, geo, num_items_in_batch=count)
    out.loss.backward()
    assert out.lm_loss.item() == 0 and torch.isfinite(out.loss)
    for name, p in joint.named_parameters():
        assert (p.grad is not None and torch.isfinite(p.grad).all()) or not p.requires_grad, name


def test_without_a_labels_key_language_does_not_run(clip):
    inputs, geo = make_batch(clip, labels=False)
    clip.model.model.language_model.register_forward_hook(lambda *_: pytest.fail("the language model ran"))
    out = with_head(clip)(inputs, geo)
    assert out.logits is None and out.lm_loss.item() == 0 and out.geometry_loss > 0


def test_photos_without_geometry_cost_nothing_and_every_gradient_exists(student):
    inputs, _ = make_batch(student)
    empty = GeometryBatch.collate([PhotoTargets([], 17)] * 3)
    for geo in (None, empty):
        joint = with_head(student)
        freeze_unused(student.model, student.family)
        out = joint(inputs, geo)
        assert out.geometry_loss.item() == 0 and torch.equal(out.loss, out.lm_loss)
        out.loss.backward()
        assert all(p.grad is not None for p in joint.parameters() if p.requires_grad)
        assert all((p.grad == 0).all() for p in joint.head.parameters())
        joint.zero_grad()


def test_geometry_of_a_photo_does_not_depend_on_its_neighbours(student):
    inputs, geo = make_batch(student, without=(0, 2))
    joint = with_head(student)
    together = joint(inputs, geo).geometry_loss
    alone = {k: v[1:2] for k, v in inputs.items()}
    (view,) = student.family.views(SIZE, alone)
    target = cell_targets(geometry(1), view.boxes, view.grid, view.cell, True)
    torch.manual_seed(0)
    single = joint(alone, GeometryBatch.collate([PhotoTargets([(view, target)], 17)])).geometry_loss
    # the ranking term draws its pairs at random
    assert together.item() == pytest.approx(single.item(), abs=0.03)
    prediction = joint.predict(inputs, geo)[0]
    again = joint.predict(alone, GeometryBatch.collate([PhotoTargets([(view, target)], 17)]))[0]
    assert torch.allclose(prediction.structure, again.structure, atol=1e-5)
    assert torch.allclose(prediction.s, again.s, atol=1e-5)


def test_swapping_two_photos_targets_matters(clip):
    inputs, geo = make_batch(clip, n=2)
    joint = with_head(clip)
    group = geo.groups[0]
    prediction = joint.predict(inputs, geo)[0]
    swapped = joint.predict({k: v.flip(0) for k, v in inputs.items()}, geo)[0]
    assert torch.allclose(prediction.structure, swapped.structure.flip(0), atol=1e-5)
    assert not torch.allclose(prediction.structure[0], prediction.structure[1], atol=1e-4)
    assert group.photo.tolist() == [0, 1]


def test_accumulated_batches_weigh_geometry_once(clip):
    inputs, geo = make_batch(clip, n=4)
    weights = JointWeights(order=0.0)  # its pairs are drawn anew for every batch
    count = (inputs["labels"][:, 1:] != -100).sum()
    joint = with_head(clip, weights=weights, anchor="frozen")
    with torch.no_grad():
        for p in clip.family.projector(clip.model).parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(3)))
    joint(inputs, geo, lam=0.5, num_items_in_batch=count).loss.backward()
    want = gradients(joint)
    joint.zero_grad()
    for half in (slice(0, 2), slice(2, 4)):
        part = {k: v[half] for k, v in inputs.items()}
        _, full = make_batch(clip, n=4, without={0, 1, 2, 3} - set(range(4)[half]))
        group = full.groups[0]
        before = half.start * clip.family.token_count(SIZE, inputs)
        moved = {"photo": group.photo - half.start, "tokens": group.tokens - before}
        shifted = GeometryBatch((type(group)(**{**vars(group), **moved}),), 2)
        joint(part, shifted, lam=0.5, num_items_in_batch=count, accumulation_steps=2).loss.backward()
    for name, grad in gradients(joint).items():
        assert torch.allclose(grad, want[name], atol=2e-6, rtol=1e-3), name


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


def test_shares_of_a_step_add_up_however_it_is_cut(clip):
    """Photos with and without geometry, so that means of micro-batches would not average to the mean of all."""
    inputs, geo = make_batch(clip, n=4, without=(0,))
    joint = with_head(clip, anchor="frozen", weights=JointWeights(order=1.0))
    with torch.no_grad():
        for p in clip.family.projector(clip.model).parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(3)))
    labels = (inputs["labels"][:, 1:] != -100).sum()
    tokens = (inputs["input_ids"] == clip.model.config.image_token_id).sum()
    items = Items(labels, geo.items(), tokens)
    whole = joint(inputs, geo, lam=0.5, items=items, seed=5)
    shares = []
    for rows in ([0, 1, 2], [3]):
        part = {k: v[rows] for k, v in inputs.items()}
        _, full = make_batch(clip, n=4, without={0, 1, 2, 3} - set(rows) | {0})
        group = full.groups[0]
        before = rows[0] * clip.family.token_count(SIZE, inputs)
        moved = {"photo": group.photo - rows[0], "tokens": group.tokens - before}
        batch = GeometryBatch((type(group)(**{**vars(group), **moved}),), len(rows))
        shares.append(joint(part, batch, lam=0.5, items=items, seed=5))
    for name in ("loss", "lm_loss", "geometry_loss", "anchor_loss"):
        assert torch.allclose(sum(s[name] for s in shares), whole[name], atol=1e-6), name
    assert whole.parts["order"] > 0

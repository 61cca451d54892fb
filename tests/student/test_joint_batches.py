"""However photos are put together: batches that lack something, neighbours, and a step in parts."""

import pytest
import torch
from helpers.joint_batch import SIZE, geometry, gradients, make_batch, with_head

from pseudogd.distill.kinds import JointWeights
from pseudogd.distill.targets import cell_targets
from pseudogd.student.batch import GeometryBatch, PhotoTargets
from pseudogd.student.joint import Items, freeze_unused


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

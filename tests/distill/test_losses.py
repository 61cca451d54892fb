import math

import pytest
import torch

from pseudogd.distill import losses as L
from pseudogd.distill.kinds import JointWeights

GRID = (6, 8)


@pytest.fixture
def cells():
    g = torch.Generator().manual_seed(0)
    z = torch.randn(3, 48, generator=g, requires_grad=True)
    y = torch.randn(3, 48, generator=g) + 1
    w = torch.rand(3, 48, generator=g)
    return z, y, w


def generator():
    return torch.Generator().manual_seed(5)


def shape_losses(z, y, w):
    return torch.stack(
        [
            L.structure_loss(z, y, w),
            L.gradient_loss(z, y, w, GRID),
            L.order_loss(z, y, w, generator=generator()),
        ]
    )


def test_no_shape_loss_knows_the_scale(cells):
    z, y, w = cells
    shifted = shape_losses(z + 3.0, y - math.log(7), w)
    assert torch.allclose(shape_losses(z, y, w), shifted, atol=1e-5)


def test_a_perfect_shape_costs_nothing(cells):
    _, y, w = cells
    assert L.structure_loss(y + 2, y, w).max() < 1e-6
    assert L.gradient_loss(y + 2, y, w, GRID).max() < 1e-6
    steep = L.order_loss(1000 * y, y, w, generator=generator())
    assert steep.max() < 1e-6


def test_what_lies_in_a_masked_cell_does_not_matter(cells):
    z, y, w = cells
    w = w.clone()
    w[:, ::5] = 0
    other = y.clone()
    other[:, ::5] = 300.0
    assert torch.allclose(shape_losses(z, y, w), shape_losses(z, other, w), atol=1e-4)


def test_masked_cells_get_no_gradient(cells):
    z, y, w = cells
    w = w.clone()
    w[:, ::5] = 0
    (grad,) = torch.autograd.grad(shape_losses(z, y, w).sum(), z)
    assert (grad[:, ::5] == 0).all() and (grad[:, 1::5] != 0).any()


def test_the_worst_cells_are_dropped():
    y = torch.zeros(1, 100)
    z = torch.zeros(1, 100)
    z[0, :4] = 50.0  # four wild cells of a hundred
    w = torch.ones(1, 100)
    assert L.structure_loss(z, y, w).item() == pytest.approx(2.0, abs=1e-4)  # only the shift of the mean is left
    assert L.structure_loss(z, y, w, trim=0.0).item() == pytest.approx(2 * 0.04 * 48, abs=1e-4)


def test_structure_of_a_ramp_in_closed_form():
    y = torch.linspace(0, 1, 48)[None]
    flat = torch.zeros(1, 48)
    w = torch.ones(1, 48)
    want = (y - y.mean()).abs().mean().item()
    assert L.structure_loss(flat, y, w, trim=0.0).item() == pytest.approx(want, rel=1e-5)


def test_gradient_of_a_ramp_in_closed_form():
    rows, cols = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    y = (0.1 * cols + 0.03 * rows).reshape(1, -1)
    got = L.gradient_loss(torch.zeros(1, 64), y, torch.ones(1, 64), (8, 8)).item()
    assert got == pytest.approx(0.13 * (1 + 2 + 4) / 3, rel=1e-4)  # each scale sees twice the step


def test_single_row_grids_have_finite_gradients():
    z = torch.randn(2, 5, requires_grad=True)
    y, w = torch.zeros(2, 5), torch.ones(2, 5)
    for grid in ((1, 5), (5, 1)):
        assert torch.isfinite(torch.autograd.grad(L.gradient_loss(z, y, w, grid).sum(), z)[0]).all()
    one = torch.zeros(2, 1, requires_grad=True)
    (grad,) = torch.autograd.grad(L.gradient_loss(one, one.detach(), torch.ones(2, 1), (1, 1)).sum(), one)
    assert (grad == 0).all()


def test_normals_ignore_length_and_rough_cells_weigh_less():
    up, side = torch.tensor([0.0, 0.0, -1.0]), torch.tensor([1.0, 0.0, 0.0])
    n = torch.stack([5 * up, side])[None]
    flat, rough = up.expand(1, 2, 3), torch.stack([up, 0.5 * up])[None]
    w = torch.ones(1, 2)
    assert L.normal_loss(n, flat, w).item() == pytest.approx(0.5, abs=1e-6)
    assert L.normal_loss(n, rough, w).item() == pytest.approx(0.5 / 1.5, abs=1e-6)


def test_a_vanishing_normal_has_a_bounded_gradient():
    n = torch.zeros(1, 4, 3, requires_grad=True)
    target = torch.tensor([0.0, 0.0, -1.0]).expand(1, 4, 3)
    (grad,) = torch.autograd.grad(L.normal_loss(n, target, torch.ones(1, 4)).sum(), n)
    assert torch.isfinite(grad).all() and grad.abs().max() <= 1000


def test_sky_is_a_cross_entropy():
    logit, fraction = torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 0.0]])
    want = (math.log(2) + math.log1p(math.exp(2))) / 2
    assert L.sky_loss(logit, fraction, torch.ones(1, 2)).item() == pytest.approx(want)


def test_scale_terms_in_closed_form():
    y, w = torch.full((1, 4), math.log(3.0)), torch.ones(1, 4)
    focal = torch.tensor([math.log(0.8)])
    right_s = torch.tensor([math.log(3.0) - math.log(0.8)])
    at = L.scale_losses(right_s, focal, y, w, focal)
    assert all(v.item() == pytest.approx(0, abs=1e-6) for v in at.values())
    off = L.scale_losses(right_s + 1, focal, y, w, focal)
    assert off["s"].item() == pytest.approx(0.95) and off["s_phi"].item() == pytest.approx(0.95)
    assert off["phi"].item() == pytest.approx(0, abs=1e-6)
    near = L.scale_losses(right_s + 0.05, focal, y, w, focal)
    assert near["s"].item() == pytest.approx(0.05**2 / 0.2, rel=1e-4)


def test_anchor_in_cosine_units():
    a = torch.randn(7, 5)
    assert L.anchor_loss(3 * a, a).item() == pytest.approx(0, abs=1e-6)
    assert L.anchor_loss(-a, a).item() == pytest.approx(2, abs=1e-6)


def test_losses_stay_in_float32_under_autocast(cells):
    z, y, w = cells
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = shape_losses(z, y, w)
    assert under.dtype == torch.float32 and torch.equal(under, shape_losses(z, y, w))


def test_each_term_is_averaged_over_the_views_that_pay_it():
    losses = torch.ones(3, len(L.TERMS))
    losses[2] = 100.0
    payers = torch.ones(3, len(L.TERMS))
    payers[2] = 0
    payers[1, L.TERMS.index("sky")] = 0
    weights = JointWeights(structure=1, gradient=2, normal=3, order=4, sky=5, scale=6)
    total, parts = L.geometry_loss(losses, payers, weights)
    assert parts["sky"].item() == 1 and parts["scale"].item() == 3
    assert total.item() == 1 + 2 + 3 + 4 + 5 + 6 * 3


def test_metres_can_be_recovered_by_descent():
    g = torch.Generator().manual_seed(0)
    true = torch.rand(3, 48, generator=g) * 2 + 0.5
    z, s, phi = (torch.zeros(shape, requires_grad=True) for shape in ((3, 48), (3,), (3,)))
    focal = torch.full((3,), math.log(0.8))
    w = torch.ones(3, 48)
    opt = torch.optim.Adam([z, s, phi], 0.05)
    for _ in range(300):
        opt.zero_grad()
        scale = L.scale_losses(s, phi, true, w, focal)
        loss = L.structure_loss(z, true, w, trim=0) + L.gradient_loss(z, true, w, GRID) + scale["s"] + scale["phi"]
        loss.sum().backward()
        opt.step()
    metres = (z - z.mean(-1, keepdim=True) + (s + phi)[:, None]).exp()
    assert (metres / true.exp() - 1).abs().mean() < 0.05


def two_sets(rows, width=6, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return (torch.randn(sum(rows), width, generator=rng) for _ in range(2))


def test_the_gram_term_sees_how_tokens_stand_to_one_another_and_nothing_else():
    rows = [5, 0, 7]
    tokens, _ = two_sets(rows)
    turn = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(3)))[0]
    assert L.gram_loss(3 * tokens @ turn, tokens, rows).item() == pytest.approx(0, abs=1e-6)
    swapped = tokens[torch.randperm(12, generator=torch.Generator().manual_seed(1))]
    assert L.gram_loss(swapped, tokens, rows) > 0.1


def test_the_gram_term_is_the_mean_over_all_pairs_of_a_row():
    rows = [4, 3]
    now, base = two_sets(rows)
    cos = torch.nn.functional.cosine_similarity
    each = [
        torch.stack([(cos(now[i], now[j], dim=0) - cos(base[i], base[j], dim=0)).abs() for j in part]).mean()
        for part in (range(4), range(4, 7))
        for i in part
    ]
    assert L.gram_loss(now, base, rows).item() == pytest.approx(torch.stack(each).mean().item(), rel=1e-5)


def test_shares_of_the_gram_term_add_up_with_few_columns_too():
    rows = [9, 4, 8]
    now, base = two_sets(rows)
    whole = L.gram_loss(now, base, rows, seed=5, columns=3)
    parts, begin = [], 0
    for count in rows:
        part = slice(begin, begin + count)
        parts.append(L.gram_loss(now[part], base[part], [count], seed=5, columns=3) * count / sum(rows))
        begin += count
    assert whole.item() == pytest.approx(sum(parts).item(), rel=1e-5)
    assert whole.item() != pytest.approx(L.gram_loss(now, base, rows, seed=6, columns=3).item(), rel=1e-3)


def test_the_gram_term_has_gradients_that_exist_without_tokens_and_vanish_at_the_base():
    tokens, _ = two_sets([5])
    for now, rows in ((tokens.clone().requires_grad_(), [5]), (torch.zeros(0, 6, requires_grad=True), [0])):
        L.gram_loss(now, now.detach().clone(), rows).backward()
        assert now.grad is not None and not now.grad.abs().gt(1e-6).any()
    with torch.autocast("cpu", torch.bfloat16):
        exact = L.gram_loss(*two_sets([30]), [30])
    assert exact.dtype == torch.float32
    assert exact.item() == pytest.approx(L.gram_loss(*two_sets([30]), [30]).item(), rel=1e-6)

import pytest
import torch

from pseudogd.distill.balance import GradientBalance, adjusted_lambda


def test_one_backward_pass_tells_both_gradients_apart():
    x = torch.randn(4, 5, requires_grad=True)
    a, b = torch.randn(4, 5), torch.randn(4, 5)
    balance = GradientBalance()
    h = x * 2
    alias = balance.watch("tap", h)
    ((h * a).sum() + 3 * (alias * b).sum()).backward()
    geometry, language = balance.read()["tap"]
    assert geometry == pytest.approx(3 * b.norm().item(), rel=1e-5)
    assert language == pytest.approx(a.norm().item(), rel=1e-5)
    assert torch.allclose(x.grad, 2 * (a + 3 * b))  # watching changes nothing
    assert balance.read() == {}


def test_no_graph_no_hook():
    h = torch.randn(3)
    assert GradientBalance().watch("tap", h) is h


def test_lambda_moves_towards_the_target_within_limits():
    assert adjusted_lambda(0.3, 0.3) == pytest.approx(0.3)
    assert adjusted_lambda(0.3, 30.0) == pytest.approx(0.24)
    assert adjusted_lambda(0.3, 0.001) == pytest.approx(0.375)
    assert adjusted_lambda(0.3, 0.27) == pytest.approx(0.3 * (0.3 / 0.27) ** 0.5)
    for silent in (0.0, float("nan"), float("inf")):
        assert adjusted_lambda(0.3, silent) == 0.3

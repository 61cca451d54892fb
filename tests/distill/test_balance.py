import json

import numpy as np
import pytest
import torch

from pseudogd.distill.balance import GradientBalance, LambdaController, adjusted_lambda


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
    assert not balance._geometry  # norms are kept, not gradients


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


def test_the_controller_brings_a_ratio_that_follows_lambda_to_its_target():
    controller = LambdaController(0.3, every=20)
    for _ in range(2000):
        controller.update({"encoder.1": 2.0 * controller.factor, "encoder.2": 8.0 * controller.factor})
    assert 4.0 * controller.factor == pytest.approx(0.3, rel=0.05)


def test_the_controller_goes_on_where_it_was_saved_and_does_nothing_by_default():
    rng = np.random.default_rng(0)
    ratios = [{"tap": float(r)} for r in rng.uniform(0.1, 5, 60)]
    whole, first, second = (LambdaController(0.3, every=7) for _ in range(3))
    for r in ratios:
        whole.update(r)
    for r in ratios[:31]:
        first.update(r)
    second.load(json.loads(json.dumps(first.state())))
    for r in ratios[31:]:
        second.update(r)
    assert second.factor == whole.factor != 1.0
    off = LambdaController(None, every=1)
    off.update({"tap": 100.0})
    assert off.factor == 1.0
    on = LambdaController(0.3, every=1)
    on.update({"tap": 0.0, "other": float("nan")})
    assert on.factor == 1.0

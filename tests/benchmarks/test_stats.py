import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudogd.benchmarks.stats import (
    accuracy_interval,
    bootstrap_mean,
    design_effect,
    mcnemar_exact,
    paired_bootstrap,
    wilson,
)

Z = 1.959963984540054


@given(st.integers(1, 3000), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_wilson_ends_solve_the_score_equation(n, share):
    k = round(share * n)
    for end in wilson(k, n):
        if 0 < end < 1:
            # The ends are the p for which (p_hat - p)^2 = z^2 p (1 - p) / n.
            assert (k / n - end) ** 2 == pytest.approx(Z**2 * end * (1 - end) / n, rel=1e-6, abs=1e-12)


def test_wilson_edges():
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 10) == (0.0, pytest.approx(Z**2 / (10 + Z**2)))
    assert wilson(10, 10) == (pytest.approx(10 / (10 + Z**2)), 1.0)
    with pytest.raises(ValueError, match="11"):
        wilson(11, 10)


def test_bootstrap_of_one_coin_has_the_binomial_width():
    x = np.array([0, 1] * 200)
    low, high = bootstrap_mean(x)
    assert high - low == pytest.approx(2 * Z * math.sqrt(0.25 / 400), rel=0.06)
    assert bootstrap_mean(np.ones(30)) == (1.0, 1.0)
    assert bootstrap_mean(x, seed=3) == bootstrap_mean(x, seed=3)


def test_copied_items_do_not_narrow_the_interval():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, 200)
    copies = np.repeat(x, 5)
    clusters = np.repeat(np.arange(200), 5)
    assert design_effect(copies, clusters) == pytest.approx(5, rel=0.02)
    assert design_effect(x, None) == pytest.approx(1, rel=0.01)
    assert accuracy_interval(copies, clusters) == pytest.approx(accuracy_interval(x), abs=0.002)
    narrow, honest = bootstrap_mean(copies), bootstrap_mean(copies, clusters)
    assert (honest[1] - honest[0]) / (narrow[1] - narrow[0]) == pytest.approx(math.sqrt(5), rel=0.06)


def test_an_accuracy_of_one_keeps_an_interval():
    low, high = accuracy_interval(np.ones(40), np.arange(40))
    assert high == 1.0 and low == wilson(40, 40)[0] < 1


def test_paired_bootstrap_sign_and_symmetry():
    rng = np.random.default_rng(1)
    a = rng.random(400) < 0.5
    b = a | (rng.random(400) < 0.2)
    found = paired_bootstrap(a, b)
    assert found.delta == pytest.approx(b.mean() - a.mean())
    assert 0 < found.low < found.delta < found.high and found.p < 0.01
    mirrored = paired_bootstrap(b, a)
    assert (mirrored.delta, mirrored.p) == (-found.delta, found.p)
    assert mirrored.low == pytest.approx(-found.high)


def test_paired_bootstrap_of_equal_answers_says_no_difference():
    a = np.array([1, 0, 1, 1])
    same = paired_bootstrap(a, a)
    assert (same.delta, same.low, same.high, same.p) == (0.0, 0.0, 0.0, 1.0)


def test_paired_interval_has_the_normal_width():
    rng = np.random.default_rng(2)
    a, b = rng.random(1000) < 0.5, rng.random(1000) < 0.6
    found = paired_bootstrap(a, b)
    difference = b.astype(float) - a
    assert found.high - found.low == pytest.approx(2 * Z * difference.std() / math.sqrt(1000), rel=0.05)


def test_paired_p_value_is_uniform_under_no_difference():
    rng = np.random.default_rng(3)
    small = sum(paired_bootstrap(rng.random(150) < 0.5, rng.random(150) < 0.5, draws=400).p < 0.1 for _ in range(300))
    assert 15 <= small <= 48  # 30 expected of 300; these ends are 3 standard deviations and more


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="equal"):
        paired_bootstrap([1], [1, 0])
    with pytest.raises(ValueError, match="equal"):
        mcnemar_exact([1], [1, 0])
    with pytest.raises(ValueError, match="cluster"):
        bootstrap_mean([1, 0], clusters=[0])


@pytest.mark.parametrize(("only_a", "only_b", "p"), [(0, 0, 1), (0, 1, 1), (0, 6, 2 / 64), (1, 5, 14 / 64), (3, 3, 1)])
def test_mcnemar_is_the_two_sided_binomial(only_a, only_b, p):
    a = [1] * only_a + [0] * only_b + [1, 0]
    b = [0] * only_a + [1] * only_b + [1, 0]
    assert mcnemar_exact(a, b) == {"only_a": only_a, "only_b": only_b, "p": pytest.approx(p)}


def test_mcnemar_does_not_underflow():
    a = [1] * 4000 + [0] * 3800
    assert 0 < mcnemar_exact(a, [1 - x for x in a])["p"] < 0.05

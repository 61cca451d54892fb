"""Rates of this machine, and how seconds follow from them."""

from dataclasses import asdict, replace

import pytest
import torch

from pseudogd.training.doctor.sizes import Work
from pseudogd.training.doctor.speed import Machine, Shapes, calibrate

MACHINE = Machine(linear=2.0, full=1.0, attention=3.0, between=5.0, cast=7.0, update=11.0, per_block=0.5)
WORK = Work(linear=20, full=10, attention=30, between=50, cast=70, update=110, blocks=6)


def test_seconds_are_a_sum_over_kinds_of_work():
    assert WORK.seconds(MACHINE) == 6 * 10 + 6 * 0.5


@pytest.mark.parametrize("kind", ["linear", "full", "attention", "between", "cast", "update"])
def test_twice_the_rate_is_half_the_time_of_that_kind_alone(kind):
    faster = replace(MACHINE, **{kind: 2 * getattr(MACHINE, kind)})
    assert WORK.seconds(MACHINE) - WORK.seconds(faster) == pytest.approx(5)


@pytest.mark.slow
@pytest.mark.parametrize("half", [False, True])
def test_every_rate_is_a_number_of_this_machine(half):
    shapes = Shapes(tokens=64, width=64, inner=128, heads=2, head_width=32, length=32, by_products=half)
    rates = asdict(calibrate(torch.device("cpu"), half, shapes))
    assert all(0 < rate < float("inf") for rate in rates.values())
    assert rates["per_block"] < 1 < min(rate for kind, rate in rates.items() if kind != "per_block")

"""Numbers are written no finer than they are known, and wrong ones give no hint."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from pseudogd.vqa.guards import Margins
from pseudogd.vqa.tasks._written import (
    WIDEST,
    few,
    in_a_row,
    length_grid,
    ratio_grid,
    snapped,
    spaced,
    spacing,
    step_of,
    times,
    together,
)


@pytest.mark.parametrize("sigma", [0.02, 0.3, 2.0])
def test_lengths_are_written_in_steps_of_their_error(sigma):
    rng, grid = np.random.default_rng(0), length_grid(sigma)
    for value in np.exp(rng.uniform(np.log(6 * sigma), np.log(30), 200)):
        written = snapped(value, grid)
        assert abs(written - value) <= max(step_of(sigma), 1.0 if value > 9 else 0.0) / 2 + 1e-9
        for number in (written, *spaced(written, rng, grid, 1.6)):
            assert number / step_of(sigma) == pytest.approx(round(number / step_of(sigma)))
    assert step_of(sigma) >= min(sigma, 1.0) / 2  # no digit that is mostly noise


def test_the_right_number_has_no_usual_rank():
    rng, ranks = np.random.default_rng(1), Counter()
    for value in np.exp(rng.uniform(np.log(0.4), np.log(8), 2000)):
        written = snapped(value, ratio_grid)
        numbers = [written, *spaced(written, rng, ratio_grid, 1.6, 100.0)]
        assert len(numbers) == 4 and min(numbers) > 0
        assert min(b / a for a, b in pairwise(sorted(numbers))) >= 1.6 - 1e-9
        ranks[sorted(numbers).index(written)] += 1
    assert len(ranks) == 4 and all(abs(n - 500) < 110 for n in ranks.values())


def test_few_options_where_there_is_no_room():
    rng = np.random.default_rng(2)
    numbers = spaced(0.3, rng, length_grid(0.02), 1.6, largest=0.5)
    assert set(numbers) <= {0.1, 0.5} and numbers
    assert spaced(9.0, rng, ratio_grid, 1.6, largest=10.0)[0] < 9.0


def test_options_are_farther_apart_where_the_error_is_larger():
    margins = Margins()
    found = [spacing(sigma, margins, 1.5) for sigma in (0.01, 0.07, 0.1, 0.115, 0.2)]
    assert found[0] == 1.5 and found[-1] is None
    assert all(a <= b <= WIDEST for a, b in pairwise(found[:-1]))


def test_texts():
    assert [times(value) for value in (0.45, 0.5, 1.8, 2.0, 12.0)] == [
        "0.45 times",
        "0.5 times",
        "1.8 times",
        "2 times",
        "12 times",
    ]
    assert in_a_row(["cup", "red box"]) == "the cup, the red box"
    assert together(["cup", "red box", "lamp"]) == "the cup, the red box and the lamp"
    assert together(["cup"]) == "the cup"


def test_few_is_all_or_so_many():
    rng = np.random.default_rng(0)
    assert few(rng, 4, 6) == [0, 1, 2, 3]
    assert len(few(rng, 40, 6)) == 6 and few(rng, 40, 6) != few(rng, 40, 6)

"""The intervals of tools/precision_table.py heed that facts of one photo are wrong together."""

from pathlib import Path

import pytest
from scipy.stats import binomtest

from pseudogd.vqa.calibration import Tried


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "tools"))
    import precision_table

    return precision_table


def wilson(right, count):
    found = binomtest(right, count).proportion_ci(method="wilson")
    return found.low, found.high


def facts(verdicts):
    """Photos with the verdicts of their facts, as two lists."""
    photos = [name for name, own in verdicts.items() for _ in own]
    return [right for own in verdicts.values() for right in own], photos


def test_spread_facts_are_independent_and_those_of_one_room_are_one(tool):
    spread = {f"{k}": [k % 10 > 0] + [True] * 9 for k in range(40)}  # 4 of 400, in 4 rooms
    together = {f"{k}": [k > 0] * 10 for k in range(40)}  # 10 of 400, in one room
    assert tool.interval(*facts(spread)) == pytest.approx(wilson(396, 400))
    # Whole rooms are right or wrong: 40 facts tell as much (39 of 40 after the design effect, 10 times 40 / 39).
    assert tool.interval(*facts(together)) == pytest.approx(wilson(38, 39))


def test_the_same_number_in_one_room_tells_less(tool):
    spread = {f"{k}": [k >= 10] + [True] * 9 for k in range(40)}
    together = {f"{k}": [k > 0] * 10 for k in range(40)}
    (low, high), (wide_low, wide_high) = tool.interval(*facts(spread)), tool.interval(*facts(together))
    assert wide_low < low - 0.05 and wide_high > high


def test_where_none_is_wrong_every_photo_counts_once(tool):
    assert tool.interval(*facts({f"{k}": [True] * 25 for k in range(30)})) == pytest.approx(wilson(30, 30))
    low, high = tool.interval(*facts({"one": [True] * 9 + [False]}))
    assert low < 0.3 and high == pytest.approx(1.0)  # one room


def test_the_line_of_a_task(tool):
    tried = [Tried("nearer", "nearer.pair", 0.1, k > 0, None, False, photo=f"{k}") for k in range(50)]
    assert tool.shown([]) == "0 |"
    low, high = (f"{100 * end:.1f}" for end in wilson(48, 49))  # n less one: a variance
    assert tool.shown(tried) == f"50 | 98.0 % [{low}, {high}]"
    lines = tool.table({"embedded": tried, "true depth": []}, ["size", "nearer"]).splitlines()
    assert lines[2] == f"| `nearer` | {tool.shown(tried)} | 0 | |" and lines[3].startswith("| `size` | 0 | | 0 | |")

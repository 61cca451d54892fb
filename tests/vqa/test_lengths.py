"""Lengths in every unit, as coarse as their error."""

import numpy as np
import pytest

from pseudogd.vqa.lengths import UNITS, in_words, options, with_error, written


@pytest.mark.parametrize("unit", UNITS)
def test_a_written_length_reads_back(unit):
    for value in np.exp(np.linspace(np.log(0.3), np.log(30), 200)):
        number, sign = written(value, unit).split()
        assert sign == UNITS[unit].sign
        size = UNITS[unit].metres
        assert float(number) * size == pytest.approx(value, abs=(0.051 if value / size < 9.9 else 0.51) * size)


def test_feet_and_inches():
    assert (written(1.0, "ft"), written(3.048, "ft"), written(1.0, "in"), written(1.0, "cm")) == (
        "3.3 ft",
        "10 ft",
        "39 in",
        "100 cm",
    )


@pytest.mark.parametrize(
    ("step", "said"), [(0.01, "2.4 m"), (0.2, "2.4 m"), (0.5, "2 m"), (5.0, "2.4 m")], ids=["mm", "dm", "m", "more"]
)
def test_no_digit_finer_than_the_error(step, said):
    assert written(2.44, "m", step) == said


def test_centimetres_are_rounded_to_tens():
    assert written(1.234, "cm", 0.05) == "120 cm"
    assert written(1.234, "cm", 0.01) == "123 cm"


def test_options_share_their_precision_and_stay_apart():
    assert options([2.4, 4.1, 7.2, 12.4], "m", 0.4) == ["2 m", "4 m", "7 m", "12 m"]
    assert options([1.3, 0.8, 2.2, 3.6], "m", 0.4) == ["1.3 m", "0.8 m", "2.2 m", "3.6 m"]  # 0.8 and 1.3 would be one
    assert options([2.4, 4.1], "m", None) == ["2.4 m", "4.1 m"]


def test_an_error_is_said():
    assert with_error("2.4 m", 0.31, "m") == "2.4 m (give or take 0.3 m)"


def test_questions_ask_for_the_unit():
    assert in_words("How many meters is it?", "ft") == "How many feet is it?"
    assert in_words("How many kilometers?", "ft") == "How many kilometers?"


def test_a_length_that_its_task_rounded_is_not_rounded_again():
    from pseudogd.vqa.fact import Fact
    from pseudogd.vqa.render import Words, _measured

    fact = Fact(
        task="distance",
        form="distance.gap",
        kind="metric",
        frame="none",
        operands=("0", "1"),
        style="number",
        answer="3.5 m",
        wrong=("1.5 m",),
        value=3.28,
        unit="m",
        margin=10.0,
        formula="f",
        amounts=(3.5, 1.5),
        evidence={"sigma": 0.31},
    )
    assert _measured(fact, Words(numbers="honest")).answer == "3.5 m"
    assert _measured(fact, Words(units="ft", numbers="honest")).answer == "11 ft"

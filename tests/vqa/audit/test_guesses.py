"""What could be guessed of a question: by hand."""

from __future__ import annotations

import pytest
from helpers import audit_rows as made

from pseudogd.vqa.audit.guesses import guesses
from pseudogd.vqa.audit.items import read_items


def told(options, index, form="distance.centre"):
    row = made.with_options(made.fair(1, 1)[0], options)
    row["evidence"] = {**row["evidence"], "form": form}
    (item,) = read_items([made.answered(row, index)])
    return {(guess.check, guess.name): (guess.right, guess.chance) for guess in guesses(item)}


def test_numbers_have_a_rank_and_options_a_length():
    found = told(["2.4 m", "10.1 m", "3.0 m", "2.4 m"], 0)
    assert found["prior", "2.4 m"] == (1.0, 0.25) and found["prior", "10.1 m"] == (0.0, 0.25)
    assert found["rank", "largest"] == (0.0, 0.25)
    assert found["rank", "smallest"] == (0.5, 0.25)  # two are alike
    assert found["rank", "neither"] == (0.0, 0.5)
    assert found["length", "longest"] == (0.0, 0.25)
    assert found["length", "shortest"] == (pytest.approx(1 / 3), 0.25)


def test_names_have_no_rank_and_two_numbers_have_no_middle():
    assert not any(check == "rank" for check, _ in told(["chair", "lamp"], 0, "nearer.pair"))
    assert set(told(["1 m", "2 m"], 1)) == {
        *(("prior", name) for name in ("1 m", "2 m")),
        *(("rank", name) for name in ("largest", "smallest")),
        *(("length", name) for name in ("longest", "shortest")),
    }


def test_of_yes_and_no_and_of_open_answers_nothing_is_guessed():
    rows = made.fair(1, 4)
    items = read_items([rows[3], {**rows[0], "options": None, "answer": "2.4 m", "evidence": {"format": "open"}}])
    assert [list(guesses(item)) for item in items] == [[], []]

"""What can be answered without looking is left out until it no longer can; what cannot stays, to the last question."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from helpers import audit_rows as made

from pseudogd.vqa.audit.answers import prior_check, rank_check
from pseudogd.vqa.audit.blind import flat_check, text_check
from pseudogd.vqa.audit.items import read_items
from pseudogd.vqa.audit.limits import Limits
from pseudogd.vqa.audit.thinning import too_easy


def lower_is_nearer(share, photos=200):
    """Fair questions, but of two things the lower one is right in a share of them (in one half else)."""
    rows, rng = made.fair(photos), np.random.default_rng(5)
    for k, row in enumerate(rows):
        if row["options"] and len(row["options"]) == 2 and rng.random() < 2 * share - 1:
            foot = {o["name"]: o["bbox"][1] + o["bbox"][3] for o in row["evidence"]["objects"]}
            rows[k] = made.answered(row, int(foot[row["options"][1]] > foot[row["options"][0]]))
    return rows


def items_of(rows):
    return read_items(rows, made.sizes(rows))


@pytest.mark.parametrize("seed", range(2))
def test_of_fair_questions_none_is_left_out(seed):
    assert too_easy(items_of(made.fair(seed=seed)), Limits()) == {}


def test_what_the_boxes_tell_is_left_out_and_then_passes():
    items = items_of(lower_is_nearer(0.95))
    assert flat_check(items, Limits()).verdict == "fail"
    gone = too_easy(items, Limits())
    left = [item for item in items if item.question_id not in gone]
    assert flat_check(left, Limits()).verdict == "pass"
    assert {item.form for item in items if item.question_id in gone} == {"nearer.pair"}
    assert set(gone.values()) == {"boxes alone"}
    # of n questions n - d may stay, of which no more than chance and the threshold are right; hardly more go
    pairs = Counter(item.form for item in items)["nearer.pair"]
    least = (0.95 - 0.8) / (1 - 0.8) * pairs
    assert 0.6 * least < len(gone) < pairs


def test_what_the_words_tell_is_left_out_and_then_passes():
    rows = made.fair(200)
    for k, row in enumerate(rows):
        if row["options"] and len(row["options"]) == 2:
            rows[k] = made.answered(row, int(made.NAMES.index(row["options"][1]) < made.NAMES.index(row["options"][0])))
    items = items_of(rows)
    gone = too_easy(items, Limits())
    left = [item for item in items if item.question_id not in gone]
    assert text_check(items, Limits()).verdict == "fail" and text_check(left, Limits()).verdict in ("pass", "few")
    assert set(gone.values()) == {"words alone"}


def distances(middle, photos=200):
    """Of four distances the right one is neither the largest nor the smallest in a share ``middle`` of questions."""
    rng, rows = np.random.default_rng(7), []
    for row in made.fair(photos, each=1):
        numbers = np.sort(rng.choice(np.arange(10, 60), 4, replace=False))
        rank = int(rng.choice(4, p=[(1 - middle) / 2, middle / 2, middle / 2, (1 - middle) / 2]))
        shown = rng.permutation(4)
        asked = made.with_options(row, [f"{numbers[k] / 10:.1f} m" for k in shown])
        asked["evidence"] = {**row["evidence"], "form": "distance.centre", "objects": []}
        rows.append(made.answered(asked, int(np.flatnonzero(shown == rank)[0])))
    return rows


def test_what_the_rank_of_a_number_tells_is_left_out_and_then_passes():
    items = items_of(distances(0.8))
    assert rank_check(items, Limits()).verdict == "fail"
    gone = too_easy(items, Limits())
    left = [item for item in items if item.question_id not in gone]
    assert rank_check(left, Limits()).verdict != "fail"
    assert max(part.value for part in rank_check(left, Limits()).parts) <= 0.86 * Limits().rank
    # (160 - d) / (200 - d) = 0.5 + 0.07 for d = 107; the numbers are drawn, so some few more
    assert "rank: neither" in gone.values() and len(gone) < 120
    assert not any(reason.startswith("rank") for reason in too_easy(items_of(distances(0.5)), Limits()).values())


def test_an_answer_that_is_right_too_often_is_left_out():
    rng, rows = np.random.default_rng(3), []
    for row in made.fair(200):
        if row["evidence"]["form"] == "hypothetical.facing" and rng.random() < 0.4:
            row = made.answered(row, row["options"].index("behind"))
        rows.append(row)
    items = items_of(rows)
    gone = too_easy(items, Limits(text=1.0, flat=1.0))
    left = [item for item in items if item.question_id not in gone]
    assert prior_check(items, Limits()).verdict == "fail" and prior_check(left, Limits()).verdict in ("pass", "few")
    assert set(gone.values()) == {"prior: behind"}
    said = {item.question_id: item.said for item in items}
    assert {said[name] for name in gone} == {"behind"}


def test_stricter_limits_leave_out_more_and_the_order_of_rows_changes_nothing():
    rows = lower_is_nearer(0.9)
    found = [set(too_easy(items_of(rows), Limits(flat=limit))) for limit in (0.35, 0.25, 0.15)]
    assert len(found[0]) < len(found[1]) < len(found[2])
    shuffled = [rows[k] for k in np.random.default_rng(1).permutation(len(rows))]
    assert set(too_easy(items_of(shuffled), Limits(flat=0.25))) == found[1]


def test_of_few_questions_nothing_is_concluded():
    assert too_easy(items_of(lower_is_nearer(1.0, photos=14)), Limits()) == {}

"""Every flaw that is put into fair questions fails its own check, and fair questions fail none."""

from __future__ import annotations

import math
import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from helpers import audit_rows as made

from pseudogd.errors import InputError
from pseudogd.vqa.audit.findings import composition, count_checks, guess_checks
from pseudogd.vqa.audit.intervals import mean_interval, share_interval
from pseudogd.vqa.audit.items import effective_number, read_items
from pseudogd.vqa.audit.limits import Limits, judge


def checks(rows, limits=None):
    items = read_items(rows, made.sizes(rows))
    limits = limits or Limits()
    return {check.name: check for check in [*guess_checks(items, limits), *count_checks(items, limits)]}


def failed(rows):
    return {name for name, check in checks(rows).items() if check.verdict == "fail"}


@pytest.mark.parametrize("seed", range(3))
def test_fair_questions_fail_nothing(seed):
    assert failed(made.fair(seed=seed)) == set()


def test_the_order_of_the_rows_changes_nothing():
    rows = made.fair(photos=40)
    shuffled = [rows[k] for k in np.random.default_rng(1).permutation(len(rows))]
    assert checks(shuffled) == checks(rows)
    assert composition(read_items(shuffled)) == composition(read_items(rows))


def test_always_letter_a():
    rows = [made.answered(row, 0) if row["options"] else row for row in made.fair()]
    found = checks(rows)["letters"]
    assert found.verdict == "fail"
    assert next(p for p in found.parts if p.name == "all tasks, 4 options").value == pytest.approx(0.75)


def test_always_yes():
    rows = [row if row["options"] else {**row, "answer": "yes"} for row in made.fair()]
    assert "yes_no" in failed(rows)


def test_one_side_too_often():
    rows = made.fair()
    rng = np.random.default_rng(0)
    for k, row in enumerate(rows):
        if row["evidence"]["form"] == "hypothetical.facing" and rng.random() < 0.5:
            rows[k] = made.answered(row, row["options"].index("behind"))
    part = checks(rows)["prior"].worst
    assert part.verdict == "fail" and part.name == "hypothetical.facing, mc" and "behind" in part.text


def test_the_longest_option_is_right():
    rows = [
        made.with_options(
            row, [o + (" over there" if k == row["answer_index"] else "") for k, o in enumerate(row["options"])]
        )
        if row["options"]
        else row
        for row in made.fair()
    ]
    assert {"length", "text"} <= failed(rows)


def test_the_middle_number_is_right():
    rows = []
    for row in made.fair():
        if row["options"] and len(row["options"]) == 4:
            rest = iter([1.0, 4.0, 9.0])
            row = made.with_options(row, ["2.5 m" if k == row["answer_index"] else f"{next(rest)} m" for k in range(4)])
        rows.append(row)
    assert "rank" in failed(rows)


def test_the_text_says_the_answer():
    rows = made.fair()
    for row in rows:
        if row["options"] is None:
            row["text"] = f"{row['text']} {'Surely.' if row['answer'] == 'yes' else 'Hardly.'}"
    found = checks(rows)["text"]
    assert found.verdict == "fail" and found.worst.name == "nearer.claim"


def test_the_lower_box_is_right():
    rows = made.fair()
    for k, row in enumerate(rows):
        if row["options"] and len(row["options"]) == 2:
            foot = {o["name"]: o["bbox"][1] + o["bbox"][3] for o in row["evidence"]["objects"]}
            rows[k] = made.answered(row, int(foot[row["options"][1]] > foot[row["options"][0]]))
    found = checks(rows)
    assert found["flat"].verdict == "fail" and found["flat"].worst.name == "nearer.pair"
    assert found["text"].verdict != "fail"


def test_the_order_and_roles_of_the_evidence_give_nothing_away():
    rows = made.fair()
    for row in rows:
        if row["options"] and len(row["options"]) == 2:
            right = row["options"][row["answer_index"]]
            row["evidence"]["objects"].sort(key=lambda o, right=right: o["name"] != right)
            for place, entry in enumerate(row["evidence"]["objects"]):
                entry["role"] = "answer" if place == 0 else "other"
    assert failed(rows) == set()


def test_a_rule_of_thumb_that_is_nearly_always_right():
    rows = made.fair()
    for k, row in enumerate(rows):
        row["evidence"]["shortcut"] = {"rule": "lower is nearer", "right": k % 10 != 0}
    assert checks(rows)["rule"].verdict == "fail"


def test_the_same_question_twice_and_against_itself():
    rows = made.fair()
    again = {**rows[0], "question_id": "again"}
    assert failed([*rows, again]) == {"repeated"}
    other = made.answered(again, 1 - again["answer_index"])
    assert failed([*rows, other]) == {"repeated", "contradictions"}


@pytest.mark.parametrize(
    "change",
    [
        {"margin": 0.0},
        {"margin": None},
        {"value": math.inf},
        {"kind": "metric", "unit": "m", "value": -1.0},
        {"kind": "metric", "unit": "m", "value": 3000.0},
        {"kind": "metric", "unit": None},
        {"answer_index": 7},
        {"answer": "D"},
        {"options": ["chair", "chair"]},
        {"kind": "metric", "unit": "m", "value": 2.0, "options": None, "answer_index": None, "answer": "3.0 m"},
    ],
)
def test_rows_that_cannot_be(change):
    rows = made.fair(photos=10)
    rows[0] = {**rows[0], **change}
    found = checks(rows)["sound"]
    assert found.verdict == "fail" and rows[0]["question_id"] in found.examples[0]


def test_one_wording_is_too_few():
    rows = [{**row, "text": "Which?\n" + row["text"].partition("\n")[2]} for row in made.fair() if row["options"]]
    assert "wordings" in failed(rows)
    assert all(part.value == pytest.approx(1.0) for part in checks(rows)["wordings"].parts)


def test_hypothetical_answers_as_the_camera_sees_them():
    rows = [row for row in made.fair() if row["task"] == "hypothetical"]
    for row in rows:
        row["evidence"]["objects"] = [
            {"name": "a", "role": "stand", "bbox": [1, 1, 2, 2], "centre": [0, 0, 2]},
            {"name": "c", "role": "asked", "bbox": [1, 1, 2, 2], "centre": [3, 0, 2]},
        ]
        row |= {"unit": "deg", "value": 85.0}
    assert checks(rows)["view"].verdict == "fail"
    for row in rows:
        row["value"] = -95.0
    assert checks(rows)["view"].verdict == "pass"


def test_each_task_of_another_view_is_held_to_what_is_fair():
    """Of two answers half may be what the camera sees, and a few more; all of them may not."""
    rows = [row for row in made.fair() if row["task"] == "hypothetical"]
    for k, row in enumerate(rows):
        own, other = ("left", "right") if k % 2 else ("right", "left")
        row["task"] = "viewpoint"
        row["evidence"] |= {"camera_view": "left", "fact": {"answer": own, "wrong": [other]}}
    part = next(part for part in checks(rows)["view"].parts if part.name == "viewpoint")
    assert part.value == pytest.approx(0.5, abs=0.02) and part.text.startswith("at least 40%")
    assert part.verdict == "pass"
    for row in rows:
        row["evidence"]["fact"]["answer"] = "left"
    assert checks(rows)["view"].verdict == "fail"


def test_small_samples_do_not_fail():
    rows = [made.answered(row, 0) if row["options"] else {**row, "answer": "yes"} for row in made.fair(photos=5)]
    found = checks(rows)
    assert {found[name].verdict for name in ("letters", "yes_no", "prior")} == {"few"}


@pytest.mark.parametrize(
    ("value", "interval", "n", "at_most", "verdict"),
    [
        (0.05, (0.0, 0.09), 99, True, "pass"),
        (0.05, (0.0, 0.11), 99, True, "few"),
        (0.15, (0.05, 0.2), 99, True, "warn"),
        (0.15, (0.11, 0.2), 99, True, "fail"),
        (0.15, (0.11, 0.2), 9, True, "few"),
        (0.15, (0.11, 0.2), 99, False, "pass"),
        (0.05, (0.0, 0.09), 99, False, "fail"),
        (0.15, None, 1, True, "fail"),
        (0.1, None, 1, True, "pass"),
    ],
)
def test_a_verdict_is_forced_by_the_whole_interval_alone(value, interval, n, at_most, verdict):
    assert judge(value, interval, n, 0.1, 30, at_most) == verdict


def test_limits_are_checked():
    assert Limits.from_dict({"prior": 0.3}).prior == 0.3
    with pytest.raises(InputError, match=r"'pior'.*'prior'"):
        Limits.from_dict({"pior": 0.3})
    for bad in (-1, math.nan, "x", True):
        with pytest.raises(InputError, match="prior"):
            Limits.from_dict({"prior": bad})


def test_intervals_widen_with_shared_photos():
    right = np.repeat([1.0, 0.0], 50)
    alone, shared = [str(k) for k in range(100)], [str(k // 10) for k in range(100)]
    for interval in (share_interval, mean_interval):
        (a, b), (c, d) = interval(right, alone), interval(right, shared)
        assert c < a < 0.5 < b < d
    low, high = share_interval(np.ones(8), [str(k) for k in range(8)])
    assert low == pytest.approx(8 / (8 + 1.959964**2)) and high == 1.0


def test_effective_number():
    assert effective_number(["a"] * 5) == pytest.approx(1)
    assert effective_number("aabbccdd") == pytest.approx(4)
    assert effective_number([]) == 0


def test_the_docs_state_the_defaults():
    text = (Path(__file__).parents[3] / "docs" / "audit.md").read_text(encoding="utf-8")
    told = {key: float(value) for key, value in re.findall(r"\| `(\w+)` ([\d.]+)", text)}
    told |= {key: float(value) for key, value in re.findall(r"`(\w+)` \((\d+)\):", text)}
    assert told == {key: float(value) for key, value in asdict(Limits()).items()}

"""Wording: every template says what its form means, and chance favours no answer."""

import re
import string
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from helpers.golden import ROOM, golden

from pseudogd.vqa import phrasing, vocabulary
from pseudogd.vqa.fact import Fact
from pseudogd.vqa.order import apart
from pseudogd.vqa.render import formats_of, render
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.synth import synthesise
from pseudogd.vqa.tasks import forms
from pseudogd.vqa.tasks.distance import RATIO, spaced


def test_every_form_has_several_wordings():
    for name, form in forms().items():
        for wordings in (form.mc, form.open, *form.yesno.values()):
            assert not wordings or len(form.ask("mc") or form.ask("open")) >= 3, name


def test_every_task_has_at_least_eight_different_wordings():
    """Different ones: what stands under multiple choice and under open alike counts once."""
    of_task, few = {}, set()
    for name, form in forms().items():
        texts = set(form.wordings())
        of_task.setdefault(name.split(".")[0], set()).update(texts)
        few |= {name} if len(texts) < 8 else set()
    assert {task: len(texts) for task, texts in of_task.items() if len(texts) < 8} == {}
    # Lengths and ratios that state their definition, and points, have three to six a form.
    assert {name.split(".")[0] for name in few} <= {"distance", "extent", "ground_distance", "localization", "times"}


def test_one_question_each_short_and_with_its_frame():
    for name, form in forms().items():
        for text in form.wordings():
            assert text.count("?") == 1 and text.endswith("?"), text
            assert text[0].isupper() and "  " not in text
            assert len(text.split()) <= 25, text
            if name.startswith("nearer") or name in ("direction.side", "direction.quadrant"):
                assert "camera" in text
            if name.startswith("size"):
                assert "real" in text
            if name.startswith("localization.point") and "Which" in text:
                assert "percent of the picture" in text
            fields = {field for _, field, _, _ in string.Formatter().parse(text) if field}
            assert fields <= {"a", "b", "c", "x", "y", "z", "d", "p", "q", "at", "list", "points", "units"}


PLAIN = SynthSettings(tasks=dict.fromkeys(vocabulary.PLAIN_TASKS, 4.0), wordings="plain", numbers="fixed")


def test_vocabulary_covers_whatever_is_asked():
    names = {word for block in ROOM for word in block.name.split()}
    known = vocabulary.all_words() | names
    for seed in range(8):
        for question in synthesise(golden(ROOM), settings=PLAIN, seed=seed):
            for text in (question.text, question.answer):
                assert set(vocabulary.atoms(text)) <= known
    for text in vocabulary.example_texts(["red chair", "blue box", "green ball", "lamp"]):
        assert set(vocabulary.atoms(text)) <= known | set(vocabulary.atoms("red chair blue box green ball lamp"))
    assert vocabulary.vocabulary() == sorted(vocabulary.all_words())


def test_lengths_and_points_as_text():
    assert [phrasing.metres(v) for v in (0.04, 0.25, 2.449, 9.94, 9.96, 12.4)] == [
        "0.0 m",
        "0.2 m",
        "2.4 m",
        "9.9 m",
        "10 m",
        "12 m",
    ]
    for value in np.linspace(0.3, 30, 200):
        number, unit = phrasing.metres(value).split()
        assert unit == "m" and float(number) == pytest.approx(value, abs=0.051 if value < 9.9 else 0.51)
    assert phrasing.point(5, 70) == "(5, 70)"
    assert phrasing.listing(["cup", "red box", "lamp"]) == "the cup, the red box or the lamp"


def test_multiple_choice_text_is_exact():
    assert phrasing.multiple_choice("Which?", ["a b", "c"]) == "Which?\nA. a b\nB. c"
    fact = pair()
    words = render(fact, "mc", np.random.default_rng(0))
    assert words.text == "\n".join([words.question, *(f"{le}. {o}" for le, o in zip("ABCD", words.options))])
    assert words.answer == "ABCD"[words.answer_index] and words.options[words.answer_index] == fact.answer


def pair(**changes):
    values = {
        "task": "nearer",
        "form": "nearer.pair_near",
        "kind": "ordinal",
        "frame": "camera",
        "operands": ("1", "2"),
        "style": "pair",
        "answer": "red box",
        "wrong": ("blue box",),
        "value": 1.3,
        "unit": "ratio",
        "margin": 0.2,
        "formula": "f",
    }
    return Fact(**{**values, **changes})


def turn():
    return pair(
        form="hypothetical.facing",
        style="value",
        answer="left",
        wrong=("right", "front", "behind"),
        slots={"x": "chair", "y": "sofa", "z": "box", "at": "at the"},
    )


def even(counts, total):
    """Whether counts of equally likely things are within five standard deviations of even."""
    share = total / len(counts)
    return all(abs(n - share) < 5 * np.sqrt(share) for n in counts.values())


@pytest.mark.parametrize("fact", [pair(), turn()], ids=["two", "four"])
def test_letters_are_even(fact):
    rng = np.random.default_rng(3)
    letters = Counter(render(fact, "mc", rng).answer for _ in range(2000))
    assert len(letters) == 1 + len(fact.wrong) and even(letters, 2000)


@pytest.mark.parametrize("fact", [pair(), turn()], ids=["pair", "value"])
def test_yes_is_as_frequent_as_no_and_both_are_true(fact):
    rng = np.random.default_rng(4)
    seen = Counter()
    for _ in range(1000):
        words = render(fact, "yesno", rng)
        seen[words.answer] += 1
        if fact.style == "pair":
            claims_red = re.search(r"red box (closer|nearer)|is the red box closer", words.question)
            assert bool(claims_red) == (words.answer == "yes"), words.question
        else:
            assert ("on your left?" in words.question) == (words.answer == "yes")
    assert even(seen, 1000)


def test_first_named_is_right_half_of_the_time_whatever_the_letter():
    rng = np.random.default_rng(5)
    both = Counter()
    for _ in range(1000):
        words = render(pair(), "mc", rng)
        both[words.question.index("red box") < words.question.index("blue box"), words.answer] += 1
    assert len(both) == 4 and even(both, 1000)


def test_wrong_lengths_are_spaced_and_the_right_one_has_no_usual_rank():
    rng = np.random.default_rng(6)
    ranks = Counter()
    for value in np.exp(rng.uniform(np.log(1.2), np.log(20), 1200)):
        options = [phrasing.metres(value), *spaced(value, rng)]
        numbers = [float(option.split()[0]) for option in options]
        assert len(set(options)) == 4
        ordered = sorted(numbers)
        assert min(b / a for a, b in pairwise(ordered)) >= RATIO - 1e-9
        ranks[ordered.index(numbers[0])] += 1
    assert len(ranks) == 4 and even(ranks, 1200)
    for value in (0.3, 0.4, 0.55):
        numbers = sorted(float(t.split()[0]) for t in [phrasing.metres(value), *spaced(value, rng)])
        assert min(b / a for a, b in pairwise(numbers)) >= RATIO - 1e-9 and numbers[0] > 0


def test_formats_follow_the_wordings():
    assert formats_of(pair()) == ("mc", "open", "yesno", "steps")
    point = pair(form="localization.point_nearest", style="point")
    assert formats_of(point) == ("mc",)
    with pytest.raises(ValueError, match="no wording"):
        render(point, "open", np.random.default_rng(0))


def test_order_keeps_equal_operands_and_twins_apart():
    operands = [frozenset(p) for p in ("ab", "ab", "ab", "cd", "cd", "ef", "gh", "abc", "abc", "xyz")]
    twins = [None] * 7 + ["t", "t", None]
    for seed in range(50):
        order = apart(operands, twins, np.random.default_rng(seed))
        assert sorted(order) == list(range(10))
        assert all(operands[i] != operands[j] for i, j in pairwise(order))
        assert abs(order.index(7) - order.index(8)) > 1
    assert len({tuple(apart(operands, twins, np.random.default_rng(s))) for s in range(20)}) > 15


def test_what_is_only_supposed_is_asked_in_the_conditional():
    for name, form in forms().items():
        if name.startswith("camera_move."):
            for text in form.wordings():
                assert text.startswith("If ") == ("would the" in text), text


@pytest.mark.parametrize("name", ["slope.at", "planes.pair"])
def test_a_choice_of_two_kinds_does_not_name_a_third(name):
    for text in forms()[name].mc:
        assert not re.search("sloped|vertical|neither|parallel|perpendicular", text), text


def test_on_the_ground_the_middle_is_that_of_what_is_seen():
    for name in ("ground_distance.between", "ground_distance.camera"):
        assert all("of the visible part" in text for text in forms()[name].wordings())

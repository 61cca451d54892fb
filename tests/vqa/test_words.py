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
from pseudogd.vqa.synth import synthesise
from pseudogd.vqa.tasks import forms
from pseudogd.vqa.tasks.distance import RATIO, spaced

NEAR = r"\b(closer|nearer|closest|nearest|smaller|smallest)\b"
FAR = r"\b(farther|more distant|farthest|most distant|larger|largest)\b"
# For each form: what each wording must say, and what it must not say, when object names are taken out.
MEANING = {
    "nearer.pair_near": (NEAR, FAR),
    "nearer.pair_far": (FAR, NEAR),
    "nearer.nearest": (NEAR, FAR),
    "nearer.farthest": (FAR, NEAR),
    "direction.side": (r"\b(side|left|right)\b", r"height|higher|lower"),
    "direction.height": (r"\b(higher|lower|above|below)\b", r"\b(left|right|wid)"),
    "direction.quadrant": (r"\bcamera\b", r"left|right|closer|farther"),
    "distance.camera": (r"\bmiddle of the \{a\}.*camera|camera.*middle of the \{a\}", r"\{b\}|closest parts"),
    "distance.centre": (r"\bmiddles?\b", r"closest parts|camera|gap"),
    "distance.gap": (r"\bclosest parts\b", r"middle|camera"),
    "hypothetical.facing": (r"(face|facing|look at) the \{y\}|look at the \{y\}", r"away|back"),
    "hypothetical.away": (r"away from the \{y\}|back to the \{y\}|\{y\} behind your back", r"look at|facing"),
    "localization.nearest_object": (NEAR, FAR),
    "localization.farthest_object": (FAR, NEAR),
    "localization.point_nearest": (NEAR, FAR),
    "localization.point_between": (r"floor.*between|[Bb]etween.*floor", NEAR + "|" + FAR),
    "localization.point_front": (r"\{d\} from the \{a\} toward the camera", NEAR + "|" + FAR),
    "localization.point_near_camera": (NEAR, FAR),
    "localization.point_far_camera": (FAR, NEAR),
    "size.taller": (r"taller|larger real height|real height.*larger", r"shorter|smaller|wid|narrow"),
    "size.shorter": (r"shorter|smaller real height|real height.*smaller", r"taller|larger|wid|narrow"),
    "size.wider": (r"wider|larger real width|real width.*larger", r"narrower|smaller|tall|height"),
    "size.narrower": (r"narrower|smaller real width|real width.*smaller", r"wider|larger|tall|height"),
    "size.larger": (r"larger|taller and wider", r"smaller|shorter|narrower"),
    "size.smaller": (r"smaller|shorter and narrower", r"larger|taller|wider"),
    "size.tallest": (r"tallest|largest real height", r"wid|small|short"),
}
CLAIMS = {
    "left": r"\bleft\b",
    "right": r"\bright\b",
    "higher": r"\b(higher|above)\b",
    "lower": r"\b(lower|below)\b",
    "front": r"in front of you",
    "behind": r"\bbehind you\?",
}
OTHER = {"left": "right", "right": "left", "higher": "lower", "lower": "higher", "front": "behind", "behind": "front"}


def test_every_form_has_a_meaning_and_wordings():
    assert set(MEANING) == set(forms())
    for name, form in forms().items():
        assert len(form.mc) >= 3, name
        for wordings in (form.mc, form.open, *form.yesno.values()):
            assert len(set(wordings)) == len(wordings)


@pytest.mark.parametrize("name", forms())
def test_each_wording_says_its_own_relation_and_no_other(name):
    must, must_not = MEANING[name]
    form = forms()[name]
    for text in (*form.mc, *form.open):
        assert re.search(must, text), text
        assert not re.search(must_not, text), text
    for value, wordings in form.yesno.items():
        for text in wordings:
            if value == "a":
                assert re.search(must, text) and not re.search(must_not, text), text
            else:
                assert re.search(CLAIMS[value], text), text
                assert not re.search(CLAIMS[OTHER[value]], text), text
            if "{b}" in text and "{a}" in text and "that of" not in text:
                # "Compared with b, is a ..." turns the order of names but not the claim.
                assert text.index("{a}") < text.index("{b}") or text.startswith(("Compared with", "On which")), text


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
            assert fields <= {"a", "b", "x", "y", "z", "d", "at", "list"}


def test_vocabulary_covers_whatever_is_asked():
    names = {word for block in ROOM for word in block.name.split()}
    known = vocabulary.all_words() | names
    for seed in range(8):
        for question in synthesise(golden(ROOM), seed=seed):
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
    assert formats_of(pair()) == ("mc", "open", "yesno")
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

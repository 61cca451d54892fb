import pytest

from pseudogd.benchmarks.parsing import parse, parse_lenient, parse_official

OPTIONS = ["left of it", "the red chair", "1.2 m", "behind"]

# reply, official "re" (None: falls back to A), official "direct", lenient
TABLE = [
    ("B", None, "B", "B"),
    ("(B)", None, "(", "B"),
    ("Answer: B", "B", "A", "B"),
    ("**Answer:** B", None, "*", "B"),
    ("Answer: (B)", None, "A", "B"),
    ("The answer is B.", None, "T", "B"),
    ("<answer>B</answer>", None, "<", "B"),
    ("", None, None, None),
]


@pytest.mark.parametrize(("reply", "by_re", "by_direct", "lenient"), TABLE)
def test_the_reference_table(reply, by_re, by_direct, lenient):
    assert parse_official(reply, "re") == by_re
    assert parse_official(reply, "direct") == by_direct
    assert parse_lenient(reply, OPTIONS) == lenient
    assert parse(reply, OPTIONS, "re").official == (by_re or "A")


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("Answer: A\nno, wait\nAnswer: C", "C"),
        ("ANSWER :\n D", "D"),
        ("Answer: b", "b"),
        ("Answer: **B**", None),
        (r"\boxed{B}", None),
        ("Answer: Behind", None),
        ("Answer: E", None),
    ],
)
def test_official_re_takes_the_last_match_as_it_is_written(reply, letter):
    assert parse_official(reply, "re") == letter


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ('{"analysis": "x", "answer": "b"}', "B"),
        ('```json\n{"answer": "C."}\n```', "C"),
        ('So: ```json\n{"answer": "C"}\n```', None),
        ('{"analysis": "x"}', None),
        ('{"answer": 2}', None),
        ('["B"]', None),
        ("B", None),
    ],
)
def test_official_json(reply, letter):
    assert parse_official(reply, "json") == letter


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("b", "B"),
        ("B.", "B"),
        ("B) the red chair", "B"),
        ("B the red chair", "B"),
        ("**B**", "B"),
        ("Option C", "C"),
        ("answer: b", "B"),
        ("Answer: **D**", "D"),
        (r"$\boxed{B}$", "B"),
        (r"so \boxed{\text{C}}.", "C"),
        ("The correct answer is (B)", "B"),
        ('{"answer": "C"}', "C"),
        ("Answer: A\nNo. Answer: C", "C"),
        ("<think>It may be A.</think>\n(D)", "D"),
        ("The red chair.", "B"),
        ("red chair", "B"),
        ("1.2 m", "C"),
        ("I think it is the red chair", "B"),
        ("I would choose B.", "B"),
        ("C because it is far", "C"),
        # not an answer: an article, two letters, two options, a letter that is no option, something else
        ("A car is turning left.", None),
        ("A or B", None),
        ("A, B", None),
        ("It is behind the red chair", None),
        ("E", None),
        ("I cannot tell.", None),
        ("12", None),
    ],
)
def test_lenient(reply, letter):
    assert parse_lenient(reply, OPTIONS) == letter


def test_an_option_inside_another_is_told_apart():
    options = ["chair", "red chair", "to the left", "left"]
    assert parse_lenient("It is the red chair", options) == "B"
    assert parse_lenient("to the left", options) == "C"
    assert parse_lenient("left", options) == "D"


def test_letters_beyond_the_options_are_failures():
    assert parse_lenient("D", ["one", "two"]) is None
    assert parse("D", ["one", "two"], "direct").strict is None


def test_failure_is_kept_apart_from_the_fallback():
    parsed = parse("no idea", OPTIONS, "re")
    assert (parsed.official, parsed.strict, parsed.lenient) == ("A", None, None)
    parsed = parse("", OPTIONS, "direct")
    assert (parsed.official, parsed.strict, parsed.lenient) == ("", None, None)


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="llm"):
        parse_official("B", "llm")

"""Verbs agree with names of several things, and stay as written for one and in plain wordings."""

import re
from dataclasses import replace

import pytest
from helpers.golden import ROOM, golden

from pseudogd.vqa.plurals import agreeing, is_plural
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.synth import synthesise
from pseudogd.vqa.tasks import forms

SEVERAL = "scissors|measuring spoons|baby wipes|people|glasses|red skis|children|stairs near the door|Jeans"
ONE = "glass|bus|chassis|pack of wipes|box in the stairs|lens|gas|atlas|joke book|is|man in jeans|cactus||s"


@pytest.mark.parametrize("name", SEVERAL.split("|"))
def test_names_of_several(name):
    assert is_plural(name)


@pytest.mark.parametrize("name", ONE.split("|"))
def test_names_of_one(name):
    assert not is_plural(name)


@pytest.mark.parametrize(
    "wording, said",
    [
        ("Is the {a} closer than the {b}?", "Are the {a} closer than the {b}?"),
        ("Where is the {a}: does the {a} lie left?", "Where are the {a}: do the {a} lie left?"),
        ("Is the {b} closer than the {a} is?", "Is the {b} closer than the {a} are?"),
        (
            "Left of the {b} is the {a}, and is its distance larger?",
            "Left of the {b} are the {a}, and is their distance larger?",
        ),
        (
            "The height of the {a}, from its lowest to its top?",
            "The height of the {a}, from their lowest to their top?",
        ),
        ("If the {a} were on the {b}, would its base fit?",) * 2,
        ("The distance to the middle of the {a} is how many meters?",) * 2,
        ("On which side of the {a} is the {b}?",) * 2,
    ],
)
def test_the_verb_of_the_name_and_no_other_changes(wording, said):
    assert agreeing(wording, {"a": "scissors", "b": "box"}) == said
    assert agreeing(wording, {"a": "box", "b": "lamp"}) == wording


def test_no_question_says_is_of_several_things():
    wrong = re.compile(r"\b(is|does|has|was) (really )?the scissors|the scissors, (from|and is) its", re.IGNORECASE)
    seen = 0
    for name, form in forms().items():
        for wording in form.wordings():
            slots = dict.fromkeys(re.findall(r"\{(\w+)\}", wording), "scissors")
            text = agreeing(wording, slots).format(**slots)
            assert not wrong.search(text), (name, text)
            seen += bool(wrong.search(wording.format(**slots)))
    assert seen > 100


def _texts(name: str, wordings: str) -> list[str]:
    """All questions and answers about the golden room with its first thing called so."""
    room = [replace(ROOM[0], name=name), *ROOM[1:]]
    plan = SynthSettings(tasks=dict.fromkeys(("nearer", "direction", "size", "in_front"), 6.0), wordings=wordings)
    return [f"{q.text} {q.answer}" for seed in range(6) for q in synthesise(golden(room), settings=plan, seed=seed)]


def test_the_name_changes_verbs_alone_and_in_plain_wordings_nothing():
    one, several = _texts("scissor", "plain"), _texts("scissors", "plain")
    assert one and [re.sub(r"\bscissor\b", "scissors", text) for text in one] == several
    one, several = _texts("scissor", "all"), _texts("scissors", "all")
    named = [re.sub(r"\bscissor\b", "scissors", text) for text in one]
    said = [re.sub(r"\bis the scissors\b", "are the scissors", text) for text in named]
    said = [re.sub(r"\bIs the scissors\b", "Are the scissors", text) for text in said]
    said = [
        text.replace("oes the scissors", "o the scissors").replace("scissors is?", "scissors are?") for text in said
    ]
    assert several == said and several != named

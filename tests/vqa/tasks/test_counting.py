"""Counts: none and all are possible, and no number is the usual one."""

from collections import Counter

import numpy as np
import pytest
from helpers.golden import ROOM, golden

from pseudogd.vqa.guards import Margins
from pseudogd.vqa.tasks import facts_of
from pseudogd.vqa.tasks.counting import mirrored
from pseudogd.vqa.words.counting import FORMS


@pytest.fixture(scope="module")
def scene():
    return golden(ROOM)


def asked(scene, seed=0):
    return list(facts_of("counting")(scene, np.random.default_rng(seed), Margins()))


def test_none_and_all_are_asked_and_no_number_is_right_most_of_the_time(scene):
    facts = (next(facts_of("counting")(scene, np.random.default_rng(seed), Margins())) for seed in range(400))
    first = Counter(fact.answer for fact in facts)
    assert set(first) == set("01234")
    assert max(first.values()) < 0.4 * 400


def test_every_listed_thing_counts_and_the_reference_is_not_listed(scene):
    for fact in asked(scene):
        names = [entry["name"] for entry in fact.evidence["objects"]]
        roles = Counter(entry["role"] for entry in fact.evidence["objects"])
        assert roles["reference"] == 1 and roles["inside"] == int(fact.answer)
        assert names[0] == fact.slots["a"] and f"the {names[0]}" not in fact.slots["list"]
        assert all(f"the {name}" in fact.slots["list"] for name in names[1:])
        assert len(fact.wrong) == 3 and all(0 <= int(number) <= len(names) - 1 for number in fact.wrong)


def test_what_is_inside_stands_anywhere_in_the_list(scene):
    """The order of the list says nothing."""
    places = Counter()
    for seed in range(60):
        for fact in asked(scene, seed)[:20]:
            roles = [entry["role"] for entry in fact.evidence["objects"][1:]]
            if roles.count("inside") == 1 and len(roles) == 4:
                places[roles.index("inside")] += 1
    total = sum(places.values())
    assert total > 60 and all(places[k] > 0.12 * total for k in range(4))


def test_nothing_is_asked_of_a_thing_that_is_neither_inside_nor_outside(scene):
    close = [*ROOM, type(ROOM[0])("gray card", 0.6, 3.05, 0.3, 0.5)]  # the red card is at 3.00 m
    for fact in asked(golden(close)):
        if fact.form in ("counting.nearer", "counting.farther") and fact.slots["a"] == "gray card":
            assert "red card" not in fact.slots["list"]


def test_a_distance_in_the_question_is_kept_as_metres(scene):
    facts = [fact for fact in asked(scene) if fact.form == "counting.within"]
    assert facts
    for fact in facts:
        assert float(fact.slots["d"].split()[0]) == fact.measures["d"]


def test_mirrored_sides_change_places(scene):
    forms = {fact.form: mirrored(fact).form for fact in asked(scene)}
    assert forms["counting.left"] == "counting.right" and forms["counting.nearer"] == "counting.nearer"


def test_claims_are_grammatical():
    for form in FORMS.values():
        for number, texts in form.yesno.items():
            for text in texts:
                assert ("is exactly one" in text.lower() or "exactly one is" in text) == (number == "1")
                assert " are" in text.lower() or text.startswith("Are") or number == "1"

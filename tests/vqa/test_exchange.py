"""What the self-test sees of two things that change places and of one unit written for another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pseudogd.vqa import lengths, render
from pseudogd.vqa.selftest import exchange, run
from pseudogd.vqa.selftest.golden import ROOMS
from pseudogd.vqa.tasks import forms


@pytest.fixture(scope="module")
def asked():
    scene = ROOMS[0].scene()
    return [(scene, fact) for task in ("distance", "direction") for fact in run.facts_in(scene, task, [0])]


def test_all_is_right_and_every_form_is_looked_at(asked):
    count, flaws = exchange.swap_flaws(asked)
    assert count > 20 and not flaws
    seen = {fact.form for _, fact in asked} & set(exchange.EXCHANGED)
    assert {"distance.centre", "direction.side"} <= seen and set(exchange.EXCHANGED) <= set(forms())
    count, flaws = exchange.unit_flaws([fact for _, fact in asked][:20])
    assert count > 100 and not flaws


def test_a_distance_with_a_direction_is_seen(asked):
    """Mean distance to the nearest point differs from A to B and from B to A: a public generator measures that."""
    wrong = [(scene, replace(fact, value=1.1 * fact.value)) for scene, fact in asked if fact.form == "distance.gap"]
    assert len(exchange.swap_flaws(wrong)[1]) == len(wrong) > 0
    sides = [(scene, fact) for scene, fact in asked if fact.form == "direction.side"]
    turned = [(scene, replace(fact, answer=exchange._opposite(fact.answer))) for scene, fact in sides]
    assert len(exchange.swap_flaws(turned)[1]) == len(turned) > 0


def test_a_unit_that_is_not_changed_everywhere_is_seen(asked, monkeypatch):
    facts = [fact for _, fact in asked if fact.amounts][:5]
    with monkeypatch.context() as patch:
        patch.setattr(render, "in_words", lambda question, unit: question)
        assert any("says meters" in flaw for flaw in exchange.unit_flaws(facts)[1])
    inch = lengths.Unit("in", "inches", 0.0254)
    with monkeypatch.context() as patch:
        patch.setitem(lengths.UNITS, "ft", inch)  # written as inches and called feet
        said = render.render(facts[0], "open", __import__("numpy").random.default_rng(0), render.Words(units="ft"))
    assert exchange._read_back(facts[0], "open", said.answer.replace(" in", " ft"), "ft")

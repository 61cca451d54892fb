"""What cannot be told, beside what can."""

from collections import Counter
from dataclasses import replace

import pytest
from helpers.golden import golden

from pseudogd.geometry.types import Scale
from pseudogd.vqa.selftest.oracles.cannot_tell import CANNOT, FRONTS, MIXED
from pseudogd.vqa.selftest.run import facts_in
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.synth import task_facts
from pseudogd.vqa.tasks import answer_in, forms


def of(scene, form, seeds=range(3)):
    return [fact for fact in facts_in(scene, "cannot_tell", seeds) if fact.form == f"cannot_tell.{form}"]


def test_always_an_option_and_never_the_only_answer():
    for blocks in (FRONTS, MIXED):
        for fact in facts_in(golden(blocks, eye=1.4, pitch_deg=6.0), "cannot_tell"):
            texts = [forms()[fact.form].answers.get(key, key) for key in (fact.answer, *fact.wrong)]
            assert texts.count(CANNOT) == 1 and len(texts) >= 2
            assert fact.evidence["told"] == (texts[0] != CANNOT)
            assert fact.evidence["reason"]


@pytest.mark.parametrize("form", ["behind", "facing"])
def test_as_many_are_told_as_are_not(form):
    facts = of(golden(FRONTS, eye=1.5, pitch_deg=10.0), form)
    told = Counter(fact.evidence["told"] for fact in facts)
    assert told[True] == told[False] > 0


def test_things_without_a_front_are_not_asked_about_alone():
    frontless = [block for block in FRONTS if block.front is None]
    assert len(frontless) > 2 and not of(golden(frontless, eye=1.5, pitch_deg=10.0), "facing")


@pytest.mark.parametrize("changes", [{"scale": Scale.UP_TO_SCALE}, {"with_camera": False}])
def test_no_meters_without_metric_depth(changes):
    scene = golden(MIXED, eye=1.4, **changes)
    facts = of(scene, "meters")
    assert facts
    for fact in facts:
        assert fact.kind == "ordinal" and fact.answer == CANNOT == answer_in(scene, fact)
        assert len(fact.wrong) == 3 and all(text.endswith(" m") for text in fact.wrong)
        assert ("focal" in fact.evidence["reason"][0]) == (scene.geometry.camera is None)


def test_meters_are_told_where_depth_is_metric():
    facts = of(golden(MIXED, eye=1.4), "meters")
    assert facts and all(fact.kind == "metric" and fact.answer != CANNOT and CANNOT in fact.wrong for fact in facts)


def test_a_thing_over_the_border_may_still_be_surely_larger():
    scene = golden(MIXED, eye=1.2)
    pole = next(thing for thing in scene.objects if thing.name == "green pole")
    assert pole.mask[0].any()
    said = {fact.evidence["objects"][1 - fact.operands.index(pole.object_id)]["name"]: fact.answer
            for fact in of(scene, "taller") if pole.object_id in fact.operands}  # fmt: skip
    assert said["red card"] == "green pole" and said["brown door"] == CANNOT


def test_what_is_seen_of_a_thing_must_leave_a_doubt():
    asked = {}
    for base in (0.5, 0.9, 1.1, 1.3, 1.7):
        scene = golden([replace(MIXED[0], base=base), *MIXED[1:]], eye=1.2)
        pole, door = (next(t for t in scene.objects if t.name == name) for name in ("green pole", "brown door"))
        pairs = [set(fact.operands) for fact in of(scene, "taller")]
        asked[pole.tall / door.tall] = {pole.object_id, door.object_id} in pairs
    assert set(asked.values()) == {True, False}
    assert all(said == (share > 0.5) for share, said in asked.items())


def test_being_cut_off_does_not_give_it_away():
    kinds, scene, plain = Counter(), golden(MIXED, eye=1.2), SynthSettings(fair=False)
    for seed in range(40):
        asked = task_facts(scene, "cannot_tell", plain, seed)
        sizes = (fact for fact in asked if fact.form == "cannot_tell.taller")
        fact = next(sizes)
        things = [entry["name"] for entry in fact.evidence["objects"]]
        kinds["green pole" in things, fact.answer == CANNOT] += 1
    assert kinds[True, True] > 3 and kinds[True, False] > 3 and kinds[False, False] > 3

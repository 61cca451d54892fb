"""Every form of every task is true on golden scenes, and the checks see what is not."""

from dataclasses import replace

import pytest

from pseudogd.vqa import phrasing
from pseudogd.vqa.selftest import run, wording
from pseudogd.vqa.selftest.golden import ROOMS
from pseudogd.vqa.selftest.oracles import oracle_of
from pseudogd.vqa.selftest.regressions import REGRESSIONS
from pseudogd.vqa.tasks import TASKS, forms


@pytest.mark.parametrize("task", TASKS)
def test_task(task):
    checks = run.check_task(task)
    assert {check.name for check in checks} > {"true by closed form", "every form is asked"}
    for check in checks:
        assert not check.flaws, (check.name, check.flaws[:3])
    assert next(check for check in checks if check.name == "true by closed form").count > 0


@pytest.mark.parametrize("task", TASKS)
def test_an_oracle_sees_a_wrong_answer(task):
    """The first wrong answer of each form, put in the place of the right one."""
    room = run.rooms_of(task)[0]
    scene, seen = room.scene(), {}
    for fact in run.facts_in(scene, task, [0]):
        seen.setdefault(fact.form, fact)
    assert seen
    for fact in seen.values():
        false = replace(fact, answer=fact.wrong[0], wrong=(fact.answer, *fact.wrong[1:]), value=3 * fact.value + 1)
        assert oracle_of(task)(room, scene, false) is not None, fact.form


@pytest.mark.parametrize("name", REGRESSIONS)
def test_known_mistakes(name):
    assert not REGRESSIONS[name]()


def test_known_mistakes_are_seen(monkeypatch):
    """Each of some mistakes made on purpose."""
    from pseudogd.vqa import categories
    from pseudogd.vqa.guards import Margins
    from pseudogd.vqa.scene import Scene
    from pseudogd.vqa.selftest import regressions

    monkeypatch.setattr(categories, "has_front", lambda name: "car" in name or "chair" in name)
    assert regressions.categories_by_part_of_a_word()
    monkeypatch.setattr(regressions, "Margins", lambda: replace(Margins(), sector=0.0))
    assert regressions.sectors_without_a_margin()
    monkeypatch.setattr(Scene, "require", lambda self, kind: None)
    assert regressions.metres_of_no_metric_depth()
    monkeypatch.setattr(regressions, "written", lambda value, unit: f"{value:.1f} m")
    assert regressions.one_unit_taken_for_another()


def test_an_inverted_template_is_seen():
    name = "nearer.pair_near"
    form = forms()[name]
    bad = replace(form, mc=(*form.mc, "Which is farther from the camera, the {a} or the {b}?"))
    assert not list(wording.flaws(name, form))
    assert any("farther" in flaw for flaw in wording.flaws(name, bad))
    bad = replace(forms()["direction.side"], yesno={"left": ("Is the {a} right of the {b}, seen from the camera?",)})
    assert list(wording.flaws("direction.side", bad))


@pytest.mark.parametrize(
    "text",
    [
        "Which is closer to the camera",
        "Is it near? Is it far?",
        "which is nearer?",
        "Which is  nearer?",
        "Is a {a} near?",
    ],
)
def test_grammar(text):
    form = phrasing.Form(mc=(text,), says=".")
    assert list(wording.flaws("x", form))


def test_mirrored_twice_is_the_same():
    scene = ROOMS[0].scene()
    for task in ("direction", "hypothetical", "localization"):
        for fact in run.facts_in(scene, task, [0]):
            once = run.mirrored(fact)
            assert once is not None
            again = run.mirrored(once[0])
            assert again is not None and (again[0].answer, again[0].wrong) == (fact.answer, fact.wrong)
            assert again[0].evidence.get("points") == fact.evidence.get("points")

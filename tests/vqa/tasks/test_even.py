"""Drawn fairly, a task's answers are even, and rules of the flat picture are right as often as wrong."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest
from helpers.golden import golden

from pseudogd.vqa.fairness import opposites
from pseudogd.vqa.selftest.golden import CARDS, SURE, Block
from pseudogd.vqa.selftest.oracles import rooms_of
from pseudogd.vqa.selftest.oracles.free_space import LOW
from pseudogd.vqa.selftest.oracles.planes import YARD
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.synth import generator, task_facts
from pseudogd.vqa.tasks._marked import APART
from pseudogd.vqa.tasks._opposed import OFF, ROW, Alike, Opposed, opposed

SEEDS = 150
FAIR = SynthSettings()


def first_facts(scene, task, seeds=SEEDS, each=4):
    """What would be asked first of a photo, over many seeds."""
    return [fact for seed in range(seeds) for fact in islice(task_facts(scene, task, FAIR, seed), each)]


def points(fact):
    return np.array([entry["percent"] for entry in fact.evidence["points"]])


def shares(facts, rule):
    """How often the rule, a number of two points, is lower (and higher) for the right one."""
    values = [rule(points(fact)[:2]) for fact in facts]
    return np.mean([one < other for one, other in values]), np.mean([one > other for one, other in values])


def even(low, high, slack=0.2):
    return abs(low - high) < slack


@pytest.fixture(scope="module")
def yard():
    return golden(YARD, eye=1.6, pitch_deg=15.0)


@pytest.fixture(scope="module")
def surfaces(yard):
    return {task: first_facts(yard, task) for task in ("slope", "planes")}


def test_opposites_come_in_pairs_of_one_kind():
    signs = [[1, -1]] * 30 + [[-1, 1]] * 2 + [[1, 1]] * 9 + [[0, 0]] * 3
    kinds = ["a"] * 41 + ["b"] * 3
    asked = [(kinds[k], *signs[k]) for k in opposites(signs, generator(0), kinds)]
    assert Counter(asked) == {("a", 1, -1): 2, ("a", -1, 1): 2, ("b", 0, 0): 3}
    first = [signs[next(opposites(signs[:41], generator(seed)))] for seed in range(1000)]
    assert abs(first.count([1, -1]) / 1000 - 0.5) < 0.05 and [1, 1] not in first


def test_nothing_is_drawn_of_what_has_no_opposite():
    assert not list(opposites([[1], [1]], generator(0)))
    assert not list(opposites([[1], [-1]], generator(0), kinds=["a", "b"]))
    assert not list(opposites(np.zeros((0, 2)), generator(0)))
    assert not list(Opposed.joined([]).drawn(generator(0)))


def test_two_points_in_one_row_as_far_away():
    percent = np.stack(np.meshgrid(np.arange(5, 100, 5), np.arange(5, 100, 5)), axis=-1).reshape(-1, 2)
    left = percent[:, 0] < 50
    pairs = opposed(percent, left, ~left, generator(0))
    gap = percent[pairs.picks[:, 0]] - percent[pairs.picks[:, 1]]
    off = np.abs(np.abs(percent[pairs.picks] - 50)[..., 0] @ [1, -1])
    assert len(gap) and np.abs(gap[:, 1]).max() == ROW and off.max() <= OFF and np.hypot(*gap.T).min() >= 12
    assert left[pairs.picks[:, 0]].all() and not left[pairs.picks[:, 1]].any()
    assert (np.sign(gap[:, 1]) == pairs.signs[:, 0]).all()


def test_pairs_sought_once_for_all_questions_are_those_of_each():
    rng = np.random.default_rng(2)
    percent, kinds = rng.integers(0, 101, (60, 2)), rng.integers(-1, 3, 60)
    away = np.abs(percent[:, 0] - 50)
    by_hand = {
        (i, j): (np.sign(percent[i, 1] - percent[j, 1]), np.sign(away[i] - away[j]))
        for i in range(60)
        for j in range(60)
        if abs(percent[i, 1] - percent[j, 1]) <= ROW
        and abs(away[i] - away[j]) <= OFF
        and np.hypot(*(percent[i] - percent[j])) >= APART
    }
    alike = Alike.of(percent)
    assert {(i, j): tuple(s) for i, j, s in zip(alike.first, alike.second, alike.signs)} == by_hand
    known = {pair for pair in by_hand if kinds[pair[0]] != kinds[pair[1]] and min(kinds[list(pair)]) >= 0}
    told = alike.different(kinds)
    assert set(zip(told.first, told.second)) == known
    for kind in range(3):
        right, wrong = kinds == kind, (kinds >= 0) & (kinds != kind)
        shared, own = told.opposed(right, wrong, generator(0)), opposed(percent, right, wrong, generator(0))
        assert shared.picks.tolist() == own.picks.tolist() and shared.signs.tolist() == own.signs.tolist()
        assert {tuple(pair) for pair in own.picks} == {pair for pair in known if kinds[pair[0]] == kind}


def test_which_of_two_surfaces_is_not_told_by_where_they_are(surfaces):
    for task, facts in surfaces.items():
        forms = {fact.form for fact in facts if len(fact.evidence["points"]) > 1 and fact.form != "planes.pair"}
        assert len(forms) == 2, task
        for form in forms:
            mine = [fact for fact in facts if fact.form == form]
            assert len(mine) > 30 and all(len(fact.wrong) == 1 for fact in mine)
            assert even(*shares(mine, lambda at: at[:, 1])), form
            assert even(*shares(mine, lambda at: np.abs(at[:, 0] - 50))), form
            assert all(abs(np.diff(points(fact)[:2, 1])[0]) <= ROW for fact in mine)


@pytest.mark.parametrize(("task", "form"), [("slope", "slope.at"), ("planes", "planes.pair")])
def test_either_of_two_kinds_is_as_often_the_answer(surfaces, task, form):
    facts = [fact for fact in surfaces[task] if fact.form == form]
    first = [fact.answer == min(fact.answer, *fact.wrong) for fact in facts]
    assert len(first) > 60 and abs(np.mean(first) - 0.5) < 0.12
    assert all(len(fact.wrong) == 1 for fact in facts)


def test_low_in_the_picture_is_as_often_level_as_not(surfaces):
    right = [f.evidence["shortcut"]["right"] for f in surfaces["slope"] if "shortcut" in f.evidence]
    assert len(right) > 60 and abs(np.mean(right) - 0.5) < 0.12


def test_free_floor_is_not_told_by_the_distance_in_the_picture():
    """A low table stands before a long one: floor is as near to either as its top is."""
    blocks = [*LOW, Block("low table", 0.1, 2.6, 0.5, 0.25, 0.3)]
    facts = first_facts(golden(blocks, eye=1.6, pitch_deg=22.0), "free_space", 60)
    forms = Counter(fact.form for fact in facts)
    assert max(forms.values()) > 60
    for form, count in forms.items():
        mine = [fact for fact in facts if fact.form == form]
        assert all(len(fact.wrong) == 1 and fact.evidence["points"][0]["floor"] for fact in mine)
        assert count < 60 or even(*shares(mine, lambda at: at[:, 1])), form


def test_viewpoints_are_as_often_the_camera_s_side_as_not():
    scene = golden(CARDS, settings=SURE)
    facts = first_facts(scene, "viewpoint")
    assert abs(np.mean([fact.evidence["shortcut"]["right"] for fact in facts]) - 0.5) < 0.1
    assert abs(np.mean([fact.answer == "left" for fact in facts]) - 0.5) < 0.1


def test_a_photo_that_shows_all_things_whole_is_not_asked_what_cannot_be_told():
    scene = golden(CARDS, eye=1.4, settings=SURE)
    fair = {fact.form for fact in first_facts(scene, "cannot_tell", 5, 20)}
    all_of_it = SynthSettings(fair=False)
    asked = {fact.form for fact in task_facts(scene, "cannot_tell", all_of_it)}
    sizes = {"cannot_tell.taller", "cannot_tell.wider"}
    assert sizes & asked and not sizes & fair


@pytest.mark.parametrize("task", ["clock", "octant", "turn"])
def test_wrong_answers_are_right_ones_of_the_same_photo(task):
    """An answer that stands among the options is as often right as its share: 12 o'clock is no better than others."""
    won, offered, chance = Counter(), Counter(), Counter()
    for room in rooms_of(task)[:2]:
        for fact in first_facts(room.scene(), task, 30, 2):
            if fact.form.startswith("turn.amount"):
                continue
            form = fact.form
            for key in (fact.answer, *fact.wrong):
                won[form, key] += key == fact.answer
                chance[form, key] += 1 / (1 + len(fact.wrong))
                offered[form, key] += 1
    common = [key for key in offered if offered[key] > 30]
    assert common
    for key in common:
        assert abs(won[key] - chance[key]) < 4 * np.sqrt(offered[key] / 4), key


def test_each_ratio_of_a_question_is_as_likely_to_be_the_right_one():
    for pick in (min, max):
        gain = []
        for room in rooms_of("times")[:2]:
            for fact in first_facts(room.scene(), "times", 60, 3):
                options = [float(text.split()[0]) for text in (fact.answer, *fact.wrong)]
                gain.append((options[0] == pick(options)) - 1 / len(options))
        assert len(gain) > 200 and abs(np.mean(gain)) < 0.1


def test_a_limit_does_not_tell_the_count():
    facts = [f for room in rooms_of("counting") for f in first_facts(room.scene(), "counting", 4, 80)]
    left = Counter()
    for fact in facts:
        if fact.form == "counting.within":
            size = len(fact.operands) - 1
            left[fact.measures["d"], size] += 2 * int(fact.answer) - size
    assert left and not any(left.values())

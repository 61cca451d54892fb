"""Facts drawn so that the right answer's place in the flat picture tells nothing."""

from collections import Counter
from itertools import islice, pairwise

import numpy as np
import pytest
from helpers.golden import ROOM, golden

from pseudogd.errors import InputError
from pseudogd.vqa.fairness import alternatives, evenly, first_evenly, rank_of
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.synth import generator, synthesise, task_facts


def first_ranks(ranks, counts, **options):
    """How often each rank is the first to be asked, over many photos with the same facts."""
    firsts = [next(evenly(ranks, counts, generator(seed), **options), None) for seed in range(2000)]
    return Counter(None if k is None else ranks[k] for k in firsts)


def test_every_rank_comes_equally_often_however_rare_it_is():
    ranks = [(0,)] * 50 + [(1,)] * 3 + [(2,)]
    found = first_ranks(ranks, [3] * len(ranks))
    assert sum(found.values()) == 2000
    assert all(abs(found[rank,] / 2000 - 1 / 3) < 0.04 for rank in range(3))


def test_by_two_rules_each_has_every_rank():
    ranks = [(0, 2)] * 9 + [(1, 0)] * 2 + [(2, 1)] + [(0, 0)] * 30
    asked = [ranks[k] for k in evenly(ranks, [3] * len(ranks), generator(0))]
    assert sorted(asked) == [(0, 2), (1, 0), (2, 1)]


def test_a_photo_that_lacks_a_rank_is_not_asked():
    assert not first_ranks([(0,)] * 9 + [(1,)] * 9, [3] * 18)[0,]
    opposite = first_ranks([(0,)] * 9 + [(1,)] * 9 + [(3,)], [4] * 19, opposite=True)
    assert opposite[1,] == 0 and abs(opposite[0,] - opposite[3,]) < 200


def test_kinds_and_counts_are_not_mixed():
    assert not list(evenly([(0,), (1,)], [2, 2], generator(0), kinds=["near", "far"]))
    assert not list(evenly([(0,), (1,)], [2, 3], generator(0)))


@pytest.mark.parametrize("rules", [1, 2])
def test_the_first_alone_is_the_first_of_all_by_the_same_draws(rules):
    for seed in range(200):
        ranks = generator(seed, "ranks").integers(0, 4, size=(30, rules))
        one, other = generator(seed), generator(seed)
        ordered = evenly([tuple(row) for row in ranks.tolist()], [4] * len(ranks), one)
        assert first_evenly(ranks, 4, other) == next(ordered, None)
        assert one.random() == other.random()


def test_ranks_count_the_wrong_answers_that_lie_below():
    assert rank_of([3, 1, 2, 9]) == (2,)
    assert rank_of([1, 1, 1], [5, 4, 3]) == (0, 2)


def test_each_length_of_a_question_is_as_likely_to_be_the_right_one():
    """1 m stands in every set: a rule "the shortest" or "1 m" is right as often as chance has it."""
    lengths = {"a": 1.0, "b": 1.9, "c": 2.1, "d": 2.3, "e": 4.0}
    rank, chance = [], []
    for seed in range(2000):
        key, others = next(alternatives(lengths, 1.6, 4, generator(seed)))
        values = sorted(lengths[k] for k in (key, *others))
        assert all(b >= 1.6 * a for a, b in pairwise(values))
        rank.append(values.index(lengths[key]) == 0)
        chance.append(1 / len(values))
    assert abs(np.mean(rank) - np.mean(chance)) < 0.04


def test_no_length_is_asked_twice_or_stands_beside_one_that_was():
    lengths = {k: 1.7**k for k in range(12)}
    asked = set()
    for key, others in alternatives(lengths, 1.6, 4, generator(1)):
        assert not asked & {key, *others}
        asked.add(key)
    assert asked


def test_sides_come_in_opposite_pairs():
    scene, found = golden(ROOM), Counter()
    for seed in range(30):
        facts = islice(task_facts(scene, "hypothetical", SynthSettings(), seed), 8)
        found.update(fact.answer for fact in facts if fact.form == "hypothetical.facing")
    assert found and abs(found["left"] - found["right"]) <= 6 and abs(found["front"] - found["behind"]) <= 6


@pytest.mark.parametrize("form", ["localization.point_near_camera", "localization.point_far_camera"])
def test_points_before_the_camera_lie_in_one_row(form):
    facts = [fact for seed in range(20) for fact in task_facts(golden(ROOM), "localization", SynthSettings(), seed)]
    rows = [[entry["percent"][1] for entry in f.evidence["points"]] for f in facts if f.form == form]
    assert rows and all(max(row) - min(row) <= 10 for row in rows)


def test_the_setting_is_kept_and_may_be_left_out():
    plain = SynthSettings(fair=False).to_dict()
    assert plain["fair"] is False and "fair" not in plain["margins"]
    assert SynthSettings.from_dict(plain) == SynthSettings(fair=False)
    for fair in (True, False):
        plan = SynthSettings(fair=fair)
        assert synthesise(golden(ROOM), settings=plan, seed=1) == synthesise(golden(ROOM), settings=plan, seed=1)
    with pytest.raises(InputError, match="fair='no': must be true or false"):
        SynthSettings(fair="no")
    with pytest.raises(InputError, match="unknown margins setting 'fair'"):
        SynthSettings.from_dict({"margins": {"fair": True}})

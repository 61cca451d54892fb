"""Orders: all permutations are equally likely, right or wrong."""

from collections import Counter

import numpy as np
from helpers.golden import ROOM, golden

from pseudogd.vqa.guards import Margins
from pseudogd.vqa.tasks import facts_of


def test_wrong_orders_are_other_permutations_and_not_the_reversed_alone():
    scene = golden(ROOM)
    reversed_too, seen = Counter(), 0
    for seed in range(20):
        for fact in facts_of("ranking")(scene, np.random.default_rng(seed), Margins()):
            right = fact.answer.split(", ")
            options = [tuple(order.split(", ")) for order in (fact.answer, *fact.wrong)]
            assert len(set(options)) == 4
            assert all(sorted(order) == sorted(right) for order in options)
            reversed_too[tuple(right[::-1]) in options] += 1
            seen += 1
    assert seen > 100 and reversed_too[True] < 0.75 * seen


def test_the_right_order_is_no_more_like_the_wrong_ones_than_they_are_among_themselves():
    """Options that are all neighbors of the right order would give it away without the picture."""
    scene, right, all_of_them = golden(ROOM), [], []
    for seed in range(40):
        for fact in facts_of("ranking")(scene, np.random.default_rng(seed), Margins()):
            options = [order.split(", ") for order in (fact.answer, *fact.wrong)]
            for place in range(len(options[0])):
                likeness = [sum(option[place] == other[place] for other in options) for option in options]
                right.append(likeness[0])
                all_of_them.append(np.mean(likeness))
    assert len(right) > 1000 and abs(np.mean(right) - np.mean(all_of_them)) < 0.05


def test_groups_need_every_two_to_be_told_apart():
    close = [ROOM[0], ROOM[2], type(ROOM[0])("gray card", 0.6, 3.05, 0.4, 0.5)]  # 3.00, 3.05 and 5.00 m
    facts = list(facts_of("ranking")(golden(close), np.random.default_rng(0), Margins()))
    assert not [fact for fact in facts if "near" in fact.form]

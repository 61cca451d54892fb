"""What is proposed, judged on photos that it was not chosen by: closed forms of teachers with known errors."""

import random
from dataclasses import replace

import numpy as np
import pytest

from pseudogd.vqa.calibration import Tried, figures_of, propose, share_of
from pseudogd.vqa.held_out import ENOUGH_PHOTOS, FOLDS, cross_fitted, folds, held_out


def teacher(chance, photos=200, each=10, form="size.taller", seed=0):
    """`each` facts of every photo with margins even in 0 to 1, right with `chance(margin)`."""
    rng = np.random.default_rng(seed)
    margins = rng.random((photos, each))
    right = rng.random((photos, each)) < chance(margins)
    task = form.split(".")[0]
    return [
        Tried(task, form, float(margins[k, n]), bool(right[k, n]), None, False, f"photo {k}")
        for k in range(photos)
        for n in range(each)
    ]


def test_folds_are_even_and_the_same_in_any_order():
    photos = [f"photo {k}" for k in range(23)]
    dealt = folds(photos)
    shuffled = random.Random(0).sample(photos * 2, 46)
    assert folds(shuffled) == dealt and set(dealt) == set(photos)
    sizes = np.bincount(list(dealt.values()))
    assert len(sizes) == FOLDS and sizes.max() - sizes.min() == 1
    assert [dealt[f"photo {k}"] for k in range(23)] != [k % FOLDS for k in range(23)]  # not in the order of names


@pytest.mark.parametrize("seed", range(3))
def test_a_teacher_with_known_errors_keeps_its_promise(seed):
    """Right with 0.7 + 0.3 m at margin m: from m on (1 + 0.7 + 0.3 m) / 2 are, which is 0.94 at m = 0.6."""
    facts = teacher(lambda m: 0.7 + 0.3 * m, seed=seed)
    found = held_out(facts, 0.94, {})["tasks"]["size"]
    promised, held = found["promised"], found["held"]
    assert promised["share"] >= 0.94 and held["share"] == pytest.approx(promised["share"], abs=0.03)
    assert held["share"] == pytest.approx(0.94, abs=0.03) and held["interval"][0] < 0.94 < held["interval"][1]
    assert held["count"] == pytest.approx(0.4 * len(facts), rel=0.25)
    assert found["verdict"] in ("pass", "warn")


def test_a_promise_that_luck_made_does_not_hold():
    """Right in 9 of 10, whatever the margin: of 60 forms of 40 facts some parts look like 95 %, and are not."""
    facts = [
        one for k in range(60) for one in teacher(lambda m: 0.9 + 0.0 * m, photos=40, each=1, form=f"size.f{k}", seed=k)
    ]
    found = held_out(facts, 0.95, {})["all"]
    assert found["promised"]["share"] >= 0.95
    assert found["held"]["share"] < 0.945 and found["verdict"] == "fail"


def test_no_photo_chooses_what_it_is_judged_by():
    facts = teacher(lambda m: 0.6 + 0.4 * m, photos=60)
    for name in ("photo 3", "photo 41"):
        lies = [replace(one, right=not one.right) if one.photo == name else one for one in facts]
        before, after = (
            sorted((one.photo, one.margin) for one in cross_fitted(told, 0.9) if one.photo == name)
            for told in (facts, lies)
        )
        assert before == after
    kept = cross_fitted(facts, 0.9)
    by_hand = []
    dealt = folds(one.photo for one in facts)
    for k in range(FOLDS):
        others = propose([one for one in facts if dealt[one.photo] != k], 0.9)
        by_hand += [one for one in facts if dealt[one.photo] == k and one.margin >= others.least_margin[one.form]]
    assert share_of(kept) == share_of(by_hand) and len(kept) < len(facts)


def test_facts_of_a_photo_are_not_independent():
    """Photos that are all right or all wrong tell as much as one fact each."""
    alone = [Tried("a", "a.b", 1.0, k % 10 > 0, None, False, f"{k}") for k in range(100)]
    eight = [one for one in alone for _ in range(8)]
    wide, narrow = figures_of(eight)["interval"], [round(end, 4) for end in share_of(eight).interval]
    assert wide == pytest.approx(figures_of(alone)["interval"], abs=0.01)
    assert wide[1] - wide[0] > 2.5 * (narrow[1] - narrow[0])
    assert figures_of(eight) | {"interval": None} == {
        **share_of(eight).to_dict(),
        "interval": None,
        "photos": 100,
    }


def test_few_photos_tell_nothing():
    many = teacher(lambda m: 1.0 + 0.0 * m, photos=ENOUGH_PHOTOS)
    assert held_out(many, 0.95, {})["all"]["verdict"] == "pass"
    few = held_out(teacher(lambda m: 1.0 + 0.0 * m, photos=ENOUGH_PHOTOS - 1, each=50), 0.95, {})
    assert few["all"]["verdict"] == "few" and few["all"]["held"] == {"count": 450, "photos": 9, "share": None}
    rare = teacher(lambda m: 1.0 + 0.0 * m, photos=4, form="nearer.pair_near")
    both = held_out([*many, *rare], 0.95, {})["tasks"]
    assert (both["size"]["verdict"], both["nearer"]["verdict"]) == ("pass", "few")
    assert held_out([], 0.95, {})["all"]["held"]["share"] is None


def test_sizes_of_errors_are_told_without_each_fold():
    """One photo that is far off is in the sizes of all folds but its own."""
    errors = {f"photo {k}": [0.0, 0.1, -0.1] for k in range(5)} | {"photo 7": [0.0, 3.0, -3.0]}
    found = held_out([], 0.95, errors)["depth_errors"]
    without = folds(errors)["photo 7"]
    assert found[without]["own"] == pytest.approx(0.1)
    assert all(found[k]["own"] >= 0.1 for k in range(FOLDS))
    assert held_out([], 0.95, {})["depth_errors"] == [{}] * FOLDS

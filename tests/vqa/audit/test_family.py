"""Of many parts the worst is bad by chance: fair questions do not fail for that, and a bias is found all the same."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from helpers import audit_rows as made
from scipy.stats import binom

from pseudogd.vqa.audit import answers
from pseudogd.vqa.audit.answers import letter_check, yes_check
from pseudogd.vqa.audit.family import FAMILY, as_family, holm, p_beyond
from pseudogd.vqa.audit.intervals import mean_interval
from pseudogd.vqa.audit.items import Item, read_items
from pseudogd.vqa.audit.limits import Limits, Part

SMALL = [(f"task {k}", k % 3 + 2, 30 + 3 * k) for k in range(9)]
REAL = [("direction", 4, 150), ("distance", 4, 630), ("nearer", 2, 490), ("nearer", 4, 130), ("size", 3, 32)]
"""Tasks, numbers of options and of questions; the second as 600 rooms give them."""


@pytest.fixture
def fast(monkeypatch):
    """Coarser intervals: what is tested here is what a hundred audits do."""
    monkeypatch.setattr(answers, "mean_interval", partial(mean_interval, draws=200))


def asked(rng, parts, favoured=None, share=0.4):
    """Questions whose right option is anywhere, but for `favoured`: there it is the first in `share` of them."""
    items = []
    for task, count, n in parts:
        p = np.full(count, 1 / count)
        if (task, count) == favoured:
            p[:] = (1 - share) / (count - 1)
            p[0] = share
        photos = rng.integers(600, size=n)
        items += [item(task, count, int(k), str(photo)) for k, photo in zip(rng.choice(count, n, p=p), photos)]
    return items


def item(task, count, right, photo):
    options = ("left", "right", "above", "below")[:count]
    told = ("stem", "template", "ABCD"[right], options, right, None, None, 1.0, None, None, None, ())
    return Item("id", photo, task, task, "mc", "ordinal", "camera", *told, candidates=options, right=right)


def claim(task, photo, no):
    told = ("yes", "no")[no]
    return Item("id", photo, task, task, "yesno", "ordinal", "camera", "stem", "template", told, *(None,) * 8, ())


def beyond(parts, limit):
    """Whether a part is beyond the limit by its own 95 % interval."""
    return any(part.interval[0] > limit for part in parts)


def test_the_letters_of_fair_questions_fail_in_no_more_than_one_audit_of_a_hundred(fast):
    alone = together = 0
    for seed in range(100):
        found = letter_check(asked(np.random.default_rng(seed), SMALL), Limits())
        together += found.verdict == "fail"
        alone += beyond(found.parts, Limits().letter)
    assert together <= 1
    assert alone >= 5, "without the correction such data fails often: the test would prove nothing"


def test_yes_and_no_of_fair_questions_fail_as_seldom():
    together = alone = 0
    for seed in range(50):
        said = np.random.default_rng(seed).integers(2, size=(8, 40))
        rows = [claim(f"task {t}", str(k), bool(no)) for t, row in enumerate(said) for k, no in enumerate(row)]
        found = yes_check(rows, Limits())
        together += found.verdict == "fail"
        alone += beyond(found.parts, Limits().yes)
    assert together <= 1 < alone


@pytest.mark.parametrize("favoured", [("distance", 4), ("direction", 4)])
def test_a_letter_that_is_right_too_often_in_one_task_is_found(fast, favoured):
    """15 points too often: of 630 questions always, of 150 in more than every second audit, and warned of otherwise."""
    found = 0
    for seed in range(20):
        check = letter_check(asked(np.random.default_rng(seed), REAL, favoured), Limits())
        assert check.verdict in ("fail", "warn")
        found += check.verdict == "fail" and check.worst.name == f"{favoured[0]}, 4 options"
    assert found == 20 if favoured == ("distance", 4) else found > 10


def test_p_is_that_of_the_exact_binomial():
    """But for the design effect, which is estimated: a part of n above 1 where no two share a photo."""
    right = np.repeat([1.0, 0.0], [130, 270])
    photos = [str(k) for k in range(400)]
    exact = partial(pytest.approx, rel=0.03)
    assert p_beyond(right - 0.25, 0.25, 0.0, photos) == exact(binom.sf(129, 400, 0.25))
    assert p_beyond(right - 0.25, 0.25, 0.05, photos) == exact(binom.sf(129, 400, 0.3))
    assert p_beyond(right - 0.25, 0.25, 0.0, photos, looks=4) == exact(4 * binom.sf(129, 400, 0.25))
    photos = photos[:40]
    assert p_beyond(np.zeros(40), 0.0, 0.0, photos) == p_beyond([], 0.0, 0.0, []) == 1.0
    assert p_beyond(np.ones(40), 0.0, 1.0, photos) == 1.0
    assert p_beyond(np.ones(40), 0.0, 0.6, photos) == pytest.approx(0.6**40)


def test_questions_of_one_photo_count_as_what_they_tell():
    """Ten that always agree are one."""
    right = np.random.default_rng(0).integers(2, size=60).astype(float)
    alone = p_beyond(right - 0.3, 0.3, 0.0, [str(k) for k in range(60)])
    shared = p_beyond(np.repeat(right, 10) - 0.3, 0.3, 0.0, [str(k) for k in range(60) for _ in range(10)])
    assert shared == pytest.approx(alone, rel=0.2)


def test_holm_steps_down():
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([]).size == 0 and holm([0.9, 0.9]).tolist() == [1.0, 1.0]


def test_the_family_wise_error_rate_is_held_for_whatever_depends_on_whatever():
    """Of p-values that are as small as chance makes them: of independent ones, and of copies of one another."""
    rng = np.random.default_rng(0)
    for p in (rng.random((4000, 20)), np.repeat(rng.random((4000, 1)), 20, axis=1)):
        rate = np.mean([holm(row).min() <= FAMILY for row in p])
        assert rate <= FAMILY + 3 * (FAMILY / 4000) ** 0.5
    assert np.mean(rng.random((4000, 20)).min(axis=1) <= FAMILY) > 0.1


def test_what_is_too_few_to_fail_does_not_count():
    parts = [Part(str(k), 0.5, (0.2, 0.8), n, "fail", p=0.02) for k, n in enumerate((40, 5, 5, 5, 50))]
    assert [part.verdict for part in as_family(parts, 30)] == ["fail"] * 5
    parts = [Part(str(k), 0.5, (0.2, 0.8), 40, "fail", p=0.02) for k in range(5)]
    found = as_family(parts, 30)
    assert {part.verdict for part in found} == {"warn"} and found[0].p == pytest.approx(0.1)


def test_every_part_that_has_an_interval_was_corrected():
    """A check that forgot the correction would judge its parts one by one."""
    from pseudogd.vqa.audit.findings import guess_checks

    rows = made.fair()
    for k, row in enumerate(rows):
        row["evidence"]["shortcut"] = {"rule": "lower is nearer", "right": k % 2 == 0}
        if row["task"] == "hypothetical":
            row["evidence"] |= {"camera_view": "left", "fact": {"answer": "right", "wrong": ["left"]}}
        if row["options"] and len(row["options"]) == 2:
            row |= made.with_options(row, ["1.0 m", "2.0 m"]) if k % 2 else {}
    found = guess_checks(read_items(rows, made.sizes(rows)), Limits())
    assert {check.name for check in found} == {
        *("prior", "letters", "yes_no", "length", "rank", "text", "flat", "rule", "view"),
    }
    for check in found:
        assert all(part.p is not None for part in check.parts), check.name
        if len(big := [part.p for part in check.parts if part.n >= Limits().few]) > 1:
            assert max(big) == 1.0 or len({*big}) < len(big) or min(big) < 1e-3, check.name


@pytest.mark.parametrize("limit", [Limits().prior, Limits().text, Limits().flat])
def test_questions_without_a_lean_hardly_ever_fail_a_threshold(limit):
    """The guess that is right most often among four, in each of 20 forms of 40 questions."""
    rng, failed = np.random.default_rng(0), 0
    photos = [str(k) for k in range(40)]
    for _ in range(150):
        p = []
        for right in rng.integers(4, size=(20, 40)):
            best = np.bincount(right, minlength=4).argmax()
            p.append(p_beyond((right == best) - 0.25, 0.25, limit, photos, looks=4))
        failed += holm(p).min() <= FAMILY
    assert failed <= 1

"""The order of mixed rows: exact shares in every short stretch, decided by the seed and the place alone."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudogd.training.order import MixedSampler, StepSampler, epoch_rows, kind_order
from pseudogd.training.sections import KINDS

parts = st.sampled_from([0, 1, 2, 5, 7.5, 10, 20, 30, 33.3, 50, 99, 0.1])
shares = st.tuples(parts, parts, parts, parts).filter(any)


def counts(kinds):
    return np.bincount(kinds, minlength=len(KINDS))


@given(shares, st.integers(0, 150), st.integers(1, 150))
def test_every_stretch_has_its_shares(shares, start, length):
    order = list(islice(kind_order(shares), start + length))
    share = np.array(shares) / sum(shares)
    assert (np.abs(counts(order) - share * len(order)) < 1).all()
    assert (np.abs(counts(order[start:]) - share * length) < 2).all()


def test_whole_shares_come_out_whole():
    order = list(islice(kind_order((50, 20, 30, 0)), 100))
    for start in range(0, 100, 10):
        assert counts(order[start : start + 10]).tolist() == [5, 2, 3, 0]


class Case:
    """Rows of four kinds with lengths, and a stream over them."""

    def __init__(self, rows, shares, batch, batches, seed, by_length):
        shares = tuple(share if count else 0 for share, count in zip(shares, rows))
        self.shares = shares if any(shares) else tuple(float(count > 0) for count in rows)
        self.kinds = np.repeat(np.arange(len(rows)), rows).astype(np.int8)
        self.lengths = np.random.default_rng(seed).integers(1, 99, len(self.kinds)) if by_length else None
        self.batch, self.batches, self.seed = batch, batches, seed

    def draw(self, more=0):
        total = self.batch * (self.batches + more)
        sampler = MixedSampler(self.kinds, self.shares, total, self.seed, self.lengths, self.batch)
        drawn = list(sampler)
        assert len(drawn) == len(sampler) == total and drawn == list(sampler)
        return drawn


cases = st.builds(
    Case,
    st.tuples(*[st.integers(0, 7)] * 4).filter(any),
    shares,
    st.integers(1, 5),
    st.integers(1, 40),
    st.integers(0, 3),
    st.booleans(),
)


@given(cases)
def test_batches_have_their_shares_however_few_rows_a_kind_has(case):
    drawn = np.array(case.draw())
    share = np.array(case.shares) / sum(case.shares)
    for start in range(0, len(drawn), case.batch):
        batch = drawn[start : start + case.batch]
        assert (np.abs(counts(case.kinds[batch]) - share * len(batch)) < 2).all()
    window = StepSampler.WINDOW * case.batch
    for end in range(window, len(drawn) + 1, window):
        assert (np.abs(counts(case.kinds[drawn[:end]]) - share * end) < 1).all()


@given(cases)
def test_a_kind_is_passed_over_whole_before_a_row_of_it_comes_again(case):
    case.lengths = None
    drawn = np.array(case.draw())
    for kind in range(len(KINDS)):
        rows = np.flatnonzero(case.kinds == kind)
        of_kind = drawn[np.isin(drawn, rows)]
        for start in range(0, len(of_kind), max(1, len(rows))):
            part = of_kind[start : start + len(rows)].tolist()
            assert len(set(part)) == len(part)
            assert len(part) < len(rows) or set(part) == set(rows.tolist())


@given(cases)
def test_a_longer_run_begins_as_a_shorter_one(case):
    case.batches = StepSampler.WINDOW * max(1, case.batches // StepSampler.WINDOW)  # whole windows
    short = case.draw()
    assert case.draw(more=13)[: len(short)] == short


@given(cases)
def test_grouping_moves_rows_within_a_window_and_fills_no_more(case):
    if case.lengths is None:
        return
    grouped, lengths, case.lengths = case.draw(), case.lengths, None
    plain = case.draw()
    window = StepSampler.WINDOW * case.batch
    for start in range(0, len(plain), window):
        assert sorted(plain[start : start + window]) == sorted(grouped[start : start + window])

    def filled(order):  # of the rows of one kind, which is what grouping sees to
        of_batch = [order[i : i + case.batch] for i in range(0, len(order), case.batch)]
        return sum(
            max((int(lengths[row]) for row in batch if case.kinds[row] == kind), default=0)
            for batch in of_batch
            for kind in range(len(KINDS))
        )

    if len(set(case.kinds.tolist())) == 1:  # kinds keep their places, so that with several no order is always best
        assert filled(grouped) <= filled(plain)


@given(cases)
@settings(max_examples=30)
def test_another_seed_is_another_order_of_the_same_kinds(case):
    case.lengths = None
    drawn = np.array(case.draw())
    case.seed += 1
    assert (case.kinds[np.array(case.draw())] == case.kinds[drawn]).all()


def test_an_epoch_is_one_pass_over_the_rows_with_questions():
    assert epoch_rows((50, 20, 30, 0), (50, 3, 20, 0)) == 100  # 50 of both need 100 rows, 20 of vqa need 67
    assert epoch_rows((50, 20, 30, 0), (10, 3, 60, 0)) == 200
    assert epoch_rows((0, 30, 0, 10), (0, 9, 0, 1000)) == 12
    assert epoch_rows((0, 0, 0, 7), (0, 0, 0, 5)) == 5
    with pytest.raises(ValueError, match="0"):
        epoch_rows((0, 0, 0, 0), (1, 1, 1, 1))

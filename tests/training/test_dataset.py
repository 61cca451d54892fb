"""Rows: every question once, long rows left out whole, an order that the seed alone decides."""

import shutil
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers.tiny_data import TASKS, save_tiny_data
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.objects.draw_marks import encoded
from pseudogd.store.dataset import Store
from pseudogd.store.photos import load_photo
from pseudogd.store.pictures import from_key, keep_picture, picture_key
from pseudogd.student.load import load_processor
from pseudogd.training.dataset import build_rows
from pseudogd.training.order import StepSampler
from pseudogd.training.sections import DataSection
from pseudogd.training.turns import TurnEncoder


@pytest.fixture(scope="module")
def encoder(student_path):
    return TurnEncoder(load_processor(student_path))


@pytest.fixture
def rows_of(encoder, data_path):
    def make(path=data_path, seed=0, positions=None, max_turns=None, **section):
        data = DataSection(path=str(path), **{"turns_per_row": 3} | section)
        return build_rows(
            Store(path),
            encoder,
            data,
            seed,
            lambda size, together: encoder.photo_tokens(Image.new("RGB", size), together),
            positions,
            max_turns,
        )

    return make


def answers(encoder, rows):
    return Counter(encoder.tokenizer.decode(rows[i].ids[rows[i].learn]) for i in range(len(rows)))


@pytest.mark.parametrize("turns", ["isolated", "chat"])
def test_every_question_is_in_one_row(rows_of, data_path, turns):
    rows = rows_of(turns=turns)
    questions = Store(data_path).questions(["image_id", "answer"])
    assert rows.questions == len(questions) == 30
    assert Counter(rows.image_ids) == {i: 2 for i in questions["image_id"].to_pylist()}  # 5 turns, 3 a row
    ends = sum(int((rows[i].ids[rows[i].learn] == 3).sum()) for i in range(len(rows)))
    assert ends == 30


@pytest.mark.parametrize("most, rows_of_a_photo", [(1, 5), (2, 3), (7, 2)])
def test_a_family_may_take_fewer_questions_a_row(rows_of, most, rows_of_a_photo):
    rows = rows_of(max_turns=most)  # of 5 questions a photo, and 3 a row by the recipe
    assert rows.questions == 30 and set(Counter(rows.image_ids).values()) == {rows_of_a_photo}


def test_a_row_holds_the_photo_where_the_processor_puts_it(rows_of, encoder):
    row = rows_of()[0]
    photo = row.ids == encoder.image_id
    assert photo.sum() == 16  # 56 / 14 squared, the class token dropped
    assert not row.learn[photo].any() and (row.turn[photo] == 0).all()


def test_the_seed_alone_decides_the_rows(rows_of):
    assert rows_of().fingerprint() == rows_of().fingerprint()
    assert rows_of().fingerprint() != rows_of(seed=1).fingerprint()


def test_tasks_and_photos_choose(rows_of):
    assert rows_of(tasks=["nearer"]).questions == 6 * 2
    assert len(set(rows_of(photos=2).image_ids)) == 2
    with pytest.raises(InputError, match=r"data\.tasks names 'size'.*" + ", ".join(sorted(TASKS))):
        rows_of(tasks=["nearer", "size"])


def test_a_row_that_is_too_long_is_left_out_whole_and_reported(rows_of):
    lengths = sorted(len(rows_of()[i].ids) for i in range(12))
    limit = (lengths[5] + lengths[6]) // 2
    rows = rows_of(max_length=limit)
    kept = [len(rows[i].ids) for i in range(len(rows))]
    assert sorted(kept) == [n for n in lengths if n <= limit]
    assert rows.questions + sum(item.questions for item in rows.left_out) == 30
    assert all(f"data.max_length={limit}" in item.reason and item.image.endswith(".png") for item in rows.left_out)
    with pytest.raises(InputError, match="no questions left to train on"):
        rows_of(max_length=5)


def test_positions_bound_a_single_turn_not_the_row(rows_of):
    longest = max(
        int(np.bincount(r.turn)[1:].max()) + int((r.turn == 0).sum()) for r in map(rows_of().__getitem__, range(12))
    )
    assert not rows_of(positions=longest).left_out
    with pytest.raises(InputError, match=f"{longest} tokens, more than the {longest - 1} positions"):
        rows_of(positions=longest - 1)


def test_a_photo_that_is_gone_is_left_out(rows_of, tmp_path):
    path = save_tiny_data(tmp_path / "own", photos=3, turns=2)
    (tmp_path / "own" / "photos" / "001.png").unlink()
    rows = rows_of(path)
    assert len(set(rows.image_ids)) == 2
    assert [(item.questions, item.reason) for item in rows.left_out] == [(2, "the photo is no longer there")]


@given(st.integers(1, 12), st.integers(0, 50), st.integers(0, 5))
def test_the_sampler_passes_over_all_rows_before_it_repeats_one(rows, total, seed):
    order = list(StepSampler(rows, total, seed))
    assert len(order) == total
    for start in range(0, total, rows):
        part = order[start : start + rows]
        assert len(set(part)) == len(part) and set(part) <= set(range(rows))
    # a longer run begins as a shorter one does
    assert list(StepSampler(rows, total + 7, seed))[:total] == order


@given(st.lists(st.integers(1, 99), min_size=1, max_size=40), st.integers(1, 4), st.integers(1, 40), st.integers(0, 3))
def test_grouping_by_length_moves_rows_within_a_window_alone_and_fills_less(lengths, batch, batches, seed):
    lengths, total, window = np.array(lengths), batch * batches, StepSampler.WINDOW * batch
    plain = list(StepSampler(len(lengths), total, seed))
    grouped = list(StepSampler(len(lengths), total, seed, lengths, batch))
    for start in range(0, total, window):
        assert sorted(plain[start : start + window]) == sorted(grouped[start : start + window])

    def filled(order):
        return sum(int(lengths[order[i : i + batch]].max()) for i in range(0, total, batch))

    assert filled(grouped) <= filled(plain)


def test_lengths_are_those_of_the_rows(rows_of):
    rows = rows_of()
    assert rows.lengths.tolist() == [len(rows[i].ids) for i in range(len(rows))]


def test_what_a_rule_of_thumb_answers_is_thinned_and_counted(rows_of, tmp_path):
    data = save_tiny_data(tmp_path, photos=4, turns=4, shortcuts=3)  # nearer: right, wrong; the other two: always right
    rows = rows_of(data)
    assert rows.questions == 8  # as many nearer of each kind, and none of the others
    assert [item.questions for item in rows.left_out] == [8] and "data.balance" in rows.left_out[0].reason
    assert rows_of(data, balance=False).questions == 16 and not rows_of(data, balance=False).left_out


def test_balance_counts_the_questions_that_are_wanted(rows_of, tmp_path):
    data = save_tiny_data(tmp_path, photos=4, turns=4, shortcuts=3)
    assert rows_of(data, photos=1).questions == 2
    assert rows_of(data, tasks=["nearer"]).left_out == []


def test_nothing_left_after_balancing_says_which_key(rows_of, tmp_path):
    with pytest.raises(InputError, match=r"no questions left.*data\.balance"):
        rows_of(save_tiny_data(tmp_path, photos=2, turns=3, shortcuts=3))


def test_a_marked_picture_has_rows_of_its_own_and_the_targets_of_its_photo(rows_of, data_path, tmp_path):
    """Two questions of one photo are about a copy with marks: the student sees that copy in their row alone."""
    folder = shutil.copytree(data_path, tmp_path / "data")
    store = Store(folder)
    image_id = store.geometry_ids()[0]
    photo = load_photo(store.photo_path(image_id))
    marked = Image.eval(photo, lambda value: 255 - value)
    picture = keep_picture(folder, encoded(marked, ".png")[0], ".png")
    for path in sorted((folder / "questions").glob("*.parquet")):
        table = pq.read_table(path).to_pylist()
        mine = [row for row in table if row["image_id"] == image_id]
        for row in mine[:2]:
            row["picture"] = picture
        store.write_shard_at(path, "questions", "x", table, path)
    rows = rows_of(folder)
    key = picture_key(image_id, picture)
    assert rows.questions == 30 and rows.image_ids.count(image_id) == 2
    assert sorted(names for names in rows.photos if from_key(names[0])[0] == image_id) == [(image_id,), (key,)]
    assert len(rows.geometry_ids) == len(rows) and key not in rows.geometry_ids
    (folder / picture).unlink()
    without = rows_of(folder)
    (left,) = without.left_out
    assert without.questions == 28 and left.questions == 2 and "marked picture" in left.reason

"""Which photos and conversations give which kind of row: decided by the data and the seed."""

import shutil
from collections import Counter

import numpy as np
import pytest
from helpers.tiny_data import save_tiny_data
from helpers.tiny_general import ROWS, said, save_tiny_general
from hypothesis import given
from hypothesis import strategies as st

from pseudogd.errors import InputError
from pseudogd.store.dataset import Store
from pseudogd.student.load import load_student
from pseudogd.training import setup
from pseudogd.training.mix import split_photos
from pseudogd.training.sections import KINDS, MixSection


@pytest.fixture(scope="module")
def student(student_path):
    return load_student(student_path)


@pytest.fixture(scope="module")
def half_asked(tmp_path_factory):
    """Ten photos, the first six of which have five questions each."""
    return save_tiny_data(tmp_path_factory.mktemp("data"), photos=10, turns=5, asked=6)


@pytest.fixture(scope="module")
def general(tmp_path_factory):
    return save_tiny_general(tmp_path_factory.mktemp("general"), "parquet", ROWS * 8)


@pytest.fixture
def rows_of(student, half_asked, recipe_of):
    def make(mix, **changes):
        settings = {f"data__mix__{kind}": share for kind, share in mix.items()}
        recipe = recipe_of(**{"data__path": str(half_asked)} | settings | changes)
        recipe = setup.with_turns(recipe, student)
        return setup.rows_of(recipe, Store(recipe.data.path), student, setup.conversations_of(recipe))

    return make


def photos_by_kind(rows):
    found = {kind: [] for kind in KINDS}
    for index in range(len(rows)):
        row = rows[index]
        found[row.kind].append(row.photos)
    return found


@given(st.lists(st.integers(1, 4), min_size=1, max_size=30), st.integers(0, 9), st.integers(0, 9), st.integers(0, 3))
def test_photos_are_split_whole_and_near_their_shares(sizes, both, vqa, seed):
    if not both + vqa:
        return
    ids = [f"{number:064x}" for number, size in enumerate(sizes) for _ in range(size)]
    kind_of = split_photos(ids, MixSection(both=both, vqa=vqa), seed)
    assert set(kind_of) == set(ids) and kind_of == split_photos(ids, MixSection(both=2 * both, vqa=2 * vqa), seed)
    given_to = Counter(kind_of[image_id] for image_id in ids)
    for kind, share in (("both", both), ("vqa", vqa)):
        assert abs(given_to[kind] - len(ids) * share / (both + vqa)) <= max(sizes)
        assert share or not given_to[kind]


def test_photos_without_questions_give_the_rows_with_geometry_alone(rows_of, half_asked):
    rows = rows_of({"both": 60, "vqa": 30, "geometry": 10})
    found, asked = photos_by_kind(rows), set(Store(half_asked).questions(["image_id"])["image_id"].to_pylist())
    assert rows.questions == 30 and len(found["both"]) == 8 and len(found["vqa"]) == 4  # 2 rows a photo
    assert not set(found["both"]) & set(found["vqa"])
    assert {name for kind in ("both", "vqa") for (name,) in found[kind]} == asked
    without = set(Store(half_asked).geometry_ids()) - asked
    assert sorted(found["geometry"]) == sorted((name,) for name in without)


def test_where_those_are_too_few_photos_of_vqa_come_first(rows_of):
    found = photos_by_kind(rows_of({"both": 30, "vqa": 30, "geometry": 25}))  # 12 rows with questions: 5 with geometry
    spare = set(found["geometry"][4:])
    assert len(found["geometry"]) == 5 and spare < set(found["vqa"])
    found = photos_by_kind(rows_of({"both": 30, "vqa": 30, "geometry": 60}))
    assert set(found["vqa"]) | set(found["both"]) < set(found["geometry"]) and len(set(found["geometry"])) == 10


def test_geometry_alone_needs_no_questions(rows_of, half_asked, tmp_path):
    copy = tmp_path / "copy" / "data"
    shutil.copytree(half_asked.parent, copy.parent)
    Store.open(copy, "objects", {"made by": "another"}, resume=False)  # as before annotate and synth
    shutil.rmtree(copy / "questions", ignore_errors=True)
    rows = rows_of({"geometry": 1}, data__path=str(copy), arm="geometry_only")
    assert len(rows) == 10 and rows.questions == 0 and rows.epoch == 10
    row = rows[0]
    assert row.kind == "geometry" and not row.learn.any() and len(row.photos) == 1
    with pytest.raises(InputError, match="synth"):
        rows_of({"both": 1}, data__path=str(copy))


def test_photos_limits_those_with_and_those_without_questions(rows_of):
    found = photos_by_kind(rows_of({"both": 1, "geometry": 1}, data__photos=2))
    assert len(set(found["both"])) == 2 and len(set(found["geometry"]) - set(found["both"])) == 2


def test_a_row_with_geometry_alone_holds_the_photo_and_no_word_to_learn(rows_of, student):
    rows = rows_of({"both": 1, "geometry": 1})
    alone = next(row for row in map(rows.__getitem__, range(len(rows))) if row.kind == "geometry")
    asked = rows[0]
    assert (alone.ids == student.family.image_token_id).sum() == (asked.ids == student.family.image_token_id).sum()
    assert alone.ids.tolist() == asked.ids[: len(alone.ids)].tolist()


def test_as_many_conversations_are_read_as_the_run_draws(rows_of, general):
    mix = {"both": 75, "general": 25}
    rows = rows_of(mix, data__general=str(general), optim__steps=4, optim__batch_size=2)
    assert rows.by_kind() == {"both": 12, "geometry": 0, "vqa": 0, "general": 2}
    rows = rows_of(mix, data__general=str(general), optim__steps=400)
    assert rows.by_kind()["general"] == len(ROWS) * 8
    # an epoch is 12 rows with questions, so 16 in all; two of them have 8 conversations
    rows = rows_of(mix, data__general=str(general), optim__steps=None, optim__epochs=2)
    assert rows.epoch == 16 and rows.by_kind()["general"] == 8
    rows = rows_of({"general": 1}, data__general=str(general), optim__steps=None, arm="vqa_only")
    assert rows.epoch == rows.by_kind()["general"] == len(ROWS) * 8


@pytest.mark.parametrize("turns", ["isolated", "chat"])
def test_the_seed_alone_decides_the_rows(rows_of, general, turns):
    def fingerprint(**changes):
        mix = {"both": 40, "geometry": 20, "vqa": 30, "general": 20}
        return rows_of(mix, data__general=str(general), data__turns=turns, **changes).fingerprint()

    assert fingerprint() == fingerprint(arm="vqa_only") == fingerprint(arm="two_stage")
    assert fingerprint() != fingerprint(seed=1)


def test_lengths_are_those_of_the_rows(rows_of, general):
    rows = rows_of({"both": 4, "geometry": 2, "general": 4}, data__general=str(general))
    assert rows.lengths.tolist() == [len(rows[i].ids) for i in range(len(rows))]
    assert {len(rows[i].photos) for i in range(len(rows))} == {0, 1, 2}


def test_what_cannot_be_used_is_left_out_and_said(rows_of, tmp_path):
    data = save_tiny_data(tmp_path, photos=10, turns=5, asked=6)
    for name in ("000.png", "009.png"):
        (tmp_path / "photos" / name).unlink()
    long = [said("user", "what is red ? " * 200), said("assistant", "B")]
    silent = [said("user", "what ?")]
    path = save_tiny_general(tmp_path / "g", rows=[(long, 0), (silent, 0), *ROWS])
    (tmp_path / "g" / "pictures" / "3-0.png").unlink()
    rows = rows_of(
        {"both": 60, "geometry": 20, "general": 40},
        data__path=str(data),
        data__general=str(path),
        data__max_length=500,
        optim__steps=50,
    )
    reasons = {(item.image.rpartition("/")[2], item.questions): item.reason for item in rows.left_out}
    assert len(reasons) == len(rows.left_out) == 5
    assert reasons["000.png", 5] == reasons["009.png", 0] == "the photo is no longer there"
    assert "more than data.max_length=500" in reasons["general.jsonl: line 1", 0]
    assert "no turn of the assistant" in reasons["general.jsonl: line 2", 0]
    assert "3-0.png: cannot be read" in reasons["general.jsonl: line 4", 0]
    assert rows.by_kind()["general"] == len(ROWS) - 1


def test_a_kind_without_rows_is_an_error_that_says_why(rows_of, half_asked, tmp_path):
    with pytest.raises(InputError, match=r"data\.mix\.vqa=1 asks for rows"):
        rows_of({"both": 99, "vqa": 1})
    with pytest.raises(InputError, match="no such file or folder of conversations"):
        rows_of({"both": 1, "general": 1}, data__general=str(tmp_path / "gone"))
    path = save_tiny_general(tmp_path, rows=[([said("user", "what ?")], 0)])
    with pytest.raises(InputError, match=r"general\.jsonl: no conversations left.*line 1: has no turn"):
        rows_of({"both": 1, "general": 1}, data__general=str(path))
    with pytest.raises(InputError, match="no questions left to train on"):
        rows_of({"both": 1, "geometry": 1}, data__max_length=3)
    with pytest.raises(InputError, match="no photos left to learn geometry from"):
        rows_of({"geometry": 1}, data__max_length=3, arm="geometry_only")


def test_a_mix_of_one_kind_is_the_rows_without_a_mix(rows_of, student, half_asked, recipe_of):
    recipe = setup.with_turns(recipe_of(data__path=str(half_asked)), student)
    plain = setup.rows_of(recipe, Store(half_asked), student, None)
    mixed = rows_of({"both": 7})
    assert len(plain) == len(mixed)
    for index in range(len(plain)):
        a, b = plain[index], mixed[index]
        assert (a.photos, a.kind) == (b.photos, b.kind) and np.array_equal(a.ids, b.ids)

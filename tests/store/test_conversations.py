"""Conversations of the user's own: every form of file gives the same rows, and a bad row is one reason, not an end."""

import json
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers import photos as make
from helpers.tiny_general import IMAGE, ROWS, SIZES, parts_of, picture, png, said, save_parquet, save_tiny_general, text

from pseudogd.errors import InputError
from pseudogd.store.conversations import PREFIX, Conversation, Conversations, Unusable


def every(path):
    opened = Conversations(path)
    return opened, list(opened.rows(range(len(opened))))


def write_lines(path, *rows):
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def reason_of(path):
    (row,) = every(path)[1]
    assert isinstance(row, Unusable) and "\n" not in row.reason and path.name in row.where
    return row.reason


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_every_form_gives_the_same_rows_and_pictures(tmp_path, kind):
    opened, rows = every(save_tiny_general(tmp_path, kind))
    assert len(rows) == len(ROWS)
    for index, (row, (messages, count)) in enumerate(zip(rows, ROWS)):
        assert row.messages == [{"role": m["role"], "content": parts_of(m["content"])} for m in messages]
        assert len(row.pictures) == len(set(row.pictures)) == count
        for number, (name, size) in enumerate(zip(row.pictures, row.sizes)):
            image = opened.picture(name)
            assert name.startswith(PREFIX) and image.size == size == SIZES[(index + number) % len(SIZES)]
            assert np.array_equal(image, picture(index, number))


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_any_rows_can_be_asked_for_and_a_worker_process_can_have_them(tmp_path, kind):
    opened, rows = every(save_tiny_general(tmp_path, kind))
    assert list(opened.rows([1, 4])) == [rows[1], rows[4]]
    other = pickle.loads(pickle.dumps(opened))
    assert np.array_equal(other.picture(rows[2].pictures[1]), opened.picture(rows[2].pictures[1]))


def test_where_a_row_stands_is_said(tmp_path):
    lines = write_lines(tmp_path / "a.jsonl", {"messages": ROWS[0][0]}, "", "{", {"messages": []})
    assert [row.where for row in every(lines)[1]] == [f"{lines}: line {n}" for n in (1, 3, 4)]
    for name in ("x", "y"):
        save_parquet(tmp_path / "many" / f"{name}.parquet", ROWS)
    found = [row.where for row in every(tmp_path / "many")[1]]
    assert found == [f"{tmp_path}/many/{name}.parquet: row {n}" for name in ("x", "y") for n in range(len(ROWS))]


def test_of_a_folder_with_splits_train_alone_is_read(tmp_path):
    for name, rows in (("train-00000-of-00002", ROWS[:1]), ("train-00001-of-00002", ROWS[1:3]), ("test-00000", ROWS)):
        save_parquet(tmp_path / "data" / f"{name}.parquet", rows)
    assert len(Conversations(tmp_path)) == 3
    save_parquet(tmp_path / "other" / "default" / "train" / "0000.parquet", ROWS[:2])
    save_parquet(tmp_path / "other" / "default" / "validation" / "0000.parquet", ROWS)
    assert len(Conversations(tmp_path / "other")) == 2


def test_paths_in_a_folder_are_relative_to_the_folder(tmp_path):
    save_tiny_general(tmp_path / "set", "jsonl")
    (tmp_path / "set" / "data").mkdir()
    (tmp_path / "set" / "general.jsonl").rename(tmp_path / "set" / "data" / "train.jsonl")
    opened, rows = every(tmp_path / "set")
    assert [len(row.pictures) for row in rows] == [count for _, count in ROWS]
    assert opened.picture(rows[1].pictures[0]).size == rows[1].sizes[0]


def test_parquet_may_hold_paths_plain_bytes_or_messages_as_json(tmp_path):
    picture(0, 0).save(tmp_path / "a.png")
    messages = json.dumps([said("user", IMAGE, text("what ?")), said("assistant", "a box")])
    for number, images in enumerate(([["a.png"]], [[png(picture(0, 0))]], [[{"bytes": None, "path": "a.png"}]])):
        path = tmp_path / f"{number}.parquet"
        pq.write_table(pa.table({"messages": [messages], "images": images}), path)
        opened, (row,) = every(path)
        assert isinstance(row, Conversation) and np.array_equal(opened.picture(row.pictures[0]), picture(0, 0))


def test_pictures_without_a_place_come_before_the_first_question(tmp_path):
    picture(0, 0).save(tmp_path / "a.png")
    messages = [said("system", "you are a lamp"), said("user", "what ?"), said("assistant", "B")]
    _, (row,) = every(write_lines(tmp_path / "a.jsonl", {"messages": messages, "images": ["a.png", "a.png"]}))
    assert [m["content"] for m in row.messages] == [
        [text("you are a lamp")],
        [IMAGE, IMAGE, text("what ?")],
        [text("B")],
    ]


def test_a_picture_lying_on_its_side_is_turned(tmp_path):
    (tmp_path / "a.jpg").write_bytes(make.rotated_jpeg(6)[0])
    messages = [said("user", IMAGE), said("assistant", "B")]
    opened, (row,) = every(write_lines(tmp_path / "a.jsonl", {"messages": messages, "images": ["a.jpg"]}))
    assert row.sizes == ((make.WIDTH, make.HEIGHT),) == (opened.picture(row.pictures[0]).size,)


@pytest.mark.parametrize(
    "row, reason",
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[1]", "not a JSON object"),
        ({"text": "x"}, "no messages"),
        ({"messages": []}, "no messages"),
        ({"messages": "x"}, "messages are not JSON"),
        ({"messages": ["x"]}, "role None"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "role 'tool' is not one of system, user, assistant"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "role"),
        ({"messages": [{"role": "user"}]}, "no content"),
        ({"messages": [said("user", {"type": "video"})]}, "'video' is neither text nor image"),
        ({"messages": [said("user", {"type": "text"})]}, "'text' is neither"),
        ({"messages": [said("user", IMAGE)]}, "1 image parts in its messages but 0 images"),
        ({"messages": [said("user", IMAGE, text("x"))], "images": ["a.png", "a.png"]}, "1 image parts .* 2 images"),
        ({"messages": [said("assistant", "x")], "images": ["a.png"]}, "no message of the user"),
        ({"messages": [said("user", "x")], "images": "a.png"}, "must be a list"),
        ({"messages": [said("user", "x")], "images": [7]}, "neither a path nor"),
        ({"messages": [said("user", "x")], "images": ["gone.png"]}, "gone.png: cannot be read"),
        ({"messages": [said("user", "x")], "images": ["../out.png"]}, "must be a path inside"),
        ({"messages": [said("user", "x")], "images": ["/etc/passwd"]}, "must be a path inside"),
        ({"messages": [said("user", "x")], "images": ["link/out.png"]}, "leads out of"),
        ({"messages": [said("user", "x")], "images": ["no.png"]}, "no.png: is not a picture"),
        ({"messages": [said("user", "x")], "images": ["bomb.png"]}, "bomb.png: .*pixels"),
    ],
)
def test_a_bad_row_is_one_reason(tmp_path, row, reason):
    inside = tmp_path / "inside"
    inside.mkdir()
    picture(0, 0).save(tmp_path / "out.png")
    picture(0, 0).save(inside / "a.png")
    (inside / "no.png").write_text("no picture")
    (inside / "bomb.png").write_bytes(make.bomb_png())
    (inside / "link").symlink_to(tmp_path)
    import re

    assert re.search(reason, reason_of(write_lines(inside / "a.jsonl", row)))


def test_bad_bytes_in_a_row_are_one_reason_and_the_others_stay(tmp_path):
    messages = json.dumps([said("user", IMAGE), said("assistant", "B")])
    images = [[b"no picture"], [png(picture(0, 0))], [b""]]
    pq.write_table(pa.table({"messages": [messages] * 3, "images": images}), tmp_path / "a.parquet")
    rows = every(tmp_path / "a.parquet")[1]
    assert [type(row) for row in rows] == [Unusable, Conversation, Unusable]
    assert "picture 1: is not a picture" in rows[0].reason


def test_a_truncated_picture_is_said_when_it_is_read(tmp_path):
    (tmp_path / "a.jpg").write_bytes(make.BAD_KINDS["truncated.jpg"][0]())
    row = {"messages": [said("user", "x"), said("assistant", "y")], "images": ["a.jpg"]}
    opened, (found,) = every(write_lines(tmp_path / "a.jsonl", row))
    with pytest.raises(InputError, match=r"a\.jpg: .*truncated"):
        opened.picture(found.pictures[0])


def test_files_that_are_none_are_said(tmp_path):
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / "a.parquet").write_text("x")
    pq.write_table(pa.table({"text": ["x"], "label": [1]}), tmp_path / "b.parquet")
    (tmp_path / "empty").mkdir()
    (tmp_path / "arrow").mkdir()
    (tmp_path / "arrow" / "data-00000-of-00001.arrow").write_text("x")
    for name, reason in (
        ("gone", "no such file or folder"),
        ("a.csv", r"\.jsonl or \.parquet"),
        ("a.parquet", "cannot be read as Parquet"),
        ("b.parquet", "no column 'messages'; its columns are text, label"),
        ("empty", r"no \.parquet or \.jsonl file"),
        ("arrow", "to_parquet"),
    ):
        with pytest.raises(InputError, match=reason) as caught:
            Conversations(tmp_path / name)
        assert "\n" not in str(caught.value) and name in str(caught.value)


def test_the_digest_tells_contents_apart(tmp_path):
    one = Conversations(save_tiny_general(tmp_path / "one"))
    assert one.digest() == Conversations(save_tiny_general(tmp_path / "two")).digest()
    assert one.digest() != Conversations(save_tiny_general(tmp_path / "three", rows=ROWS[1:])).digest()

import json

import pytest
from PIL import Image

from pseudogd.benchmarks.items import find_data_file, load_items, write_items
from pseudogd.errors import InputError


def row(**changes):
    base = {
        "id": "3_0",
        "question": "Which is nearer?",
        "options": ["red ball", "blue cup"],
        "answer": 1,
        "task_type": "Perspective_Taking",
        "sub_task_type": "Egocentric",
    }
    return {**base, **changes}


def folder(tmp_path, rows, name="data.json"):
    for each in rows:
        if isinstance(each, dict) and isinstance(each.get("id"), str):
            path = tmp_path / str(each.get("task_type")) / f"{each['id'].split('_')[0]}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), "red").save(path)
    (tmp_path / name).write_text(json.dumps(rows), encoding="utf-8")
    return tmp_path


def test_round_trip_through_the_layout(tmp_path):
    source = tmp_path / "photo ünïcode.png"
    Image.new("RGB", (6, 4), "blue").save(source)
    rows = [row(), row(id="3_1", answer=0, evidence={"value": 1.5}), row(task_type="Complex_Logic")]
    write_items(tmp_path / "bench", rows, {"3": source})
    items = load_items(tmp_path / "bench")
    assert [item.uid for item in items] == ["Perspective_Taking/3_0", "Perspective_Taking/3_1", "Complex_Logic/3_0"]
    assert [item.answer_letter for item in items] == ["B", "A", "B"]
    assert items[1].extra == {"evidence": {"value": 1.5}}
    assert all(item.image.read_bytes() == source.read_bytes() for item in items)
    assert not list((tmp_path / "bench").rglob("*.tmp"))


def test_both_roots_the_file_itself_and_archives_of_their_own(tmp_path):
    inner = tmp_path / "OmniSpatial-test"
    inner.mkdir()
    folder(inner, [row()])
    assert load_items(tmp_path) == load_items(inner) == load_items(inner / "data.json")
    nested = inner / "Perspective_Taking" / "Perspective_Taking"
    nested.mkdir()
    (inner / "Perspective_Taking" / "3.png").rename(nested / "3.png")
    assert load_items(inner)[0].image == nested / "3.png"


def test_two_sub_folders_are_not_guessed_between(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        folder(tmp_path / name, [row()])
    with pytest.raises(InputError, match="one, two"):
        find_data_file(tmp_path)


def test_ids_repeat_across_task_types_and_uids_never(tmp_path):
    rows = [row(), row(task_type="Complex_Logic"), row(question="Which is farther?")]
    uids = [item.uid for item in load_items(folder(tmp_path, rows))]
    assert uids == ["Perspective_Taking/3_0", "Complex_Logic/3_0", "Perspective_Taking/3_0#2"]


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (row(answer=2), "answer 2"),
        (row(answer=True), "answer True"),
        (row(answer="B"), "answer 'B'"),
        (row(options=["one"]), "options"),
        (row(options="AB"), "options"),
        (row(question=" "), "question"),
        ({"id": "3_0"}, "question, options, answer, task_type, sub_task_type missing"),
        ("text", "expected an object"),
        (row(task_type="../elsewhere"), "outside"),
        (row(id="../../secret_0"), "outside"),
        (row(task_type="/etc"), "outside"),
    ],
)
def test_a_broken_row_is_one_clear_line(tmp_path, broken, says):
    (tmp_path / "data.json").write_text(json.dumps([broken]), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_items(tmp_path)
    assert says in str(caught.value) and "item 0" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[{", "{}", "[]", "\x00"])
def test_a_broken_file_is_one_clear_line(tmp_path, text):
    (tmp_path / "data.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"data\.json") as caught:
        load_items(tmp_path)
    assert "\n" not in str(caught.value)


def test_missing_images_are_counted_and_the_first_named(tmp_path):
    folder(tmp_path, [row(), row(id="4_0"), row(id="4_1")])
    (tmp_path / "Perspective_Taking" / "4.png").unlink()
    with pytest.raises(InputError, match=r"1 image.*4\.png"):
        load_items(tmp_path)


def test_a_missing_folder_says_what_to_give(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        load_items(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"no data\.json"):
        load_items(tmp_path)

"""`synth marks=ambiguous`: questions that speak of a mark show the picture that it is drawn on, all the way down."""

import json
import re
import shutil

import numpy as np
import pytest
from helpers.chrome import Chrome, find_chrome
from helpers.golden_folder import write_folder
from helpers.viewer_page import content
from PIL import Image

from pseudogd.reports.questions import build_questions_page
from pseudogd.reports.viewer.page import build_view
from pseudogd.stages.annotate import annotate
from pseudogd.stages.label import label
from pseudogd.stages.packing.pack import pack
from pseudogd.stages.synth import synth
from pseudogd.store.conversations import Conversations
from pseudogd.store.dataset import Store
from pseudogd.store.integrity import verify
from pseudogd.store.photos import load_photo, photo_id
from pseudogd.store.pictures import from_key, picture_key

TASKS = ("nearer", "direction", "counting", "localization", "size")
SAID = re.compile(r"\bmarked \d\b")


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """Golden rooms whose things are all called the same."""
    folder = write_folder(tmp_path_factory.mktemp("golden"), count=3)
    document = json.loads((folder / "annotations.json").read_text())
    document["categories"] = [{"id": k["id"], "name": "box"} for k in document["categories"]]
    for annotation in document["annotations"][1:]:
        del annotation["name"]
    (folder / "annotations.json").write_text(json.dumps(document))
    label(folder, f"files:{folder / 'depth'}", folder / "data", folder / "cameras.json", quiet=True)
    annotate(folder / "data", f"coco:{folder / 'annotations.json'}", quiet=True)
    return folder


@pytest.fixture(scope="module")
def asked(ready, tmp_path_factory):
    data = shutil.copytree(ready / "data", tmp_path_factory.mktemp("asked") / "data")
    synth(data, TASKS, marks="ambiguous", stability={"measure": False}, quiet=True)
    return data


@pytest.fixture
def data(asked, tmp_path):
    return shutil.copytree(asked, tmp_path / "data")


def rows_of(data):
    return Store(data).questions().to_pylist()


def words(row):
    return "\n".join([row["text"], row["answer"], *(row["options"] or ())])


def test_the_words_and_the_picture_belong_together(asked):
    store, rows = Store(asked), rows_of(asked)
    assert sum(row["picture"] is not None for row in rows) > 5
    for row in rows:
        assert (row["picture"] is not None) == bool(SAID.search(words(row)))
        path = store.picture_path(row["image_id"], row["picture"])
        assert row["picture"] is None or photo_id(path) == path.stem
    for image_id in store.geometry_ids():
        things = store.unnamed(image_id)
        assert things and all(thing["name"] == "" for thing in things)
        assert not {thing["object_id"] for thing in things} & {thing["object_id"] for thing in store.objects(image_id)}


def test_every_mark_is_drawn_on_the_thing_that_the_evidence_names(asked):
    store = Store(asked)
    for row in rows_of(asked):
        if row["picture"] is None:
            continue
        photo = np.asarray(load_photo(store.photo_path(row["image_id"])), int)
        shown = np.asarray(load_photo(store.picture_path(row["image_id"], row["picture"])), int)
        changed = (photo != shown).any(-1)
        assert photo.shape == shown.shape and 0 < changed.mean() < 0.3
        for thing in json.loads(row["evidence"])["objects"]:
            x, y, w, h = thing["bbox"]
            edge = changed[max(int(y) - 2, 0) : int(y + h) + 2, max(int(x) - 2, 0) : int(x + w) + 2]
            around = [edge[0], edge[-1], edge[:, 0], edge[:, -1]]
            assert bool(SAID.search(thing["name"])) <= (np.mean([line.mean() for line in around]) > 0.5)


def test_photos_stay_as_they_are_and_a_rerun_gives_the_same_bytes(ready, asked, tmp_path):
    photos = {path: path.read_bytes() for path in (ready / "images").iterdir()}
    again = shutil.copytree(ready / "data", tmp_path / "data")
    synth(again, TASKS, marks="ambiguous", stability={"measure": False}, quiet=True, workers=2)
    for path in [*asked.rglob("marked/*/*"), *asked.rglob("questions/*")]:
        assert (again / path.relative_to(asked)).read_bytes() == path.read_bytes()
    assert all(path.read_bytes() == before for path, before in photos.items())


def test_without_marks_nothing_is_drawn_and_nothing_changes(ready, tmp_path, capsys):
    data = shutil.copytree(ready / "data", tmp_path / "data")
    synth(data, TASKS, stability={"measure": False})
    assert "marks=ambiguous" in capsys.readouterr().err
    assert not (data / "marked").exists() and "marks" not in Store(data).settings("questions")
    assert all(row.get("picture") is None for row in rows_of(data))
    (shard,) = (data / "questions").glob("*.parquet")
    import pyarrow.parquet as pq

    assert "picture" not in pq.read_schema(shard).names


def test_other_words_keep_the_pictures(data):
    before = {row["question_id"]: row for row in rows_of(data)}
    synth(data, rerender=True, formats={"steps": 1.0}, quiet=True)
    for row in rows_of(data):
        assert (row["picture"] is not None) == bool(SAID.search(words(row)))
        old = before[row["question_id"]]["picture"]
        assert row["picture"] == old or None in (row["picture"], old)


@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_a_damaged_picture_is_found_and_made_again(data, harm):
    path = next(iter(sorted(data.rglob("marked/*/*"))))
    whole = path.read_bytes()
    path.unlink() if harm == "gone" else path.write_bytes(whole[:-9] + b"x" * 9)
    (damage,) = verify(data).damaged
    assert str(path) in str(damage)
    synth(data, TASKS, marks="ambiguous", stability={"measure": False}, quiet=True)
    assert path.read_bytes() == whole and not verify(data).damaged


def test_a_photo_that_is_gone_costs_its_marks_alone(ready, tmp_path):
    folder = shutil.copytree(ready, tmp_path / "all")
    store = Store(folder / "data", photos=folder)
    manifest = json.loads((folder / "data" / "manifest.json").read_text())
    manifest["photos"]["root"] = str(folder / "images")
    (folder / "data" / "manifest.json").write_text(json.dumps(manifest))
    gone = store.photos().to_pylist()[0]
    (folder / "images" / gone["path"]).unlink()
    synth(folder / "data", TASKS, marks="ambiguous", stability={"measure": False}, quiet=True, max_failures=9)
    (failure,) = Store(folder / "data").failures().to_pylist()
    assert failure["image"] == gone["path"] and failure["reason"].startswith("marks were not drawn")
    rows = [row for row in rows_of(folder / "data") if row["image_id"] == gone["image_id"]]
    assert not any(SAID.search(words(row)) for row in rows)


@pytest.mark.parametrize("form", ["messages", "llava", "omnispatial", "parquet"])
def test_packed_questions_come_with_the_picture_that_they_speak_of(asked, tmp_path, form):
    pack(asked, tmp_path / "out", form, turns=0 if form != "omnispatial" else 1, quiet=True)
    digests = {photo_id(path) for path in asked.rglob("marked/*/*")}
    told = []
    if form == "messages":
        told = [json.loads(line) for line in (tmp_path / "out" / "train.jsonl").read_text().splitlines()]
        told = [(tmp_path / "out" / row["images"][0], json.dumps(row["messages"])) for row in told]
        assert len(Conversations(str(tmp_path / "out" / "train.jsonl"))) == len(told)
    elif form == "llava":
        told = json.loads((tmp_path / "out" / "train.json").read_text())
        told = [(tmp_path / "out" / row["image"], json.dumps(row["conversations"])) for row in told]
    elif form == "omnispatial":
        for row in json.loads((tmp_path / "out" / "train" / "data.json").read_text()):
            name = f"{row['id'].rpartition('_')[0]}.png"
            told.append((tmp_path / "out" / "train" / row["task_type"] / name, row["question"] + str(row["options"])))
    else:
        import pyarrow.parquet as pq

        for k, row in enumerate(pq.read_table(next((tmp_path / "out" / "data").iterdir())).to_pylist()):
            picture = tmp_path / f"{k}.png"
            picture.write_bytes(row["images"][0]["bytes"])
            told.append((picture, json.dumps(row["messages"])))
    assert {photo_id(path) in digests for path, _ in told} == {True, False}
    for path, text in told:
        assert (photo_id(path) in digests) == bool(SAID.search(text)), text


def test_the_pages_show_the_marked_picture(asked):
    page = build_view(asked).read_text()
    store = Store(asked)
    names = {row["picture"] for row in rows_of(asked)} - {None}
    assert all(name in page for name in names) and "markedUrl" in page
    assert "no longer there" not in page
    report = build_questions_page(asked).read_text()
    assert report.count('class="shot p0m"') == sum(
        row["picture"] is not None for row in rows_of(asked) if row["image_id"] == store.geometry_ids()[0]
    )


def test_keys_of_pictures_come_apart_again():
    for picture in (None, "marked/ab/abc.png"):
        assert from_key(picture_key("0123", picture)) == ("0123", picture)


def test_a_folder_that_moved_finds_its_pictures(data, tmp_path):
    moved = data.rename(tmp_path / "elsewhere")
    row = next(row for row in rows_of(moved) if row["picture"])
    assert Image.open(Store(moved).picture_path(row["image_id"], row["picture"])).size == (160, 160)
    assert not verify(moved).damaged


@pytest.mark.skipif(find_chrome() is None, reason="no Chromium or Chrome found")
def test_the_viewer_changes_the_picture_with_the_question(asked, tmp_path):
    page = build_view(asked, tmp_path / "view.html")
    questions = [question for photo in content(page)["photos"] for question in photo["questions"]]
    (tmp_path / "profile").mkdir()
    chrome = Chrome(find_chrome(), tmp_path / "profile")
    try:
        shown = {}
        for question in (next(q for q in questions if q["picture"]), next(q for q in questions if not q["picture"])):
            chrome.open(f"{page.as_uri()}#{question['id']}")
            chrome.wait(f"decodeURIComponent(location.hash.slice(1)) === {json.dumps(question['id'])}")
            shown[question["picture"]] = chrome.js("document.querySelector('#shot img').src")
        assert chrome.errors() == []
    finally:
        chrome.close()
    photo = content(page)["photos"][0]
    urls = {url for each in content(page)["photos"] for url in each["marked"].values()}
    assert photo["marked"] and {shown[name] in urls for name in shown if name} == {True} and shown[None] not in urls

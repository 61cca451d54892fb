"""`pseudogd pack`: what was packed is read back by those who are to read it, and says what the questions said."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from helpers.tiny_data import plane
from PIL import Image

import pseudogd
from pseudogd import cli, exits
from pseudogd.benchmarks.items import load_items
from pseudogd.errors import InputError
from pseudogd.stages.packing.choice import Choice
from pseudogd.store.conversations import Conversations
from pseudogd.store.dataset import Store
from pseudogd.store.photos import photo_id
from pseudogd.store.rows import geometry_row
from pseudogd.store.shards import plan

FORMATS = ("messages", "llava", "omnispatial", "parquet")
EACH = 4
SIZE = (48, 40)


def photo(path: Path, rng: np.random.Generator) -> None:
    """A photo of noise; a JPEG lies on its side and tells where it was taken."""
    image = Image.fromarray(rng.integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8))
    exif = Image.Exif()
    if path.suffix == ".jpg":
        image = image.transpose(Image.Transpose.ROTATE_90)
        exif[0x0112] = 6
    if path.suffix == ".webp":
        exif[0x8825] = {1: "N", 2: (1.0, 2.0, 3.0)}
    image.save(path, exif=exif)


def question(image_id: str, path: str, turn: int) -> dict:
    options = ["red chair", "<image> lamp"] if turn % 2 else None
    stem = f"Which is nearer, {image_id[:4]} {turn}?" if options else f"How far is {image_id[:4]} {turn}, “at most”?"
    text = "\n".join([stem, *(f"{'AB'[k]}. {option}" for k, option in enumerate(options or ()))])
    answer = "B" if options else "2.4 m"
    return {
        "question_id": f"{image_id[:12]}-{turn}",
        "image_id": image_id,
        "path": path,
        "task": "nearer" if options else "distance",
        "kind": "ordinal" if options else "metric",
        "frame": "camera",
        "text": text,
        "answer": answer,
        "options": options,
        "answer_index": 1 if options else None,
        "value": 2.4,
        "unit": "m",
        "margin": 0.1 + turn / 10,
        "evidence": {
            "form": "nearer.pair" if options else "distance.camera",
            "format": "mc" if options else "open",
            "shortcut": {"rule": "r", "right": True} if turn == 3 else None,
        },
        "messages": [
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]},
            {"role": "assistant", "content": [{"type": "text", "text": answer}]},
        ],
    }


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder, rng = tmp_path_factory.mktemp("pack"), np.random.default_rng(0)
    (folder / "photos").mkdir()
    geometry, questions = [], []
    for number in range(12):
        path = folder / "photos" / f"{number:02d}{('.png', '.jpg', '.webp', '.bmp')[number % 4]}"
        photo(path, rng)
        image_id = photo_id(path)
        shape = {"image_id": image_id, "path": path.name, "width": SIZE[0], "height": SIZE[1]}
        geometry.append(geometry_row(plane(rng, *SIZE), **shape))
        questions += [question(image_id, path.name, turn) for turn in range(EACH)]
    for stage, rows, size in (("geometry", geometry, 5), ("objects", [], 5), ("questions", questions, 5 * EACH)):
        store = Store.open(folder / "data", stage, {"seed": 3}, photos=folder / "photos")
        parts = plan([str(k) for k in range(max(len(rows), 1))], size)
        for part in parts:
            store.write_shard(stage, part, rows[part.start : part.stop])
        store.finish(stage, len(parts))
    return folder / "data"


def wanted(data: Path) -> dict[str, dict]:
    return {row["question_id"]: row for row in Store(data).questions().to_pylist()}


def pixels(source) -> np.ndarray:
    with Image.open(source) as image:
        return np.asarray(image.convert("RGB"), np.int16)


def upright(data: Path, image_id: str) -> np.ndarray:
    from pseudogd.store.photos import load_photo

    return np.asarray(load_photo(Store(data).photo_path(image_id)), np.int16)


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def front(folder: Path) -> dict:
    return yaml.safe_load((folder / "README.md").read_text(encoding="utf-8").split("---\n")[1])


# --- each format is read back ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["messages", "parquet"])
@pytest.mark.parametrize("turns", [1, 3, 0])
def test_messages_and_parquet_are_read_by_our_own_training(data, tmp_path, form, turns):
    done = pseudogd.pack(data, tmp_path / "out", format=form, turns=turns, balanced=False, quiet=True)
    rows = list(Conversations(tmp_path / "out").rows(range(done.rows)))
    per_photo = {1: 4, 3: 2, 0: 1}[turns]
    assert len(rows) == done.rows == 12 * per_photo and done.questions == {"train": 48}
    said = [m for row in rows for m in row.messages]
    original = [m for row in wanted(data).values() for m in json.loads(row["messages"])]
    texts = [[part["text"] for part in m["content"] if part["type"] == "text"] for m in said]
    assert texts == [[part["text"] for part in m["content"] if part["type"] == "text"] for m in original]
    assert {row.sizes for row in rows} == {(SIZE,)} and all(len(row.pictures) == 1 for row in rows)


def test_datasets_reads_messages_and_parquet(data, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    for form in ("messages", "parquet"):
        pseudogd.pack(data, tmp_path / form, format=form, splits="train=0.5,test=0.5", balanced=False, quiet=True)
        found = datasets.load_dataset(str(tmp_path / form), cache_dir=str(tmp_path / "cache"))
        assert set(found) == {"train", "test"} and sum(found.num_rows.values()) == 48
        row = found["train"][0]
        facts = row["questions"] if form == "messages" else json.loads(row["questions"])
        source = wanted(data)[facts[0]["question_id"]]
        assert row["messages"][0]["content"][-1]["text"] == source["text"]
        assert facts[0]["margin"] == pytest.approx(source["margin"])
    assert isinstance(row["images"][0], Image.Image) and row["images"][0].size == SIZE
    by_format = datasets.load_dataset("parquet", data_dir=str(tmp_path / "parquet"), cache_dir=str(tmp_path / "cache"))
    assert isinstance(by_format["test"][0]["images"][0], Image.Image)


@pytest.mark.parametrize("turns", [1, 0])
def test_llava_gives_back_the_messages(data, tmp_path, turns):
    pseudogd.pack(data, tmp_path / "out", format="llava", turns=turns, balanced=False, quiet=True)
    rows = json.loads((tmp_path / "out" / "train.json").read_text(encoding="utf-8"))
    source = wanted(data)
    assert len(rows) == (48 if turns else 12)
    lines = []
    for row in rows:
        assert (tmp_path / "out" / row["image"]).is_file()
        assert sum(turn["value"].count("<image>") for turn in row["conversations"]) == 1
        content = []
        for turn in row["conversations"]:
            text = turn["value"].removeprefix("<image>\n").replace("< image >", "<image>")
            parts = [{"type": "image"}] if turn["value"].startswith("<image>\n") else []
            role = {"human": "user", "gpt": "assistant"}[turn["from"]]
            content.append({"role": role, "content": [*parts, {"type": "text", "text": text}]})
        lines.append({"messages": content, "images": [row["image"]]})
    (tmp_path / "out" / "back.jsonl").write_text("\n".join(map(json.dumps, lines)))
    read = list(Conversations(tmp_path / "out" / "back.jsonl").rows(range(len(lines))))
    said = [m["content"][-1]["text"] for row in read for m in row.messages]
    assert said == [t for row in source.values() for t in (row["text"], row["answer"])]


def test_our_own_evaluator_reads_the_omnispatial_layout(data, tmp_path):
    pseudogd.pack(data, tmp_path / "out", format="omnispatial", balanced=False, quiet=True)
    items, source = load_items(tmp_path / "out"), wanted(data)
    assert len(items) == 24 and len({item.uid for item in items}) == 24
    for item in items:
        row = source[item.extra["question_id"]]
        assert (list(item.options), item.answer, item.answer_letter) == (row["options"], 1, row["answer"])
        assert "\n".join([item.question, *(f"{'AB'[k]}. {o}" for k, o in enumerate(item.options))]) == row["text"]
        with Image.open(item.image) as image:
            assert image.format == "PNG" and image.size == SIZE
        assert (pixels(item.image) == upright(data, row["image_id"])).all()


# --- pictures --------------------------------------------------------------------------------------------------------


def test_pictures_are_upright_and_known_to_all(data, tmp_path):
    done = pseudogd.pack(data, tmp_path / "out", balanced=False, quiet=True)
    rows = [json.loads(line) for line in (tmp_path / "out" / "train.jsonl").read_text().splitlines()]
    source = wanted(data)
    for row in rows:
        image_id = source[row["id"]]["image_id"]
        path = tmp_path / "out" / row["images"][0]
        original = Store(data).photo_path(image_id)
        with Image.open(path) as image:
            assert image.format in ("PNG", "JPEG", "WEBP") and image.getexif().get(0x0112, 1) == 1
        if original.suffix in (".png", ".webp"):
            assert path.read_bytes() == original.read_bytes()
        assert np.abs(pixels(path) - upright(data, image_id)).mean() < (12 if original.suffix == ".jpg" else 0.01)
    assert done.located == 3 and "EXIF" in (tmp_path / "out" / "README.md").read_text()


def test_recoded_pictures_tell_no_place_and_links_are_links(data, tmp_path):
    done = pseudogd.pack(data, tmp_path / "a", images="recode", balanced=False, quiet=True)
    assert done.located == 0 and "EXIF" not in (tmp_path / "a" / "README.md").read_text()
    for path in (tmp_path / "a" / "images").rglob("*.*"):
        with Image.open(path) as image:
            assert not image.getexif()
    pseudogd.pack(data, tmp_path / "b", images="link", balanced=False, quiet=True)
    kinds = {path.suffix: path.is_symlink() for path in (tmp_path / "b" / "images").rglob("*.*")}
    assert kinds[".webp"] and not kinds[".jpg"]
    assert len(list(Conversations(tmp_path / "b").rows(range(48)))) == 48


# --- which questions, which split ------------------------------------------------------------------------------------


def test_no_photo_is_in_two_splits_and_more_photos_move_none(data, tmp_path):
    splits = {"train": 0.6, "validation": 0.2, "test": 0.2}
    done = pseudogd.pack(data, tmp_path / "out", splits=splits, balanced=False, quiet=True)
    assert sum(done.questions.values()) == 48
    owners: dict[str, set[str]] = {}
    for split in done.questions:
        for line in (tmp_path / "out" / f"{split}.jsonl").read_text().splitlines():
            owners.setdefault(json.loads(line)["images"][0], set()).add(split)
    assert len(owners) == 12 and all(len(where) == 1 for where in owners.values())
    choice = Choice(splits=splits)
    shares = np.unique([choice.split_of(f"{k}") for k in range(20_000)], return_counts=True)
    assert dict(zip(*shares)) == pytest.approx({"test": 4000, "train": 12000, "validation": 4000}, rel=0.05)


def test_tasks_margins_and_balance_choose(data, tmp_path):
    def count(name, **options):
        return sum(pseudogd.pack(data, tmp_path / name, quiet=True, **options).questions.values())

    assert count("a", balanced=False, tasks="nearer") == 24
    assert count("b", balanced=False, min_margin=0.25) == 24
    assert count("c", balanced=False, min_margin="nearer=0.35") == 36
    assert count("d") == 36 and count("e", tasks="nearer") == 12  # of each photo the last one is answered by a rule
    told = (tmp_path / "c" / "README.md").read_text()
    assert "least margin: nearer 0.35" in told


def test_evidence_goes_along_if_wanted(data, tmp_path):
    pseudogd.pack(data, tmp_path / "out", format="parquet", evidence=True, balanced=False, quiet=True)
    row = pq.read_table(next((tmp_path / "out" / "data").iterdir())).slice(3, 1).to_pylist()[0]
    assert json.loads(row["questions"])[0]["evidence"]["shortcut"] == {"rule": "r", "right": True}


# --- the card --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_the_card_says_what_it_is(data, tmp_path, form):
    pseudogd.pack(data, tmp_path / "out", format=form, quiet=True)
    head, text = front(tmp_path / "out"), (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert head["license"] == "cc0-1.0" and head["size_categories"] == ["n<1K"]
    assert "visual-question-answering" in head["task_categories"]
    assert "teacher: plane, revision 1, licence CC0-1.0" in text and "photos are the user's" in text
    assert str(data.parent) not in text and str(tmp_path) not in text
    for said in head.get("configs", [{"data_files": []}])[0]["data_files"]:
        assert list((tmp_path / "out").glob(said["path"]))


# --- whole or not at all ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_call_writes_the_same_bytes(data, tmp_path, form):
    for name in ("a", "b"):
        pseudogd.pack(data, tmp_path / name / "set", format=form, quiet=True)
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_a_photo_that_is_gone_leaves_nothing_behind(data, tmp_path):
    path = Store(data).photo_path(Store(data).geometry_ids()[7])
    kept = path.read_bytes()
    pseudogd.pack(data, tmp_path / "out", quiet=True)
    before = files(tmp_path)
    path.unlink()
    try:
        with pytest.raises(InputError, match=path.name):
            pseudogd.pack(data, tmp_path / "out", overwrite=True, quiet=True)
    finally:
        path.write_bytes(kept)
    assert files(tmp_path) == before


def test_what_is_there_is_not_written_over_unasked(data, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    for options in ({}, {"overwrite": True}):
        with pytest.raises(InputError, match="mine"):
            pseudogd.pack(data, tmp_path / "mine", quiet=True, **options)
    with pytest.raises(InputError, match="holds the data"):
        pseudogd.pack(data, data.parent, overwrite=True, quiet=True)
    pseudogd.pack(data, tmp_path / "out", quiet=True)
    with pytest.raises(InputError, match="not empty"):
        pseudogd.pack(data, tmp_path / "out", quiet=True)
    pseudogd.pack(data, tmp_path / "out", format="llava", overwrite=True, quiet=True)
    assert (tmp_path / "out" / "train.json").is_file() and not (tmp_path / "out" / "train.jsonl").exists()
    assert sorted(os.listdir(tmp_path)) == ["mine", "out"]


def test_what_a_killed_call_left_is_cleared_away(data, tmp_path):
    for name in (".out.999999999.tmp", ".out.999999998.old.tmp", ".other.999999999.tmp"):
        (tmp_path / name).mkdir()
    pseudogd.pack(data, tmp_path / "out", quiet=True)
    assert sorted(os.listdir(tmp_path)) == [".other.999999999.tmp", "out"]


# --- wrong use -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--format", "lava"], "'lava'"),
        (["--tasks", "nearest"], "'nearest'"),
        (["--min-margin", "nearer:3"], "nearer:3"),
        (["--min-margin", "size=3"], "'size'"),
        (["--min-margin", "99"], "no questions are left"),
        (["--min-stability", "0.5"], "stability has not been measured"),
        (["--splits", "train=0.5,dev=0.5"], "'dev'"),
        (["--splits", "train=0"], "above zero"),
        (["--images", "move"], "'move'"),
        (["--push", "no/such/name"], "no/such/name"),
        (["--push", "me/mine", "--images", "link"], "links lead nowhere"),
    ],
)
def test_wrong_use_is_one_line_and_writes_nothing(data, tmp_path, capsys, options, said):
    assert exits.run(cli.app, ["pack", str(data), "--out", str(tmp_path / "out"), *options]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert said in errors[-1] and errors[-1].startswith("error: ") and not os.listdir(tmp_path)


@pytest.mark.parametrize(("name", "value", "said"), [("HF_HUB_OFFLINE", "1", "HF_HUB_OFFLINE"), ("X", "", "no token")])
def test_a_push_that_cannot_be_is_refused_before_anything_is_packed(data, tmp_path, monkeypatch, name, value, said):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv(name, value)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(InputError, match=said):
        pseudogd.pack(data, tmp_path / "out", push="me/mine", quiet=True)
    assert not os.listdir(tmp_path)


def test_embedded_bytes_are_those_of_the_photo(data, tmp_path):
    pseudogd.pack(data, tmp_path / "out", format="parquet", balanced=False, quiet=True)
    table = pq.read_table(next((tmp_path / "out" / "data").iterdir()))
    for row in table.select(["image_id", "images"]).to_pylist():
        original = Store(data).photo_path(row["image_id"])
        if original.suffix == ".png":
            assert row["images"][0]["bytes"] == original.read_bytes()
        assert pixels(io.BytesIO(row["images"][0]["bytes"])).shape == (SIZE[1], SIZE[0], 3)

"""`annotate`: what the file says goes to the right photos; what it cannot say is one line each."""

import json
import shutil

import numpy as np
import pytest
from helpers.golden_folder import write_folder

from pseudogd.errors import InputError, SettingsMismatch
from pseudogd.objects.masks import encode
from pseudogd.stages.annotate import annotate
from pseudogd.stages.label import label
from pseudogd.store.dataset import Store


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    folder = write_folder(tmp_path_factory.mktemp("golden"), count=4)
    label(folder, f"files:{folder / 'depth'}", folder / "data", folder / "cameras.json", quiet=True)
    return folder


@pytest.fixture
def folder(labelled, tmp_path):
    return shutil.copytree(labelled, tmp_path / "golden")


def run(folder, **options):
    return annotate(folder / "data", f"coco:{folder / 'annotations.json'}", **{"quiet": True, **options})


def change(folder, edit):
    path = folder / "annotations.json"
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))


def ledger(folder):
    lines = Store(folder / "data").failures().to_pylist()
    return {line["image"]: line["reason"] for line in lines if line["stage"] == "objects"}


def test_every_photo_gets_its_objects(folder):
    result = run(folder)
    assert (result.inputs, result.rows, result.failures, result.left_out) == (4, 4, 0, 0)
    store = Store(folder / "data")
    document = json.loads((folder / "annotations.json").read_text())
    assert result.objects == len(document["annotations"])
    paths = {row["image_id"]: row["path"] for row in store.photos().to_pylist()}
    for image_id, path in paths.items():
        number = int(path.removesuffix(".png"))
        ids = {str(a["id"]) for a in document["annotations"] if a["image_id"] == number}
        rows = store.objects(image_id)
        assert {row["object_id"] for row in rows} == ids
        assert all(row["source"] == "coco:annotations.json" and row["rle"]["size"] == [160, 160] for row in rows)


def test_bad_entries_are_one_line_each_and_the_good_ones_stay(folder):
    def spoil(document):
        document["images"] += [
            {"id": 50, "file_name": "../0.png", "width": 160, "height": 160},
            {"id": 51, "width": 160, "height": 160},
            {"id": 52, "file_name": "never seen.png", "width": 160, "height": 160},
        ]
        document["images"][1]["width"] = 99
        document["annotations"][0]["segmentation"] = encode(np.ones((8, 8), bool))

    change(folder, spoil)
    result = run(folder)
    lines = ledger(folder)
    assert lines == {
        "0.png": "annotation 0: mask is 8 x 8, the photo is 160 x 160",
        "1.png": "annotations.json: 1.png is annotated as 99 x 160, the upright photo is 160 x 160; "
        "annotate the photo as it is shown",
        "annotations.json image 50": "file_name '../0.png' leaves the photo folder",
        "annotations.json image 51": "no file_name",
        "never seen.png": "no photo of this name has geometry here",
    }
    assert (result.rows, result.failures, result.exit_code) == (3, 5, 1)
    assert run(folder, max_failures=5).exit_code == 0


def test_photos_that_label_could_not_do_are_no_failures_again(folder, capsys):
    shutil.rmtree(folder / "data")
    (folder / "depth" / "0.png").unlink()
    label(folder, f"files:{folder / 'depth'}", folder / "data", folder / "cameras.json", quiet=True)
    result = run(folder, quiet=False)
    assert (result.rows, result.failures, result.exit_code, result.left_out) == (3, 0, 0, 0)
    notes = Store(folder / "data").left_out("objects")
    assert [(note.image, note.reason) for note in notes] == [("0.png", "label made no geometry")]
    assert "note: label made no geometry of 1 of the photos that the source names" in capsys.readouterr().err


def test_a_photo_that_the_file_does_not_know_has_no_objects(folder):
    change(folder, lambda document: document["images"].pop(0))
    assert run(folder).failures == 0
    store = Store(folder / "data")
    counts = {row["path"]: len(store.objects(row["image_id"])) for row in store.photos().to_pylist()}
    assert counts.pop("0.png") == 0 and all(counts.values())


def test_things_without_words_of_their_own_are_left_out_and_counted(folder, capsys):
    def rename(document):
        for entry in document["annotations"]:
            del entry["name"]

    change(folder, rename)
    result = run(folder, quiet=False)
    assert result.objects == 0 and result.left_out > 10 and result.failures == 0
    assert f"{result.left_out} annotations were left out" in capsys.readouterr().err


def test_again_is_nothing_to_do_and_a_corrected_file_is_done_again(folder):
    run(folder)
    assert run(folder).resumed == 4
    change(folder, lambda document: document["annotations"][0].update(name="crimson card"))
    assert run(folder).resumed == 0
    names = {row["name"] for i in Store(folder / "data").geometry_ids() for row in Store(folder / "data").objects(i)}
    assert "crimson card" in names


def test_workers_change_no_byte(folder, tmp_path):
    run(folder, shard_size=2)
    other = shutil.copytree(folder, tmp_path / "other")
    shutil.rmtree(other / "data" / "objects")
    annotate(other / "data", f"coco:{other / 'annotations.json'}", shard_size=2, workers=2, overwrite=True, quiet=True)
    for path in sorted((folder / "data" / "objects").iterdir()):
        assert path.read_bytes() == (other / "data" / "objects" / path.name).read_bytes()


def test_wrong_use_is_one_line(folder, tmp_path):
    with pytest.raises(InputError, match="use coco:FILE"):
        annotate(folder / "data", "dino", quiet=True)
    with pytest.raises(InputError, match="no such annotation file"):
        annotate(folder / "data", f"coco:{tmp_path / 'none.json'}", quiet=True)
    with pytest.raises(InputError, match="label"):
        annotate(tmp_path / "empty", f"coco:{folder / 'annotations.json'}", quiet=True)
    run(folder)
    with pytest.raises(SettingsMismatch, match="shard_size"):
        run(folder, shard_size=3)


def test_a_photo_that_cannot_be_looked_at_is_one_line_and_its_things_stay(tmp_path):
    folder = write_folder(tmp_path / "own", count=2)
    label(folder, f"files:{folder / 'depth'}", folder / "data", folder / "cameras.json", quiet=True)

    def one_kind(document):
        for entry in document["annotations"]:
            del entry["name"]

    change(folder, one_kind)
    photo = folder / "images" / "0.png"
    kept = photo.read_bytes()
    photo.unlink()
    result = run(folder)
    assert result.rows == 2 and ledger(folder)["0.png"].startswith("colours were not measured: ")
    photo.write_bytes(kept)
    again = run(folder)  # its photo is back: looked at again
    assert again.resumed == 0 and again.failures == 0


def test_what_was_left_out_stands_beside_the_rows(folder):
    change(folder, lambda document: document["annotations"][0].update(name="<b>", iscrowd=1))
    result = run(folder)
    notes = Store(folder / "data").left_out("objects")
    assert result.left_out == len(notes) >= 1 and notes[0].image == "0.png"

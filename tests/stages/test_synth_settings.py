"""`synth` from a settings file, with a second teacher, and in other words."""

import json
import re
import shutil

import pytest
from helpers.golden_folder import write_folder

import pseudogd
from pseudogd.errors import InputError, SettingsMismatch
from pseudogd.stages import rerender
from pseudogd.stages.annotate import annotate
from pseudogd.stages.label import label
from pseudogd.stages.synth import synth
from pseudogd.store.dataset import Store

SURE = {"depth_sigma": 0.01}


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    folder = write_folder(tmp_path_factory.mktemp("golden"), count=4)
    label(folder, f"files:{folder / 'depth'}", folder / "data", folder / "cameras.json", quiet=True)
    annotate(folder / "data", f"coco:{folder / 'annotations.json'}", quiet=True)
    synth(folder / "data", scene=SURE, shard_size=2, quiet=True)
    return folder


@pytest.fixture
def data(ready, tmp_path):
    return shutil.copytree(ready / "data", tmp_path / "data")


def rows(data):
    found = Store(data).questions().to_pylist()
    return [{**row, "evidence": json.loads(row["evidence"])} for row in found]


def metres_of(text, sign):
    return float(text.split()[0]) * {"m": 1.0, "ft": 0.3048, "in": 0.0254, "cm": 0.01}[sign]


@pytest.mark.parametrize("units", ["ft", "in", "cm", "m"])
def test_other_units_say_the_same_lengths(data, units):
    before = rows(data)
    result = synth(data, units=units, numbers="fixed", formats={"mc": 1.0, "open": 1.0}, rerender=True, quiet=True)
    after = rows(data)
    assert result.rows == len(after) == len(before)
    lengths = 0
    for old, new in zip(before, after):
        for same in ("question_id", "task", "kind", "frame", "value", "unit", "margin", "stability"):
            assert new[same] == old[same]
        if new["task"] == "distance" and new["evidence"]["format"] in ("mc", "open"):
            lengths += 1
            said = [new["answer"]] if new["options"] is None else new["options"]
            right = said[0] if new["options"] is None else said[new["answer_index"]]
            assert all(re.fullmatch(rf"[\d.]+ {units}", text) for text in said)
            step = {"m": 0.051, "ft": 0.31, "in": 0.03, "cm": 0.01}[units]
            assert metres_of(right, units) == pytest.approx(new["value"], abs=step)
            assert (" meters" not in new["text"]) or units == "m"
    assert lengths > 4


def test_other_formats_and_the_way_back(data):
    before = rows(data)
    synth(data, formats={"open": 1.0}, rerender=True, quiet=True)
    opened = rows(data)
    assert {row["evidence"]["format"] for row in opened} <= {"open", "mc"}  # some facts have only options
    assert sum(row["options"] is None for row in opened) > sum(row["options"] is None for row in before)
    synth(data, formats={"open": 1.0}, rerender=True, quiet=True)
    assert rows(data) == opened
    with pytest.raises(SettingsMismatch):
        synth(data, scene=SURE, shard_size=2, quiet=True)


def test_killed_while_it_is_written_or_moved(data, monkeypatch):
    """Until the first shard is moved the old questions stand; after that the same command finishes."""
    whole = shutil.copytree(data, data.parent / "whole")
    synth(whole, units="ft", rerender=True, quiet=True)
    before, write = rows(data), Store.write_shard_at
    calls = []

    def once(self, *args):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        write(self, *args)

    monkeypatch.setattr(Store, "write_shard_at", once)
    with pytest.raises(KeyboardInterrupt):
        synth(data, units="ft", rerender=True, quiet=True)
    assert rows(data) == before
    monkeypatch.setattr(Store, "write_shard_at", write)
    monkeypatch.setattr(Store, "finish", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        synth(data, units="ft", rerender=True, quiet=True)
    with pytest.raises(InputError, match="not finished"):
        Store(data).require("questions")
    monkeypatch.undo()
    synth(data, units="ft", rerender=True, quiet=True)
    assert rows(data) == rows(whole) and not (data / rerender.ASIDE).exists()
    for path in (data / "questions").iterdir():
        assert path.read_bytes() == (whole / "questions" / path.name).read_bytes()


def test_what_words_cannot_change_is_refused(data):
    with pytest.raises(InputError, match="margins: cannot change"):
        synth(data, margins={"sector": 0.4}, rerender=True, quiet=True)
    shutil.rmtree(data / "questions")
    manifest = json.loads((data / "manifest.json").read_text())
    del manifest["stages"]["questions"]
    (data / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="holds no questions yet"):
        synth(data, units="ft", rerender=True, quiet=True)


def test_a_settings_file_and_what_stands_beside_it(data, tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("tasks: {nearer: 2, size: 1}\nmargins: {depth_ratio: 1.3, sector: 0.4}\nunits: ft\n")
    synth(data, settings_file=file, margins={"sector": 0.5}, overwrite=True, quiet=True)
    kept = Store(data).settings("questions")
    assert kept["margins"]["depth_ratio"] == 1.3 and kept["margins"]["sector"] == 0.5 and kept["units"] == "ft"
    assert {row["task"] for row in rows(data)} <= {"nearer", "size"}


@pytest.mark.parametrize(
    ("text", "said"), [("- 1\n", "names with values"), ("a: [", "is not YAML"), ("margin: {sector: 1}", "margins")]
)
def test_settings_files_that_cannot_be(data, tmp_path, text, said):
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=said):
        synth(data, settings_file=file, overwrite=True, quiet=True)
    with pytest.raises(InputError, match="cannot be read"):
        synth(data, settings_file=tmp_path / "none.yaml", overwrite=True, quiet=True)
    assert rows(data)  # nothing was deleted before the settings were read


def test_a_second_teacher_decides_what_is_asked(ready, data, tmp_path):
    """The same photos, of which another teacher says that near is far: no order is asked any more."""
    import numpy as np
    from PIL import Image

    depth = tmp_path / "depth"
    depth.mkdir()
    for path in (ready / "depth").iterdir():
        values = np.asarray(Image.open(path)).astype(np.int64)
        Image.fromarray((values.max() + 1000 - values).astype(np.uint16)).save(depth / path.name)
    label(ready, f"files:{depth}", tmp_path / "second", ready / "cameras.json", quiet=True)
    synth(data, "nearer", scene=SURE, second=tmp_path / "second", overwrite=True, quiet=True)
    assert not rows(data)
    synth(data, "nearer", scene=SURE, second=ready / "data", overwrite=True, quiet=True)
    assert rows(data) and Store(data).settings("questions")["second"]["name"]


def test_a_second_folder_of_other_photos_is_refused(data, tmp_path):
    other = write_folder(tmp_path / "other", count=1, side=120)
    label(other, f"files:{other / 'depth'}", other / "data", quiet=True)
    with pytest.raises(InputError, match="has no photo of"):
        synth(data, second=other / "data", overwrite=True, quiet=True)
    assert rows(data)


def test_unknown_settings_are_named(data):
    with pytest.raises(InputError, match="unknown setting 'unit'"):
        pseudogd.synth(data, unit="ft")

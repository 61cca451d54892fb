"""Photos in tars, tables, lists and at addresses become ordinary photos, byte by byte, and never leave their folder."""

import io
import json
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers import photos as make
from helpers.tiny_depth_anything import save_tiny_depth_anything

from pseudogd.errors import InputError
from pseudogd.stages.label import label
from pseudogd.store.dataset import Store
from pseudogd.store.inputs import find_photos
from pseudogd.teachers import load_teacher

PHOTOS = {f"{index:03d}.jpg": make.as_bytes(make.scene(index), "JPEG") for index in range(5)}
CAMERA = {"fx": 50.0, "fy": 51.0, "cx": 24.0, "cy": 16.0, "width": 48, "height": 32}


def tar(path, files):
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def pictures(found):
    return {path.relative_to(found.root).as_posix(): path.read_bytes() for path in found.paths}


def table(image):
    return pa.table({"caption": ["c"] * len(image), "image": image})


IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def test_a_folder_stays_where_it_is(tmp_path):
    (tmp_path / "images").mkdir()
    for name, data in PHOTOS.items():
        (tmp_path / "images" / name).write_bytes(data)
    found = find_photos(tmp_path, tmp_path / "data", quiet=True)
    assert pictures(found) == PHOTOS and found.root == tmp_path / "images" and not (tmp_path / "data").exists()


@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_a_webdataset_tar_with_cameras(tmp_path, suffix):
    extra = {
        "001.json": json.dumps({"camera": CAMERA, "caption": "x"}).encode(),
        "002.txt": b"caption",
        "a/b.cls": b"0",
    }
    source = tar(tmp_path / f"shard-000.{suffix}", {**PHOTOS, **extra})
    found = find_photos(source, tmp_path / "data", quiet=True)
    assert pictures(found) == {f"shard-000/{name}": data for name, data in PHOTOS.items()}
    assert json.loads(found.cameras.read_text()) == {"shard-000/001.jpg": CAMERA}


@pytest.mark.parametrize("name", ["../out.jpg", "/abs.jpg", "a/../../out.jpg", "..\\out.jpg"])
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    source = tar(tmp_path / "x.tar", {name: PHOTOS["000.jpg"], "good.jpg": PHOTOS["001.jpg"]})
    found = find_photos(source, tmp_path / "deep" / "data")
    inside = {p for p in tmp_path.rglob("*.jpg")}
    assert inside <= set(found.paths) and all(p.is_relative_to(tmp_path / "deep" / "data" / "photos") for p in inside)
    assert len(found.paths) == 1 or name == "/abs.jpg"


def test_links_in_tars_are_not_followed(tmp_path):
    (tmp_path / "secret.jpg").write_bytes(PHOTOS["000.jpg"])
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        info = tarfile.TarInfo("link.jpg")
        info.type, info.linkname = tarfile.SYMTYPE, str(tmp_path / "secret.jpg")
        archive.addfile(info)
        info = tarfile.TarInfo("real.jpg")
        info.size = len(PHOTOS["001.jpg"])
        archive.addfile(info, io.BytesIO(PHOTOS["001.jpg"]))
    assert list(pictures(find_photos(tmp_path / "x.tar", tmp_path / "data", quiet=True))) == ["x/real.jpg"]


@pytest.mark.parametrize("kind", ["struct", "bytes"])
def test_a_parquet_of_the_hub(tmp_path, kind):
    rows = [{"bytes": data, "path": name} for name, data in PHOTOS.items()]
    column = pa.array(rows, IMAGE) if kind == "struct" else pa.array(list(PHOTOS.values()), pa.binary())
    pq.write_table(table(column), tmp_path / "train-00000.parquet", row_group_size=2)
    found = find_photos(tmp_path / "train-00000.parquet", tmp_path / "data", quiet=True)
    assert list(pictures(found).values()) == list(PHOTOS.values())
    assert next(iter(pictures(found))) == "train-00000/00000000.jpg"


def test_a_column_of_lists_gives_every_picture_of_a_row(tmp_path):
    """As data sets of conversations about several pictures have it; a camera is of a row's only picture."""
    rows = [["000.jpg", "001.jpg"], [], ["002.jpg"]]
    column = pa.array([[{"bytes": PHOTOS[name], "path": None} for name in row] for row in rows], pa.list_(IMAGE))
    content = {"texts": pa.array(["a", "b", "c"]), "images": column}
    camera = {key: pa.array([value] * 3) for key, value in CAMERA.items()}
    pq.write_table(pa.table({**content, **camera}), tmp_path / "x.parquet")
    found = find_photos(tmp_path / "x.parquet", tmp_path / "data", quiet=True)
    names = ["x/00000000_0.jpg", "x/00000000_1.jpg", "x/00000002_0.jpg"]
    assert pictures(found) == dict(zip(names, (PHOTOS[name] for name in ("000.jpg", "001.jpg", "002.jpg"))))
    assert list(json.loads(found.cameras.read_text())) == names[2:]


def test_rows_that_name_a_path_and_hold_no_picture_are_told(tmp_path, capsys):
    """What `Dataset.to_parquet` leaves of photos that lie in a folder."""
    rows = [{"bytes": None, "path": f"/photos/{name}"} for name in PHOTOS]
    pq.write_table(pa.table({"image": pa.array(rows, IMAGE)}), tmp_path / "x.parquet")
    with pytest.raises(
        InputError,
        match=r"none of .*: holds the path /photos/000.jpg and not the picture; give the folder of the photos",
    ):
        find_photos(tmp_path / "x.parquet", tmp_path / "data", quiet=True)
    rows[1]["bytes"] = PHOTOS["001.jpg"]
    pq.write_table(pa.table({"image": pa.array(rows, IMAGE)}), tmp_path / "y.parquet")
    found = find_photos(tmp_path / "y.parquet", tmp_path / "other", quiet=False)
    assert pictures(found) == {"y/00000001.jpg": PHOTOS["001.jpg"]}
    assert (
        f"warning: {len(PHOTOS) - 1} entries were left out: y/00000000.jpg: holds the path" in capsys.readouterr().err
    )


def test_what_save_to_disk_writes(tmp_path):
    """A folder of Arrow streams with small print beside it, in two splits."""
    for split, names in (("train", ["000.jpg", "001.jpg"]), ("test", ["002.jpg"])):
        (tmp_path / "set" / split).mkdir(parents=True)
        (tmp_path / "set" / split / "state.json").write_text("{}")
        content = table(pa.array([{"bytes": PHOTOS[name], "path": None} for name in names], IMAGE))
        path = str(tmp_path / "set" / split / "data-00000-of-00001.arrow")
        with pa.OSFile(path, "wb") as file, pa.ipc.new_stream(file, content.schema) as writer:
            writer.write_table(content)
    found = pictures(find_photos(tmp_path / "set", tmp_path / "data", quiet=True))
    assert sorted(found.values()) == sorted(PHOTOS[name] for name in ("000.jpg", "001.jpg", "002.jpg"))
    assert "train/data-00000-of-00001/00000001.jpg" in found


def test_a_list_of_photos_with_cameras(tmp_path):
    (tmp_path / "set" / "images").mkdir(parents=True)
    for name, data in PHOTOS.items():
        (tmp_path / "set" / "images" / name).write_bytes(data)
    lines = [
        {"path": "images/003.jpg", **CAMERA, "caption": "a"},
        {"image": "images/001.jpg"},
        {"path": "images/gone.jpg"},
    ]
    (tmp_path / "set" / "some.jsonl").write_text("\n".join(map(json.dumps, lines)))
    found = find_photos(tmp_path / "set" / "some.jsonl", tmp_path / "data", quiet=True)
    assert [path.name for path in found.paths] == ["001.jpg", "003.jpg", "gone.jpg"]
    assert json.loads(found.cameras.read_text()) == {"images/003.jpg": CAMERA}
    teacher = load_teacher(str(save_tiny_depth_anything(tmp_path / "tiny")), device="cpu")
    result = label(tmp_path / "set" / "some.jsonl", teacher, tmp_path / "data", quiet=True)
    store = Store(tmp_path / "data")
    rows = {row["path"]: row["image_id"] for row in store.photos().to_pylist()}
    assert list(rows) == ["images/001.jpg", "images/003.jpg"] and (result.rows, result.failures) == (2, 1)
    assert (
        store.geometry(rows["images/003.jpg"]).camera.fx == 50 and store.geometry(rows["images/001.jpg"]).camera is None
    )
    assert store.photo_path(rows["images/003.jpg"]).read_bytes() == PHOTOS["003.jpg"]


WRONG_LINES = {
    "{": "line 2 is not JSON",
    '{"a": 1}': "line 2 names no photo",
    "[]": "line 2 names no photo",
    '{"path": "../x.jpg"}': "line 2.*must be a path inside.*keep the list in the folder",
    '{"path": "/photos/x.jpg"}': "line 2.*must be a path inside.*keep the list in the folder",
}


@pytest.mark.parametrize("line, said", WRONG_LINES.items())
def test_wrong_lines_are_named(tmp_path, line, said):
    (tmp_path / "x.jsonl").write_text('{"path": "a.jpg"}\n' + line)
    with pytest.raises(InputError, match=said) as caught:
        find_photos(tmp_path / "x.jsonl", tmp_path / "data", quiet=True)
    assert "x.jsonl" in str(caught.value) and "\n" not in str(caught.value)


def test_addresses_of_fsspec(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    for name, data in PHOTOS.items():
        memory.pipe(f"/bucket/set/sub/{name}", data)
    memory.pipe("/bucket/set/readme.txt", b"x")
    memory.pipe("/bucket/set/more.tar", tar(tmp_path / "more.tar", {"x.jpg": PHOTOS["000.jpg"]}).read_bytes())
    found = pictures(find_photos("memory://bucket/set", tmp_path / "data", quiet=True))
    assert found == {**{f"sub/{name}": data for name, data in PHOTOS.items()}, "more/x.jpg": PHOTOS["000.jpg"]}
    with pytest.raises(InputError, match="nothing is there"):
        find_photos("memory://bucket/none", tmp_path / "other", quiet=True)
    with pytest.raises(InputError, match="cannot be opened"):
        find_photos("nosuch://bucket", tmp_path / "other", quiet=True)


def test_unpacking_goes_on_and_is_done_once(tmp_path):
    source = tar(tmp_path / "x.tar", PHOTOS)
    whole = source.read_bytes()
    source.write_bytes(whole[:4000])
    with pytest.raises(InputError, match="cannot be read as a tar"):
        find_photos(source, tmp_path / "data", quiet=True)
    source.write_bytes(whole)
    found = find_photos(source, tmp_path / "data", quiet=True)
    assert list(pictures(found).values()) == list(PHOTOS.values())
    times = [path.stat().st_mtime_ns for path in found.paths]
    assert [path.stat().st_mtime_ns for path in find_photos(source, tmp_path / "data", quiet=True).paths] == times
    tar(source, {**PHOTOS, "new.jpg": PHOTOS["000.jpg"] + b"x"})
    with pytest.raises(InputError, match="choose another --out"):
        find_photos(source, tmp_path / "data", quiet=True)


def test_other_files_are_refused_in_a_line(tmp_path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes(b"nonsense")
    (tmp_path / "c.arrow").write_bytes(b"nonsense")
    (tmp_path / "d.txt").write_bytes(b"x")
    for name, said in (("a.parquet", "no column of pictures"), ("b.parquet", "as Parquet"), ("c.arrow", "Arrow stream"),
                       ("d.txt", "is a file"), ("none.tar", "no such folder")):  # fmt: skip
        with pytest.raises(InputError, match=said) as caught:
            find_photos(tmp_path / name, tmp_path / "data", quiet=True)
        assert "\n" not in str(caught.value) and name in str(caught.value)


def test_labelled_photos_of_a_tar_are_read_again_from_the_data_folder(tmp_path):
    teacher = load_teacher(str(save_tiny_depth_anything(tmp_path / "tiny")), device="cpu")
    source = tar(tmp_path / "images.tar", {**PHOTOS, "bad.jpg": b"no picture"})
    result = label(source, teacher, tmp_path / "data", quiet=True)
    assert (result.rows, result.failures) == (5, 1)
    (tmp_path / "data").rename(tmp_path / "moved")
    store = Store(tmp_path / "moved")
    assert sorted(store.photo_path(one).read_bytes() for one in store.geometry_ids()) == sorted(PHOTOS.values())
    assert label(source, teacher, tmp_path / "moved", quiet=True).resumed == 6

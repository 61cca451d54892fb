"""One flipped bit anywhere in a shard is found and named."""

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudogd.errors import InputError
from pseudogd.store import shards
from pseudogd.store.dataset import Store
from pseudogd.store.integrity import damage_of, verify
from pseudogd.store.shards import Failure, plan

ROW = {"path": "a.png", "aliases": [], "width": 1, "height": 1, "depth": bytes(range(200)), "scale": "metric",
       "teacher": "{}"}  # fmt: skip


def write(root, count=4):
    (root.parent / "photos").mkdir(exist_ok=True)
    store = Store.open(root, "geometry", {"a": 1}, photos=root.parent / "photos")
    parts = plan([str(index) for index in range(count)], 2)
    for part in parts:
        rows = [{**ROW, "image_id": f"{index:064d}"} for index in range(part.start, part.stop)]
        store.write_shard("geometry", part, rows, [Failure("b.png", "is empty")])
    store.finish("geometry", len(parts))
    return store


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write(tmp_path_factory.mktemp("whole") / "data").root


def flip(path, place, bit=0):
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 1 << bit
    path.write_bytes(content)


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 100_000), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_found(data, tmp_path_factory, place, bit):
    path = tmp_path_factory.mktemp("flipped") / "part-00000.parquet"
    shutil.copy(data / "geometry" / path.name, path)
    shutil.copy(shards.sum_path(data / "geometry" / path.name), shards.sum_path(path))
    assert damage_of(path) is None
    flip(path, place, bit)
    assert "damaged" in damage_of(path)


def test_verify_names_what_is_wrong_and_its_mend(data, tmp_path):
    copy = shutil.copytree(data, tmp_path / "data")
    found = verify(copy)
    assert (found.files, found.damaged, found.exit_code) == (2, (), 0) and found.bytes > 400
    flip(copy / "geometry" / "part-00001.parquet", -3)
    shards.remove_shard(copy / "geometry" / "part-00000.parquet")
    said = [str(one) for one in verify(copy).damaged]
    assert "part-00000.parquet: is missing" in said[0] and "pseudogd label" in said[0]
    assert "part-00001.parquet: is damaged" in said[1] and all("\n" not in line for line in said)
    assert verify(copy).exit_code == 1
    with pytest.raises(InputError, match="no manifest"):
        verify(tmp_path / "nothing")


def test_the_store_tells_damage_from_other_inputs(data, tmp_path):
    copy = shutil.copytree(data, tmp_path / "data")
    store, (first, second) = Store(copy), plan(["0", "1", "2", "3"], 2)
    assert store.damage("geometry", first) is None and store.has_shard("geometry", first)
    flip(shards.sum_path(copy / "geometry" / "part-00000.parquet"), 5)
    assert "part-00000.parquet: is damaged" in store.damage("geometry", first)
    assert store.damage("geometry", second) is None


def test_a_shard_of_an_older_version_is_read_instead(data, tmp_path):
    copy = shutil.copytree(data, tmp_path / "data")
    path = copy / "geometry" / "part-00000.parquet"
    shards.sum_path(path).unlink()
    assert damage_of(path) is None
    path.write_bytes(path.read_bytes()[:-50])
    assert "is damaged" in damage_of(path)


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum")
def test_the_digests_are_those_of_sha256sum(data):
    names = [path.name for path in (data / "geometry").glob("*.sha256")]
    done = subprocess.run(["sha256sum", "-c", *names], cwd=data / "geometry", capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.count("OK") == 2


def test_a_kill_between_digest_and_shard_is_noticed(tmp_path, monkeypatch):
    store = write(tmp_path / "data")
    part = plan(["0", "1", "2", "3"], 2)[0]
    written = shards.write_atomic

    def killed(path, content):
        if path.suffix == ".parquet":
            raise KeyboardInterrupt
        written(path, content)

    monkeypatch.setattr(shards, "write_atomic", killed)
    with pytest.raises(KeyboardInterrupt):
        store.write_shard("geometry", part, [{**ROW, "image_id": "other"}])
    assert "damaged" in store.damage("geometry", part)

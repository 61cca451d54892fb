"""Shards appear whole or not at all, and the same table gives the same bytes."""

import os
import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudogd.errors import InputError
from pseudogd.store import shards
from pseudogd.store.schemas import to_table


@settings(deadline=None, max_examples=40)
@given(st.lists(st.text(max_size=5), max_size=40), st.integers(1, 9))
def test_slices_cover_the_inputs_once_and_in_order(keys, size):
    parts = shards.plan(keys, size)
    assert [index for part in parts for index in range(part.start, part.stop)] == list(range(len(keys)))
    assert [part.index for part in parts] == list(range(len(parts)))
    assert all(part.stop - part.start == size for part in parts[:-1])


@settings(deadline=None, max_examples=40)
@given(st.lists(st.text(max_size=5), min_size=1, max_size=20), st.data())
def test_a_changed_key_changes_the_digest_of_its_slice_alone(keys, data):
    index = data.draw(st.integers(0, len(keys) - 1))
    changed = [*keys[:index], keys[index] + "!", *keys[index + 1 :]]
    for old, new in zip(shards.plan(keys, 4), shards.plan(changed, 4)):
        assert (old.digest != new.digest) == (old.start <= index < old.stop)


def test_keys_do_not_run_into_each_other():
    assert shards.plan(["a\nb"], 2)[0].digest != shards.plan(["a", "b"], 2)[0].digest


def test_a_shard_size_below_one_is_refused():
    with pytest.raises(InputError, match="shard_size"):
        shards.plan(["a"], 0)


def test_rows_digest_and_failures_come_back(tmp_path):
    table = to_table("objects", [{"image_id": "ä", "objects": [{"name": "red chair"}]}])
    failures = [shards.Failure('it\'s "quoted" 📷.png', "is empty")]
    for name in ("a", "b"):
        shards.write_shard(tmp_path / name, table, "digest", failures, row_group_size=8)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert shards.shard_digest(tmp_path / "a") == "digest"
    assert shards.shard_failures(tmp_path / "a") == failures


def test_a_file_that_is_no_shard_has_no_digest(tmp_path):
    path = tmp_path / "part-00000.parquet"
    assert shards.shard_digest(path) is None
    path.write_bytes(b"PAR1 but not really")
    assert shards.shard_digest(path) is None
    path.write_bytes(shards.parquet_bytes(pa.table({"a": [1]})))
    assert shards.shard_digest(path) is None


def test_only_finished_shards_are_listed_in_number_order(tmp_path):
    for index in (0, 2, 100_001):
        shards.write_atomic(shards.shard_path(tmp_path, index), b"x")
    (tmp_path / ".part-00001.parquet.77.tmp").write_bytes(b"half")
    assert [path.name for path in shards.shard_paths(tmp_path)] == [
        "part-00000.parquet",
        "part-00002.parquet",
        "part-100001.parquet",
    ]
    assert shards.shard_paths(tmp_path / "gone") == []


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(InputError, match="cannot be written") as caught:
        shards.write_atomic(tmp_path / "file" / "a.parquet", b"data")
    assert "\n" not in str(caught.value)


FULL = """
import resource, signal, sys
from pseudogd.errors import InputError
from pseudogd.store.shards import write_atomic
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_atomic(sys.argv[1], bytes(5000))
except InputError as error:
    print(error)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs a limit on file size")
def test_a_full_disk_leaves_the_old_file_and_nothing_aside(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    said = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True).stdout
    assert "make room" in said and said.count("\n") == 1
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.bin"]


def test_leftovers_of_dead_processes_go_and_those_of_live_ones_stay(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    gone, kept = tmp_path / f".a.parquet.{dead.pid}.tmp", tmp_path / f".a.parquet.{os.getppid()}.tmp"
    gone.write_bytes(b"half")
    kept.write_bytes(b"half")
    shards.remove_leftovers(tmp_path)
    assert not gone.exists() and kept.exists()
    shards.remove_leftovers(tmp_path / "gone")


def test_rows_are_checked_against_the_schema():
    with pytest.raises(ValueError, match="no column 'colour'"):
        to_table("objects", [{"image_id": "a", "objects": [], "colour": "red"}])
    with pytest.raises(ValueError, match="need a value in column 'objects'"):
        to_table("objects", [{"image_id": "a"}])
    with pytest.raises(ValueError):
        to_table("objects", [{"image_id": "a", "objects": [float("nan")]}])

"""The same bytes whatever was killed and however many workers ran; one bad input stops no other."""

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from pseudogd.engines.local import run_batches, run_stage
from pseudogd.engines.result import Outcome
from pseudogd.errors import InputError, PseudoGDError
from pseudogd.store.dataset import Store

NAMES = [f"{index}.png" for index in range(11)]


def rows_of(index):
    if index == 4:
        raise InputError("is empty")
    if index == 7:
        raise ZeroDivisionError("a slip of ours")
    if index == 8:
        return Outcome(rows=[row(index)], failures=["one object lies outside", "one has no name"])
    return [row(index)]


def row(index):
    return {"image_id": f"{index:064d}", "path": NAMES[index], "aliases": [], "width": 1, "height": 1, "depth": b"",
            "scale": "metric", "teacher": "{}"}  # fmt: skip


def open_store(tmp_path, name):
    (tmp_path / "photos").mkdir(exist_ok=True)
    return Store.open(tmp_path / name, "geometry", {"a": 1}, photos=tmp_path / "photos")


def run(tmp_path, name, fn=rows_of, keys=NAMES, **options):
    store = open_store(tmp_path, name)
    options = {"shard_size": 3, "quiet": True, **options}
    return run_stage(range(len(keys)), fn, store=store, stage="geometry", keys=keys, **options)


def content(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_rows_and_failures(tmp_path):
    result = run(tmp_path, "data", max_failures=3)
    store = Store(tmp_path / "data")
    assert store.photos()["path"].to_pylist() == [name for name in NAMES if name not in ("4.png", "7.png")]
    assert [tuple(line.values()) for line in store.failures().to_pylist()] == [
        ("4.png", "geometry", "is empty"),
        ("7.png", "geometry", "unexpected ZeroDivisionError: a slip of ours"),
        ("8.png", "geometry", "one object lies outside"),
        ("8.png", "geometry", "one has no name"),
    ]
    assert (result.inputs, result.rows, result.failures, result.resumed) == (11, 9, 4, 0)
    assert result.exit_code == 1 and run(tmp_path, "data", max_failures=4).exit_code == 0


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_change_no_byte(tmp_path, workers):
    run(tmp_path, "one")
    run(tmp_path, "many", workers=workers)
    assert content(tmp_path / "one") == content(tmp_path / "many")


def test_a_second_run_does_nothing_and_changes_nothing(tmp_path):
    run(tmp_path, "data")
    before = content(tmp_path / "data")
    calls = []
    result = run(tmp_path, "data", fn=calls.append)
    assert calls == [] and result.resumed == 11 and result.rows == 9
    assert content(tmp_path / "data") == before


@pytest.mark.parametrize("stop", range(0, 11, 2))
def test_a_stopped_run_goes_on_to_the_same_bytes(tmp_path, stop):
    run(tmp_path, "whole")

    def stopping(index):
        if index == stop:
            raise KeyboardInterrupt
        return rows_of(index)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, "data", fn=stopping)
    with pytest.raises(InputError, match="was not finished"):
        Store(tmp_path / "data").photos()
    assert run(tmp_path, "data").resumed == stop // 3 * 3
    assert content(tmp_path / "data") == content(tmp_path / "whole")


def test_only_shards_of_changed_inputs_are_done_again(tmp_path):
    run(tmp_path, "data")
    done = []

    def noting(index):
        done.append(index)
        return rows_of(index)

    changed = [*NAMES[:5], "5.png, another camera", *NAMES[6:]]
    run(tmp_path, "data", fn=noting, keys=changed, names=NAMES)
    assert done == [3, 4, 5]


def test_fewer_inputs_leave_no_old_shards(tmp_path):
    run(tmp_path, "data")
    run(tmp_path, "data", keys=NAMES[:4])
    run(tmp_path, "few", keys=NAMES[:4])
    assert content(tmp_path / "data") == content(tmp_path / "few")


def test_batches_must_answer_for_every_input(tmp_path):
    store = open_store(tmp_path, "data")
    with pytest.raises(ValueError, match="1 outcomes for 3 inputs"):
        run_batches(3, lambda span, advance: [Outcome()], store=store, stage="geometry", keys=NAMES[:3], quiet=True)
    with pytest.raises(ValueError, match="as many keys"):
        run_batches(3, lambda span, advance: [], store=store, stage="geometry", keys=NAMES[:2], quiet=True)


def test_a_killed_worker_is_one_line(tmp_path):
    def dying(index):
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(PseudoGDError, match="worker process was killed"):
        run(tmp_path, "data", fn=dying, workers=2)


ORPHANS = """
import os, sys, time
from pseudogd.engines.processes import WorkerPool

def call(index):
    open(os.path.join(sys.argv[1], str(os.getpid())), "w").close()
    time.sleep(0.05)

with WorkerPool(call, 2) as pool:
    list(pool.map(range(100000)))
"""


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks processes up in /proc")
def test_workers_go_when_the_parent_is_killed(tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(ORPHANS), str(tmp_path)])
    assert wait_for(lambda: len(os.listdir(tmp_path)) == 2)
    workers = [int(name) for name in os.listdir(tmp_path)]
    parent.kill()
    parent.wait()
    assert wait_for(lambda: not any(is_running(pid) for pid in workers))


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False

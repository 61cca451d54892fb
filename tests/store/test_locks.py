"""One writer at a time: the second is refused in a line, and a dead one is in nobody's way."""

import os
import signal
import subprocess
import sys
import time

import pytest

from pseudogd.engines.jobs import Job
from pseudogd.errors import InputError
from pseudogd.store import locks
from pseudogd.store.locks import LOCK_NAME, InUse, hold

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX record locks")
HOLDER = """
import sys, time
from pathlib import Path
from pseudogd.engines.jobs import Job
with Job(int(sys.argv[2]), int(sys.argv[3])).writing(Path(sys.argv[1]), "geometry", create=True):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Starts processes that hold a folder, as one job of so many."""
    processes = []

    def start(index=0, count=1):
        arguments = [sys.executable, "-c", HOLDER, str(tmp_path), str(index), str(count)]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def test_a_second_process_is_refused_by_name_and_a_dead_one_forgotten(tmp_path, holder):
    process = holder()
    with pytest.raises(InUse, match=f"process {process.pid} is writing there; wait") as caught, hold(tmp_path, wait=0):
        pass
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with hold(tmp_path, wait=0):
        assert str(os.getpid()).encode() in (tmp_path / LOCK_NAME).read_bytes()
    assert (tmp_path / LOCK_NAME).read_bytes() == b""


def test_a_second_process_may_wait(tmp_path, holder):
    process = holder()
    start = time.monotonic()
    waiting = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path), "0", "1"], stdout=subprocess.PIPE, text=True
    )
    time.sleep(0.3)
    process.kill()
    assert waiting.stdout.readline() == "held\n" and time.monotonic() - start < 30
    waiting.kill()
    waiting.wait()


def test_jobs_work_side_by_side_but_each_only_once(tmp_path, holder, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE_SECONDS", 0.2)
    holder(0, 2)
    with Job(1, 2).writing(tmp_path, "geometry"):
        pass
    with pytest.raises(InUse), Job(0, 2).writing(tmp_path, "geometry"):
        pass
    with pytest.raises(InUse), Job().writing(tmp_path, "geometry"):
        pass


def test_this_process_holds_it_once(tmp_path):
    with hold(tmp_path), pytest.raises(InUse, match="already writing"), hold(tmp_path):
        pass
    with hold(tmp_path):
        pass


def test_wrong_jobs_are_one_line(tmp_path):
    for index, count in ((2, 2), (-1, 2), (0, 0)):
        with pytest.raises(InputError, match="numbered from 0"):
            Job(index, count)
    with pytest.raises(InputError, match="would delete"), Job(0, 2).writing(tmp_path, "geometry", overwrite=True):
        pass


def test_a_folder_that_is_not_there_is_not_made(tmp_path):
    with Job().writing(tmp_path / "none", "objects"):
        assert not (tmp_path / "none").exists()

"""What a writer asks of the system."""

import os
import subprocess
import sys

import pytest

from pseudogd.store.durable import is_alive, sync


def test_another_process_is_alive_until_it_has_ended():
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert is_alive(other.pid)
    other.communicate(b"\n")
    assert not is_alive(other.pid)


def test_this_process_is_no_other():
    assert not is_alive(os.getpid())


@pytest.mark.skipif(os.name != "posix" or not hasattr(os, "geteuid"), reason="needs POSIX")
def test_a_process_of_somebody_else_is_alive():
    assert is_alive(1)  # whether it may be signalled or not


def test_files_and_folders_are_synced_and_what_is_not_there_is_said(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    sync(tmp_path / "a")
    sync(tmp_path)
    if os.name == "posix":
        with pytest.raises(FileNotFoundError):
            sync(tmp_path / "b")

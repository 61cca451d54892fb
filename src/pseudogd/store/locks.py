"""One writer at a time in a data folder.

The lock belongs to the kernel (POSIX record locks, which network file systems know too), so that a process that was
killed leaves none behind. What the file says is only for whoever is refused.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pseudogd.errors import InputError, PseudoGDError

try:
    import fcntl
except ImportError:  # no POSIX: nothing keeps two writers apart
    fcntl = None  # type: ignore[assignment]

LOCK_NAME = ".lock"
PATIENCE_SECONDS = 3.0
"""Workers of a killed process see within about a second that it is gone."""
_held: set[str] = set()  # a process may take a record lock twice, so what this one holds is noted here
_noting = threading.Lock()


class InUse(PseudoGDError):
    """Another process is writing there."""


@contextmanager
def hold(
    root: str | os.PathLike[str], name: str = LOCK_NAME, *, share: bool = False, wait: float | None = PATIENCE_SECONDS
) -> Iterator[None]:
    """Be the only writer of `root` within the block, or one of several that all `share`.

    Another writer is waited for `wait` seconds (None: as long as it takes). Raises InUse naming its process, or
    InputError when the folder cannot be written.
    """
    path = Path(root) / name
    key = str(path.resolve())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{root}: cannot be made ({error.strerror}); choose another --out") from error
    with _noting:
        if key in _held:
            raise InUse(f"{root}: this process is already writing there; let it finish first")
        _held.add(key)
    try:
        with _open(path) as file:
            _take(file.fileno(), path, share, wait)
            if not share:
                _say(file.fileno(), _self())
            try:
                yield
            finally:
                if not share:
                    _say(file.fileno(), "")
    finally:
        with _noting:
            _held.discard(key)


def _open(path: Path):
    try:
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666), "r+b", 0)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); choose another folder or mend its permissions"
        ) from error


def _take(handle: int, path: Path, share: bool, wait: float | None) -> None:
    if fcntl is None:
        return
    kind = (fcntl.LOCK_SH if share else fcntl.LOCK_EX) | fcntl.LOCK_NB
    until = None if wait is None else time.monotonic() + wait
    while True:
        try:
            fcntl.lockf(handle, kind)
            return
        except (BlockingIOError, PermissionError) as error:
            if until is not None and time.monotonic() >= until:
                raise InUse(
                    f"{path.parent}: {_holder(handle)} is writing there; wait until it has finished, or stop it"
                ) from error
            time.sleep(0.1)
        except OSError:  # a file system without locks
            return


def _self() -> str:
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname()})


def _say(handle: int, text: str) -> None:
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, text.encode(), 0)
    except OSError:  # a full disk: the lock holds all the same
        return


def _holder(handle: int) -> str:
    try:
        said = json.loads(os.pread(handle, 4096, 0))
        here = "" if said["host"] == socket.gethostname() else f" on {said['host']}"
        return f"process {int(said['pid'])}{here}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"

"""How much memory and disk there is, and how the C library keeps memory between steps.

It is to keep enough to be fast, and not so much that it never comes back.

On a CPU every step frees tensors of other sizes than the next one asks for, and glibc's heap grows several times beyond
what is in use. Trimming gives the free pages back and changes no number, but the next steps have to fault them in
again: done after every other step it cost a fifth of a small model's training time.
"""

from __future__ import annotations

import ctypes
import shutil
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch

EVERY_STEPS = 10
ENVIRONMENT = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",  # huge pages: a fault for 2 MiB at a time
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "128",  # each of the 1,024 that it keeps by default holds buffers
}
"""For a process that trains on a CPU; read by glibc and oneDNN when the process starts, unknown to others."""
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL("libc.so.6").malloc_trim
    except (OSError, AttributeError):  # another C library, which keeps less
        return None


def trim_heap() -> bool:
    """Give free pages of the heap back to the system; False where the C library has no such call."""
    trim = _malloc_trim()
    return trim is not None and trim(0) in (0, 1)


def resident() -> int:
    """Bytes of this process that are in memory now, by Linux. Raises OSError elsewhere."""
    return _status("VmRSS")


def most_resident() -> int:
    """The most that it was since `forget_most`, bytes, by Linux. Raises OSError elsewhere."""
    return _status("VmHWM")


def forget_most() -> None:
    """Start `most_resident` anew from here. Raises OSError where the system is not Linux or does not let one."""
    _RESET.write_text("5")


def _status(field: str) -> int:
    lines = _STATUS.read_text(encoding="utf-8").splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(field)).split()[1])


def available(device: torch.device) -> int | None:
    """Bytes that are free on a device; None where nobody tells. On a CPU the least of machine's and container's."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    import psutil

    free = int(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")
    try:
        most, used = ((group / name).read_text().strip() for name in ("memory.max", "memory.current"))
        return free if most == "max" else min(free, max(0, int(most) - int(used)))
    except (OSError, ValueError):
        return free


def disk_free(folder: Path) -> int:
    """Bytes that are free where `folder` is, or will be made."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free

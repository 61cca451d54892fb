"""Hand memory back that the C library keeps.

On a CPU every step frees tensors of other sizes than the next one asks for, and glibc's heap grows several times beyond
what is in use. Trimming gives the free pages back; it costs milliseconds and changes no number.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache

EVERY_STEPS = 2


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

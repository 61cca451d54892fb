"""Without the network: inside of `offline` nothing asks the hub for anything, and what its cache holds is found."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_VARIABLE = "HF_HUB_OFFLINE"


@contextmanager
def offline(wanted: bool = True) -> Iterator[None]:
    """As if this process, and those that it starts, had HF_HUB_OFFLINE=1; nothing changes unless `wanted`."""
    if not wanted:
        yield
        return
    from huggingface_hub import constants  # reads the variable once, when it is imported

    before, known = os.environ.get(_VARIABLE), constants.HF_HUB_OFFLINE
    os.environ[_VARIABLE], constants.HF_HUB_OFFLINE = "1", True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = known
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before

import sys
from pathlib import Path

import numpy as np
import pytest

from pseudogd.training.memory import forget_most, most_resident, resident, trim_heap


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def test_free_pages_between_used_ones_go_back():
    """Every other block is freed: the heap cannot shrink from its end, and yet the pages are handed back."""
    if not sys.platform.startswith("linux"):
        assert not trim_heap()
        return
    blocks = [np.ones(12_000) for _ in range(4000)]  # 94 KiB each: below the size that gets a mapping of its own
    full = resident_mb()
    blocks = blocks[::2]
    assert trim_heap()
    assert resident_mb() < full - 100
    assert len(blocks) == 2000 and all(block[0] == 1 for block in blocks)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone tells")
def test_the_most_that_was_resident_is_kept_until_it_is_forgotten():
    size = 256 << 20
    forget_most()
    before = resident()
    block = np.ones(size // 8)
    assert resident() > before + 0.9 * size
    del block
    assert most_resident() > before + 0.9 * size > resident()
    forget_most()
    assert most_resident() < before + 0.9 * size

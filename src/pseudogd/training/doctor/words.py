"""Numbers as a person says them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pseudogd.progress import format_seconds
from pseudogd.training.rows import LeftOut


def amount(number: int) -> str:
    """7062902784 -> 7.06 B."""
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if number >= size:
            return f"{number / size:.3g} {letter}"
    return str(number)


def plural(number: int, noun: str) -> str:
    """1 view, 5 views."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def gib(size: float) -> str:
    """Bytes in GiB, small ones in MiB."""
    return f"{size / 2**30:.3g} GiB" if size >= 2**29 else f"{size / 2**20:.0f} MiB"


def duration(seconds: float) -> str:
    """As a person says it; 0.0312 -> 31 ms."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else format_seconds(seconds)


def reasons(left_out: Iterable[LeftOut]) -> str:
    """Reasons with numbers left out, so that rows of other lengths share one, and how many questions each cost."""
    counted: Counter[str] = Counter()
    for item in left_out:
        counted[item.reason] += item.questions
    most = counted.most_common(3)
    said = "; ".join(f"{count:,} questions: {reason}" for reason, count in most)
    return said + (f"; and {len(counted) - 3} more reasons" if len(counted) > 3 else "")

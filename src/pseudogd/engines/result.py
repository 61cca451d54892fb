"""What a function makes of one input, and what a stage did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """Rows that came of one input, and the reasons for whatever did not come.

    ``failures`` went wrong; ``notes`` say what was left out on purpose, which is no failure.
    """

    rows: Sequence[Mapping[str, Any]] = ()
    failures: Sequence[str] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class StageResult:
    """Counts of one stage. `inputs` things were to do, `resumed` of them had been done by an earlier run.

    One job of several that is not the last to finish counts what it made, and `complete` is False.
    """

    stage: str
    out: Path
    inputs: int
    rows: int
    failures: int
    resumed: int
    seconds: float
    max_failures: int = 0
    complete: bool = True

    @property
    def exit_code(self) -> int:
        """0 done, 1 done with more failures than allowed."""
        return int(self.failures > self.max_failures)

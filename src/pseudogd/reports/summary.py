"""What a report is made of: plain data, read from run folders by `collect` or filled in by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Answered:
    """One bench item with one model's answer.

    ``predicted`` is None where the reply could not be read, ``image`` None where the picture is not there any more.
    """

    uid: str
    question: str
    options: tuple[str, ...]
    answer: int
    predicted: int | None
    correct: bool
    sub_task: str
    image_id: str
    image: Path | None = None


@dataclass(frozen=True)
class Arm:
    """One model of a comparison: its answers per bench, its training record, its depth probe."""

    name: str
    benches: Mapping[str, Sequence[Answered]] = field(default_factory=dict)
    bench_summaries: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    metrics: Sequence[Mapping[str, float]] = ()
    recipe: str = ""
    depth_probe: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Panel:
    """One photo with depth maps of several origins, all (H, W) float32 metres; nan unknown, inf sky."""

    name: str
    photo: np.ndarray
    depths: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class RunSummary:
    """Everything that the page and the JSON show. ``notes`` are sentences on what the numbers cannot tell."""

    title: str
    arms: Sequence[Arm]
    seed: int | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    teacher: Mapping[str, Any] = field(default_factory=dict)
    questions: Mapping[str, Any] = field(default_factory=dict)
    export: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    panels: Sequence[Panel] = ()
    folder: Path | None = None

    def arm(self, name: str) -> Arm | None:
        return next((arm for arm in self.arms if arm.name == name), None)

    @property
    def bench_names(self) -> list[str]:
        """Benches in order of how many arms answered them, then by name: the first is the report's main one."""
        counts: dict[str, int] = {}
        for arm in self.arms:
            for bench in arm.benches:
                counts[bench] = counts.get(bench, 0) + 1
        return sorted(counts, key=lambda bench: (-counts[bench], bench))

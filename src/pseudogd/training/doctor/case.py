"""What a diagnosis knows: what was asked, what every look has found so far, and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from pseudogd.distill.targets import ViewTargets
from pseudogd.store.conversations import Conversations
from pseudogd.store.dataset import Store
from pseudogd.student.families.base import View
from pseudogd.student.head import GeometryHead
from pseudogd.student.load import Student
from pseudogd.student.taps import Taps
from pseudogd.training.doctor.estimate import Estimate
from pseudogd.training.doctor.sizes import Batch, Memory, PartSize
from pseudogd.training.doctor.trial import STEPS, Measured
from pseudogd.training.photos import PhotoInputs
from pseudogd.training.recipe import Recipe
from pseudogd.training.rows import Rows

PASS, WARN, FAIL, SKIP = "pass", "warn", "fail", "skip"
Finding = tuple[str, str]
"""PASS, WARN or FAIL, and the line that says why."""


@dataclass(frozen=True)
class Check:
    """What was looked at, "pass", "warn", "fail" or "skip" (what it needs had failed), and why."""

    name: str
    status: str
    text: str


@dataclass(frozen=True)
class SeenPhoto:
    """One photo as the student sees it: its views, and their targets where the arm has geometry."""

    name: str
    path: Path
    size: tuple[int, int]
    views: list[tuple[View, ViewTargets | None]]
    metric: bool


@dataclass
class Diagnosis:
    """What was found; what a failed check left unknown is None or empty.

    Attributes:
        checks: in the order in which they were made.
        parameters: part -> its size.
        memory: estimated, bytes of one process. seconds: estimated, of one optimizer step.
        measured: in real steps.
        batch: the heaviest batch, to which all of these belong.
        photo: the photo whose views are drawn.
        page: where the page is (`api.doctor` writes it).
    """

    recipe: Recipe
    checks: list[Check] = field(default_factory=list)
    parameters: dict[str, PartSize] = field(default_factory=dict)
    memory: Memory | None = None
    seconds: float | None = None
    measured: Measured | None = None
    batch: Batch | None = None
    photo: SeenPhoto | None = None
    page: Path | None = None

    @property
    def exit_code(self) -> int:
        """1 where a check failed."""
        return int(any(check.status == FAIL for check in self.checks))


@dataclass
class Case:
    """A recipe under examination. What a look finds is kept here for those that come after it.

    Attributes:
        recipe: with turns decided and the sample's folder, once they are.
        sample: makes a small data folder. instead_of: the checkpoint in whose place `recipe.model.path` stands.
        device: where training will put the model. tries: how many real steps are made.
        student: without its weights, before it is prepared; `model` and `head` are what is trained, without values.
        rows: of some photos. steps: of the whole run. heaviest: the rows of the batch that costs are told of.
    """

    recipe: Recipe
    sample: Callable[[], Path]
    instead_of: str | None
    device: torch.device
    found: Diagnosis
    tries: int = STEPS
    config: Any = None
    processor: Any = None
    student: Student = field(init=False)
    general: Conversations | None = None
    store: Store = field(init=False)
    rows: Rows = field(init=False)
    photos: PhotoInputs = field(init=False)
    steps: int = 0
    taps: Taps = field(init=False)
    model: Any = None
    head: GeometryHead | None = None
    heaviest: list[int] = field(default_factory=list)
    estimate: Estimate = field(init=False)

"""A few real steps on the recipe's device, thrown away: what they took in time and memory, and whom they taught."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import TrainerCallback

from pseudogd.progress import SilentBar
from pseudogd.training import memory
from pseudogd.training.attention import attention_for
from pseudogd.training.convolutions import patches_by_products
from pseudogd.training.failures import explained
from pseudogd.training.interrupt import Interrupt
from pseudogd.training.parameters import parts_of
from pseudogd.training.recipe import Recipe, changed
from pseudogd.training.rows import Row, Rows
from pseudogd.training.setup import Setup
from pseudogd.training.trainer import PseudoGDTrainer

STEPS = 2
"""The first makes the optimizer's state and warms the device up; the others are timed."""


@dataclass(frozen=True)
class Measured:
    """What the steps took.

    Attributes:
        device: where they ran.
        seconds: of one whole optimizer step, all of its micro-batches, by the clock; the median of the timed ones.
        processor_seconds: of all threads of this process together; on a CPU they do not count what else it does.
        peak: bytes at most, weights and all; None where the system does not tell.
        loss: of the last step.
        untaught: parts that are trained and got no gradient.
    """

    device: str
    seconds: float
    processor_seconds: float
    peak: int | None
    loss: float
    untaught: tuple[str, ...]


class HighWater:
    """The most memory since it was made, in bytes: what torch holds on a GPU, else this process's resident memory.

    Linux alone tells the latter's peak. Make it before the model is loaded.
    """

    def __init__(self, device: torch.device):
        self.device = device
        gc.collect()
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            self._before: int | None = torch.cuda.memory_allocated(device)
            return
        memory.trim_heap()
        try:
            memory.forget_most()
            self._before = memory.resident()
        except OSError:
            self._before = None

    @property
    def peak(self) -> int | None:
        """Bytes above what there was before; None where nobody knows."""
        if self._before is None or self.device.type not in ("cuda", "cpu"):
            return None
        most = torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else memory.most_resident()
        return most - self._before


def run_steps(recipe: Recipe, setup: Setup, order: Sequence[int], water: HighWater, steps: int = STEPS) -> Measured:
    """Make so many optimizer steps on the rows `order`, over and over; nothing is written but into a scratch folder.

    The setup's weights are changed. Of an accumulated step two micro-batches are run, and the time is scaled up.

    Raises:
        PseudoGDError: as training does: out of memory, a loss that is no number.
    """
    micro = min(2, recipe.optim.grad_accum)
    with tempfile.TemporaryDirectory(prefix="pseudogd-doctor-") as scratch:
        short = changed(
            recipe,
            {
                "out": scratch,
                "optim.steps": steps,
                "optim.grad_accum": micro,
                "optim.fsdp": False,
                "checkpoint.every": 0,
                "report_to": [],
                "data.workers": 0,
            },
        )
        rows: Any = _Some(setup.rows, order)
        trainer = PseudoGDTrainer(
            setup.joint, short, rows, setup.collator, steps, setup.student.processor, {}, SilentBar(), Interrupt()
        )
        watch = _Watch(trainer)
        trainer.add_callback(watch)
        products = trainer.args.device.type == "cpu" and recipe.optim.precision == "bf16"
        with (
            attention_for(setup.joint.plain_model(), products and setup.isolated),
            patches_by_products(setup.joint.networks()),
            explained(Path(scratch), lambda: trainer.state.global_step),
        ):
            trainer.train()
        loss = float(trainer.metrics_log.rows()[-1]["loss"])
    seconds, processor_seconds = watch.seconds(recipe.optim.grad_accum / micro)
    return Measured(
        device=str(trainer.args.device),
        seconds=seconds,
        processor_seconds=processor_seconds,
        peak=water.peak,
        loss=loss,
        untaught=tuple(part for part, lacking in watch.lacking.items() if lacking),
    )


class _Some(torch.utils.data.Dataset[Row]):
    """Some of the rows, over and over in an order of its own; what a trainer asks of `Rows`."""

    def __init__(self, rows: Rows, order: Sequence[int]):
        self.rows, self.numbers = rows, list(order)
        self.kinds, self.count = rows.kinds[self.numbers], rows.count

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> Row:
        return self.rows[self.numbers[index]]

    @property
    def epoch(self) -> int:
        return len(self)

    def order(self, total: int, seed: int, batch: int, by_length: bool) -> list[int]:
        return [index % len(self) for index in range(total)]


class _Watch(TrainerCallback):
    """Times every step and sees which parts get a gradient."""

    def __init__(self, trainer: PseudoGDTrainer):
        self.trainer = trainer
        self.lacking: dict[str, bool] = {}
        self._taught: list[tuple[float, float]] = []
        self._updated: list[tuple[float, float]] = []
        self._since = (0.0, 0.0)

    def seconds(self, share: float) -> tuple[float, float]:
        """Of a step by the clock and of processor time: the median, but for the first step.

        `share`: how many times as many micro-batches as here a whole step has.
        """
        taught, updated = np.array(self._taught[1:]), np.array(self._updated[1:])
        wall, processor = np.median(taught * share + updated, axis=0)
        return float(wall), float(processor)

    def _lap(self) -> tuple[float, float]:
        """Seconds by the clock and of processor time since the last call."""
        if self.trainer.args.device.type == "cuda":
            torch.cuda.synchronize(self.trainer.args.device)
        before, self._since = self._since, (time.perf_counter(), time.process_time())
        return self._since[0] - before[0], self._since[1] - before[1]

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._lap()

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._taught.append(self._lap())
        joint = self.trainer.model
        parts = parts_of(joint.plain_model(), joint.family, joint.head)
        for part in self.trainer.parts_taught():
            trained = [p for p in parts[part] if p.requires_grad]
            if trained and self.lacking.get(part, True):
                self.lacking[part] = not any(p.grad is not None and bool(p.grad.any()) for p in trained)
        self._lap()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._updated.append(self._lap())

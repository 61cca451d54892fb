"""`transformers.Trainer` over `Joint`: one loss that is right under gradient accumulation, exact resume, no pickle."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import Trainer
from transformers.trainer_callback import PrinterCallback

from pseudogd.distill.balance import LambdaController
from pseudogd.errors import InputError, PseudoGDError
from pseudogd.progress import Bar
from pseudogd.student.joint import Items, Joint, JointOutput
from pseudogd.training import checkpoints, joint_files, ranks, sharding
from pseudogd.training.arguments import Flow, arguments_of
from pseudogd.training.arms import Mix, mix_at, parts_reached
from pseudogd.training.checks import FirstSteps
from pseudogd.training.interrupt import Interrupt
from pseudogd.training.metrics import MetricsLog, flat
from pseudogd.training.order import StepSampler
from pseudogd.training.parameters import parameter_groups, parts_of
from pseudogd.training.recipe import Recipe
from pseudogd.training.rows import Rows

_STATE_NAME = "trainer_state.json"
PROGRESS_NAME = "progress.json"
_TOTALS = ("loss", "lm_loss", "geometry_loss", "anchor_loss", "gram_loss", "teacher_loss")
_NOTED = (*_TOTALS, "structure", "gradient", "normal", "order", "sky", "scale")


@dataclass(frozen=True)
class _State:
    """What a checkpoint holds beside the processor: full tensors, whatever was sharded (None: nothing was)."""

    weights: dict[str, Tensor] | None
    optimizer: dict[str, Any]
    random: list[checkpoints.RandomState]
    sums: dict[str, float]


class PseudoGDTrainer(Trainer):
    """Trains a `Joint` on `Rows` as a recipe says.

    Args:
        joint: on the CPU or the device to train on, with float32 weights.
        recipe: the run; `recipe.out` receives checkpoints and metrics.
        rows: what is trained on.
        collator: makes `{"inputs", "geometry"}` of rows.
        steps: optimizer steps of the whole run.
        processor: saved beside every checkpoint, so that each is an ordinary one.
        made_from: what the run depends on beside the recipe; a checkpoint made from something else is refused.
        bar: follows the steps.
        interrupt: asked after every step whether to stop.
    """

    def __init__(
        self,
        joint: Joint,
        recipe: Recipe,
        rows: Rows,
        collator: Any,
        steps: int,
        processor: Any,
        made_from: dict[str, Any],
        bar: Bar,
        interrupt: Interrupt,
    ):
        self.recipe, self.steps, self.processor, self.made_from = recipe, steps, processor, made_from
        self.run = Path(recipe.out)
        self.metrics_log = MetricsLog(self.run / "metrics.jsonl", ranks.is_main())
        self._items: Items | None = None
        self._kinds_held: set[str] = set()
        self._photos_held = True
        self._drawn: NDArray[np.int8] | None = None
        self._first_steps: FirstSteps | None = None
        self.controller = LambdaController(recipe.geometry.ratio)
        self._ratios: dict[str, float] = {}
        self._sums: dict[str, Tensor | float] = {}
        self._sums_from = 0
        self._elapsed_before, self._clock = 0.0, time.monotonic()
        config, cached = joint.config, getattr(joint.config, "use_cache", None)
        flow = Flow(recipe, bar, interrupt, self.before_step)
        try:
            arguments = arguments_of(recipe, steps)
            if recipe.optim.fsdp:
                sharding.shard(joint, arguments.device)
            super().__init__(joint, arguments, collator, rows, callbacks=[flow])
        except (ImportError, RuntimeError) as error:
            if recipe.report_to and "install" in str(error):
                first = str(error).strip().splitlines()[0]
                raise InputError(f"report_to: {first} (pip install {' '.join(recipe.report_to)})") from error
            raise
        if cached is None:  # the base class writes use_cache into the model's config, which is exported
            config.__dict__.pop("use_cache", None)
        else:
            config.use_cache = cached
        self.remove_callback(PrinterCallback)
        self.loss_is_scaled_for_ga = True

    def create_accelerator_and_postprocess(self) -> None:
        super().create_accelerator_and_postprocess()
        if self.recipe.optim.fsdp:  # the model is sharded already; as for evaluation it is taken as it is
            self.accelerator.prepare_model = partial(self.accelerator.prepare_model, evaluation_mode=True)

    # ------------------------------------------------------------------------------------------------------- data
    def _get_train_sampler(self, train_dataset: Any = None) -> StepSampler:
        rows = self.train_dataset if train_dataset is None else train_dataset
        optim = self.recipe.optim
        total = self.steps * optim.batch_size * optim.grad_accum * ranks.world()
        return rows.order(total, self.recipe.seed, optim.batch_size, self.recipe.data.group_by_length)

    def seen(self) -> dict[str, int]:
        """How many rows of every kind were drawn so far."""
        if self._drawn is None:
            self._drawn = self.train_dataset.kinds[np.fromiter(self._get_train_sampler(), np.int64)]
        return self.train_dataset.count(self._drawn[: self._rows_seen()])

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> Tensor:
        """What the whole step holds, kept as `self._items`; its label tokens are returned."""
        batches = [(batch["inputs"], batch["geometry"]) for batch in batch_samples]
        self._items = Items.of(batches, self.model.family, lambda held: self.accelerator.reduce(held.to(device), "sum"))
        self._photos_held = not all(batch["dummy_photo"] for batch in batch_samples)
        self._kinds_held = {kind for batch in batch_samples for kind in batch["kinds"]}
        return self._items.labels

    # ------------------------------------------------------------------------------------------------------- loss
    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The loss of one micro-batch, already a share of the accumulated batch."""
        mix = self._mix()
        batch, geometry = dict(inputs["inputs"]), inputs["geometry"]
        if not mix.language:
            del batch["labels"]
        with self._autocast():
            out: JointOutput = model(
                batch,
                geometry=geometry if mix.geometry else None,
                lam=mix.lam,
                items=self._items,
                seed=self.recipe.seed * 1_000_003 + self.state.global_step,
                dummy_photo=inputs["dummy_photo"],
            )
        # where geometry does not count, the anchor would only hold the encoder away from what it has learnt
        loss = out.loss if mix.geometry else out.lm_loss
        if not bool(torch.isfinite(loss)):
            raise PseudoGDError(_not_finite(self.state.global_step + 1, out))
        self._note(out, loss, mix.geometry)
        loss = loss * ranks.world()  # a share of the whole step already, but gradients of ranks are averaged
        return (loss, out) if return_outputs else loss

    def _mix(self) -> Mix:
        mix = mix_at(self.recipe, self.state.global_step, self.steps)
        return replace(mix, lam=mix.lam * self.controller.factor)

    def before_step(self) -> None:
        """Between the backward passes of a step and its update."""
        if self._first_steps is None:  # only now, because sharding replaces the parameters
            parts = parts_of(self.model.plain_model(), self.model.family, self.model.head)
            self._first_steps = FirstSteps({part: [p for p in ps if p.requires_grad] for part, ps in parts.items()})
        if not self._first_steps.done:
            self._first_steps.look(self.parts_taught())
        if self.model.balance is not None and self.controller.target is not None:
            self._ratios = self._over_ranks(self.model.balance.ratios(), self.model.taps.names)
            self.controller.update(self._ratios)

    def parts_taught(self) -> tuple[str, ...]:
        """The parts that this step sends a gradient to, given the kinds of its rows."""
        mix, kinds = self._mix(), self._kinds_held
        words = mix.language and bool(kinds - {"geometry"})
        mix = replace(mix, language=words, geometry=mix.geometry and bool(kinds & {"both", "geometry"}))
        parts = parts_reached(mix, self.recipe.geometry.place)
        return parts if self._photos_held else tuple(part for part in parts if part == "llm")

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        if self.recipe.optim.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.args.device.type, dtype=torch.bfloat16)

    def _clip_grad_norm(self, model: nn.Module) -> Any:
        norm = super()._clip_grad_norm(model)
        norm = sharding.whole(norm)
        if norm is not None and not math.isfinite(float(norm)):
            step = self.state.global_step + 1
            raise PseudoGDError(f"the gradient is {float(norm)} at step {step} though the loss is finite; {_MEND}")
        return norm

    # -------------------------------------------------------------------------------------------------- optimizer
    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        if self.optimizer is None:
            optim = self.recipe.optim
            groups = parameter_groups(self.model, optim)
            # one kernel for all parameters: the plain loop costs a tenth of a step of a small model
            self.optimizer = torch.optim.AdamW(groups, lr=0.0, betas=optim.betas, eps=optim.eps, fused=True)
        return self.optimizer

    # ------------------------------------------------------------------------------------------------------- log
    def _note(self, out: JointOutput, loss: Tensor, geometry: bool) -> None:
        self._add("loss", loss.detach())
        self._add("lm_loss", out.lm_loss.detach())
        if not geometry:
            return
        for name in _TOTALS[2:]:
            value = getattr(out, name)
            if value is not None:
                self._add(name, value.detach())
        for name, value in (out.parts or {}).items():
            if name != "anchor_cos":  # of a share of the step it would mean nothing
                self._add(name, value)

    def _add(self, name: str, value: Tensor) -> None:
        self._sums[name] = self._sums.get(name, 0.0) + value.float()

    def _over_ranks(self, ratios: dict[str, float], names: Sequence[str]) -> dict[str, float]:
        """The mean of each ratio over the ranks that have one."""
        if ranks.world() == 1:
            return ratios
        both = [[ratios.get(name, 0.0) for name in names], [float(name in ratios) for name in names]]
        sums, counts = self.accelerator.reduce(torch.tensor(both, device=self.args.device), "sum").tolist()
        return {name: total / count for name, total, count in zip(names, sums, counts) if count}

    def _step_sums(self) -> dict[str, float]:
        """What was noted since the last line, over all ranks, in an order that does not depend on the rank."""
        names = [name for name in _NOTED if ranks.world() > 1 or name in self._sums]
        values = torch.tensor([float(self._sums.get(name, 0.0)) for name in names], device=self.args.device)
        here = torch.tensor([float(name in self._sums) for name in names], device=self.args.device)
        values, here = (self.accelerator.reduce(v, "sum").tolist() for v in (values, here))
        return {name: value for name, value, count in zip(names, values, here) if count}

    @property
    def elapsed(self) -> float:
        """Seconds of training, those before a resume too."""
        return self._elapsed_before + time.monotonic() - self._clock

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Write a line of means since the last line. The base class's own summary at the end is left out."""
        step = self.state.global_step
        if "loss" not in logs or step == self._sums_from:
            return
        means = {name: value / (step - self._sums_from) for name, value in self._step_sums().items()}
        if "anchor_loss" in means:
            means["anchor_cos"] = 1 - means["anchor_loss"]
        row: dict[str, Any] = {"step": step, "epoch": round(self._rows_seen() / self.train_dataset.epoch, 4)}
        row |= {k: means[k] for k in _TOTALS if k in means} | {k: v for k, v in means.items() if k not in _TOTALS}
        row["lambda"] = mix_at(self.recipe, step - 1, self.steps).lam * self.controller.factor
        row["lr"] = self._rates()
        if self.recipe.data.mix is not None:
            row["rows"] = self.seen()
        if "grad_norm" in logs:
            row["grad_norm"] = float(logs["grad_norm"])
        ratios = self._ratios
        if self.model.balance is not None and not ratios:
            ratios = self.model.balance.ratios()
        if ratios:  # |geometry| / |language| at each tap, lambda included, in the last micro-batch
            row["gradient_ratio"] = ratios
        row["seconds"] = round(self.elapsed, 3)
        self.metrics_log.append(row)
        self.control = self.callback_handler.on_log(self.args, self.state, self.control, flat(row))
        self._sums, self._sums_from = {}, step

    def _rates(self) -> dict[str, float]:
        """part -> learning rate of the step just made."""
        schedule = self.lr_scheduler
        made = max(schedule.last_epoch - 1, 0)
        rates = zip(self.optimizer.param_groups, schedule.base_lrs, schedule.lr_lambdas)
        return {group["name"].partition(".")[0]: base * factor(made) for group, base, factor in rates}

    def _rows_seen(self) -> int:
        optim = self.recipe.optim
        return self.state.global_step * optim.batch_size * optim.grad_accum * ranks.world()

    # ------------------------------------------------------------------------------------------------- checkpoints
    def _save_checkpoint(self, model: nn.Module, trial: Any = None) -> None:
        """Write an ordinary checkpoint and what a resumed run needs, in one step; rank 0 does."""
        self.check_agreement()
        main = ranks.is_main()
        found = _State(
            weights=sharding.gathered(self.model, main),
            optimizer=sharding.gathered_optimizer(self.optimizer, main),
            random=self._gathered(checkpoints.random_state()),
            sums=self._step_sums(),
        )
        if main:
            self._write_checkpoint(found)
        ranks.barrier()

    def check_agreement(self) -> None:
        """See that all ranks hold the same weights, where each holds all of them."""
        if not sharding.is_sharded(self.model):
            ranks.check_agreement(self.model.parameters(), self.state.global_step)

    def _gathered(self, value: Any) -> list[Any]:
        """One value of every rank, on rank 0."""
        if ranks.world() == 1:
            return [value]
        found = [None] * ranks.world() if ranks.is_main() else None
        torch.distributed.gather_object(value, found)
        return found or []

    def _write_checkpoint(self, found: _State) -> None:
        with checkpoints.appearing_folder(self.run / f"checkpoint-{self.state.global_step}") as folder:
            joint_files.save(self.model, self.processor, folder, found.weights)
            checkpoints.save_optimizer(folder, found.optimizer, self.lr_scheduler.state_dict())
            for number, state in enumerate(found.random):
                checkpoints.save_random_state(folder / _random_name(number), state)
            self.state.save_to_json(str(folder / _STATE_NAME))
            progress = {
                "made_from": self.made_from,
                "ranks": ranks.world(),
                "seconds": self.elapsed,
                "sums": found.sums,
                "sums_from": self._sums_from,
                "controller": self.controller.state(),
            }
            (folder / PROGRESS_NAME).write_text(json.dumps(progress, indent=2), encoding="utf-8")
        checkpoints.keep_newest(self.run, self.recipe.checkpoint.keep)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        folder = Path(resume_from_checkpoint)
        progress = checkpoints.read_json(folder / PROGRESS_NAME)
        if progress["ranks"] != ranks.world():
            raise InputError(
                f"{folder}: was made by {progress['ranks']} processes, now there are {ranks.world()}; start as many, "
                "or choose another out"
            )
        self.metrics_log.rewind(int(checkpoints.read_json(folder / _STATE_NAME)["global_step"]))
        joint_files.load(self.model, folder)
        self._elapsed_before, self._clock = float(progress["seconds"]), time.monotonic()
        # means of the step are over all ranks: what was summed before is taken up by one of them
        self._sums = dict(progress["sums"]) if ranks.is_main() else {}
        self._sums_from = int(progress["sums_from"])
        self.controller.load(progress["controller"])

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        optimizer, scheduler = checkpoints.load_optimizer(Path(checkpoint))
        self.optimizer.load_state_dict(sharding.dealt_optimizer(self.optimizer, optimizer))
        self.lr_scheduler.load_state_dict(scheduler)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            checkpoints.load_random_state(Path(checkpoint) / _random_name(ranks.rank()))


def _random_name(rank: int) -> str:
    return f"random-{rank}.safetensors" if rank else "random.safetensors"


_MEND = "lower optim.lr, or set optim.precision=fp32"


def _not_finite(step: int, out: JointOutput) -> str:
    named = {name: getattr(out, f"{name}_loss") for name in ("lm", "geometry", "anchor", "gram", "teacher")}
    named |= out.parts or {}
    values = ", ".join(f"{name} {float(value.detach()):.3g}" for name, value in named.items() if value is not None)
    return f"the loss is no longer a number at step {step} ({values}); {_MEND}"

"""The library trainer's settings for a recipe, and what is done between its steps."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
from transformers import TrainerCallback, TrainingArguments

from pseudogd.errors import InputError
from pseudogd.progress import Bar
from pseudogd.training import memory, ranks
from pseudogd.training.interrupt import Interrupt
from pseudogd.training.recipe import Recipe


class Flow(TrainerCallback):
    """Follows the steps on a bar, logs the last one, and stops with a checkpoint when Ctrl-C was pressed."""

    def __init__(self, recipe: Recipe, bar: Bar, interrupt: Interrupt, before_step: Callable[[], None]):
        self.recipe, self.bar, self.interrupt, self.before_step = recipe, bar, interrupt, before_step

    def on_train_begin(self, args: TrainingArguments, state: Any, control: Any, **kwargs: Any) -> None:
        # a checkpoint remembers the intervals of the run that wrote it; a resumed run may have others
        state.save_steps, state.logging_steps = args.save_steps, args.logging_steps

    def on_pre_optimizer_step(self, args: TrainingArguments, state: Any, control: Any, **kwargs: Any) -> None:
        self.before_step()

    def on_step_end(self, args: TrainingArguments, state: Any, control: Any, **kwargs: Any) -> Any:
        self.bar.advance()
        if args.device.type == "cpu" and state.global_step % memory.EVERY_STEPS == 0:
            memory.trim_heap()
        if state.global_step >= state.max_steps:
            control.should_log = True
        elif ranks.any_of(self.interrupt.requested, args.device):  # all stop after the same step, or none does
            control.should_save = control.should_training_stop = True
        return control


def arguments_of(recipe: Recipe, steps: int) -> TrainingArguments:
    """Raises InputError where sharding is asked for in a process that no launcher started."""
    optim, every = recipe.optim, recipe.checkpoint.every
    if optim.fsdp and "WORLD_SIZE" not in os.environ:
        raise InputError("optim.fsdp needs a launcher: torchrun --nproc_per_node=GPUS -m pseudogd train RECIPE.yaml")
    arguments = TrainingArguments(
        output_dir=recipe.out,
        per_device_train_batch_size=optim.batch_size,
        gradient_accumulation_steps=optim.grad_accum,
        max_steps=steps,
        max_grad_norm=optim.clip,
        lr_scheduler_type="constant_with_warmup" if optim.schedule == "constant" else optim.schedule,
        warmup_steps=round(optim.warmup * steps),
        seed=recipe.seed,
        use_cpu=recipe.device == "cpu",
        logging_strategy="steps",
        logging_steps=recipe.log_every,
        logging_first_step=True,
        logging_nan_inf_filter=False,
        save_strategy="steps" if every else "no",
        save_steps=every or 500,
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_num_workers=recipe.data.workers,
        dataloader_persistent_workers=recipe.data.workers > 0,
        dataloader_pin_memory=torch.cuda.is_available() and recipe.device != "cpu",
        disable_tqdm=True,
        # geometry alone sends no gradient to what only language reads; elsewhere whatever gets none is frozen
        ddp_find_unused_parameters=recipe.arm in ("geometry_only", "two_stage"),
        ddp_backend="gloo" if recipe.device == "cpu" and ranks.world() > 1 else None,
        report_to=list(recipe.report_to) or "none",
    )
    arguments._n_gpu = min(
        arguments.n_gpu, 1
    )  # several devices would be used by DataParallel, which splits dicts wrongly
    return arguments

"""Looks at what training costs: memory, time, disk; and at a few real steps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pseudogd.student.load import Student, load_student
from pseudogd.training import memory as room
from pseudogd.training.doctor.case import FAIL, PASS, WARN, Case, Finding
from pseudogd.training.doctor.estimate import Estimate
from pseudogd.training.doctor.sizes import Batch
from pseudogd.training.doctor.speed import Shapes, calibrate
from pseudogd.training.doctor.trial import HighWater, run_steps
from pseudogd.training.doctor.words import duration, gib, plural
from pseudogd.training.photos import PhotoInputs
from pseudogd.training.rows import Row, Rows
from pseudogd.training.setup import assemble, collator_of
from pseudogd.training.train import quiet_library

_TIGHT = 0.85
"""A larger share of the free memory is a warning, for others may want some of it."""
_FAR_OFF = 1.25
"""A measured peak that is so much above the estimate is a warning."""
_CALIBRATED_TOKENS = 2048
_WORTH_SAYING = 1 << 20


def memory(case: Case) -> Finding:
    case.heaviest = heaviest(case.rows, case.recipe.optim.batch_size)
    taken = [case.rows[index] for index in case.heaviest]
    made = collator_of(case.recipe, case.processor, case.photos)(taken)
    case.found.batch = batch_of(case.student, case.photos, taken, made)
    world = max(1, torch.cuda.device_count()) if case.recipe.optim.fsdp else 1
    case.estimate = Estimate(
        case.model, case.student.family, case.head, case.recipe, case.found.batch, case.device.type == "cpu", world
    )
    case.found.memory = need = case.estimate.memory
    kinds = ("weights", "gradients", "optimizer", "activations", "logits", "heap")
    each = ", ".join(f"{kind} {gib(getattr(need, kind))}" for kind in kinds if getattr(need, kind) > _WORTH_SAYING)
    shared = f" on each of {world} GPUs" if world > 1 else ""
    said = f"{gib(need.peak)} at most{shared}, estimated ({each})"
    free = room.available(case.device)
    if free is None:
        return PASS, said
    said += f"; {gib(free)} are free on {case.device.type}"
    if need.peak > free:
        mend = "lower optim.batch_size, set optim.gradient_checkpointing=true or lora.*, or look where you train"
        return FAIL, f"{said}: {mend}"
    return WARN if need.peak > _TIGHT * free else PASS, said


def time(case: Case) -> Finding:
    text, half = case.config.get_text_config(), case.recipe.optim.precision == "bf16"
    batch = case.found.batch
    assert batch is not None
    heads = int(text.num_attention_heads)
    shapes = Shapes(
        tokens=min(max(batch.rows * batch.length, batch.tower_tokens), _CALIBRATED_TOKENS),
        width=int(text.hidden_size),
        inner=int(text.intermediate_size),
        heads=heads,
        head_width=int(getattr(text, "head_dim", None) or text.hidden_size // heads),
        length=min(batch.length, _CALIBRATED_TOKENS),
        by_products=case.estimate.by_products(batch.length),
    )
    machine = calibrate(case.device, half, shapes)
    case.found.seconds = seconds = case.estimate.work.seconds(machine)
    work = case.estimate.work
    return PASS, (
        f"{duration(seconds)} a step, estimated ({(work.linear + work.full + work.attention) / 1e12:.3g} TFLOP; "
        f"{case.device.type} does {machine.linear / 1e12:.3g} TFLOP/s), {duration(case.steps * seconds)} for "
        f"{plural(case.steps, 'step')} of the heaviest batch"
    )


def disk(case: Case) -> Finding:
    keep, every = case.recipe.checkpoint.keep, case.recipe.checkpoint.every
    trained = sum(size.trained for size in case.found.parameters.values())
    total = sum(size.total for part, size in case.found.parameters.items() if part != "head")
    saved = trained if case.recipe.uses_lora else total
    one = 4 * saved + 8 * trained  # weights and both moments, float32
    need = 4 * total + (one * (keep + 1) if every else 0)  # a new checkpoint is whole before an old one goes
    out = Path(case.recipe.out)
    free = room.disk_free(out)
    said = f"{gib(need)} for {keep + 1 if every else 0} checkpoints of {gib(one)} and the export"
    said += f"; {gib(free)} are free at {out}"
    if need > free:
        return FAIL, f"{said}: choose another out, or raise checkpoint.every beyond the run's steps"
    return PASS, said


def step(case: Case) -> Finding:
    water = HighWater(case.device)
    with quiet_library():
        student = load_student(case.recipe.model.path, dtype=case.recipe.model.dtype)
        setup = assemble(case.recipe, student, case.rows, case.photos)
        measured = run_steps(case.recipe, setup, case.heaviest, water, case.tries)
    case.found.measured = measured
    need, seconds = case.found.memory, case.found.seconds
    assert need is not None and seconds is not None
    peak = "peak memory is not told here" if measured.peak is None else f"{gib(measured.peak)} at most"
    said = (
        f"forward, backward and update on {measured.device}: loss {measured.loss:.3g}, "
        f"{duration(measured.seconds)} (estimated {duration(seconds)}), {peak} (estimated {gib(need.peak)})"
    )
    if measured.untaught:
        return FAIL, f"{said}; no gradient reached {', '.join(measured.untaught)}"
    if case.recipe.optim.fsdp:
        return WARN, f"{said}; in one process, without optim.fsdp"
    if measured.peak is not None and measured.peak > _FAR_OFF * need.peak:
        return WARN, f"{said}: more than estimated"
    return PASS, said


def heaviest(rows: Rows, batch: int) -> list[int]:
    """`batch` row numbers, the longest rows of every kind in turn; rows come again where there are too few."""
    longest = np.argsort(-rows.lengths, kind="stable")
    by_kind = [longest[rows.kinds[longest] == kind] for kind in dict.fromkeys(rows.kinds[longest].tolist())]
    turns = [int(kind[place]) for place in range(max(map(len, by_kind))) for kind in by_kind if place < len(kind)]
    return [turns[index % len(turns)] for index in range(batch)]


def batch_of(student: Student, photos: PhotoInputs, rows: list[Row], made: Mapping[str, Any]) -> Batch:
    """The sizes of `made`, the collator's batch of `rows`."""
    inputs, geometry, family = made["inputs"], made["geometry"], student.family
    tower_tokens = reach = visual = 0
    for name in (name for row in rows for name in row.photos):
        size, pixels = photos.size_of(name), photos[name].pixels
        tokens = family.token_count(size, pixels)
        tower_tokens += tokens
        reach = max(reach, tower_reach(student, tokens // len(family.views(size, pixels))))
        visual += family.token_count(size, pixels, place="projector")
    return Batch(
        rows=inputs["input_ids"].shape[0],
        length=inputs["input_ids"].shape[1],
        answers=int((inputs["labels"][:, 1:] != -100).sum()) if "labels" in inputs else 0,
        tower_tokens=tower_tokens,
        tower_reach=reach,
        visual_tokens=visual,
        cells=sum(group.tokens.numel() for group in geometry.groups) if geometry is not None else 0,
    )


def tower_reach(student: Student, tokens: int) -> int:
    """How many of the `tokens` of a view attend to one another, on average over blocks (some look at windows alone)."""
    vision = student.model.config.vision_config
    full, window = getattr(vision, "fullatt_block_indexes", None), getattr(vision, "window_size", None)
    if full is None or not window:
        return tokens
    inside = min(tokens, (int(window) // int(vision.patch_size)) ** 2)
    depth = student.family.depth
    return (len(full) * tokens + (depth - len(full)) * inside) // depth

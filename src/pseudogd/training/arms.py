"""What each arm of the comparison trains on at each step. Rows, order, seeds and steps are the same for all of them."""

from __future__ import annotations

from dataclasses import dataclass

from pseudogd.training import ranks
from pseudogd.training.recipe import Recipe


@dataclass(frozen=True)
class Mix:
    """Which losses count at a step; `lam` is lambda, geometry's weight."""

    language: bool
    geometry: bool
    lam: float


def mix_at(recipe: Recipe, step: int, steps: int) -> Mix:
    """The losses of optimizer step `step` (from 0) of `steps`.

    joint: both from the start, lambda rising linearly over `geometry.warmup` of the steps. two_stage: geometry alone
    for `geometry.first_stage` of the steps, then language alone.
    """
    if recipe.arm == "vqa_only":
        return Mix(True, False, 0.0)
    if recipe.arm == "two_stage" and step >= round(recipe.geometry.first_stage * steps):
        return Mix(True, False, 0.0)
    rise = recipe.geometry.warmup * steps
    lam = recipe.geometry.lam * min(1.0, (step + 1) / rise if rise > 0 else 1.0)
    return Mix(recipe.arm == "joint", True, lam)


def parts_reached(mix: Mix, place: str) -> tuple[str, ...]:
    """The parts of the student that a step of this mix sends a gradient to; geometry listens at `place`."""
    parts = ["tower"]
    if mix.language or place in ("projector", "llm"):
        parts.append("projector")
    if mix.language or place == "llm":
        parts.append("llm")
    if mix.geometry:
        parts.append("head")
    return tuple(parts)


def total_steps(recipe: Recipe, rows: int) -> int:
    """Optimizer steps of a run; `rows` make one epoch."""
    optim = recipe.optim
    if optim.steps is not None:
        return optim.steps
    return max(1, round(optim.epochs * rows / (optim.batch_size * optim.grad_accum * ranks.world())))

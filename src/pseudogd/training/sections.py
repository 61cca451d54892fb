"""The sections of a recipe: every key of training with its default and what it does."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pseudogd.distill.kinds import JointWeights


class Section(BaseModel):
    """A part of the recipe: unknown keys are errors, and values are what was written (no silent truncation)."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ModelSection(Section):
    """The student's base checkpoint: a local folder or a hub id.

    `dtype` is that of frozen weights (under LoRA nearly all of them); what is trained is always float32.
    """

    path: str
    dtype: Literal["float32", "bfloat16"] = "float32"


class LoraPartSection(Section):
    """LoRA on one part; r = 0: none, the part is trained in full (or frozen, by its learning rate). alpha null: 2 r."""

    r: int = Field(0, ge=0)
    alpha: float | None = Field(None, gt=0)


class LoraSection(Section):
    """Low-rank adapters, merged into the weights at export."""

    dropout: float = Field(0.0, ge=0, lt=1)
    tower: LoraPartSection = LoraPartSection()
    llm: LoraPartSection = LoraPartSection()


class MixSection(Section):
    """Shares of the kinds of rows, in any unit.

    `both`: questions and geometry of their photo. `geometry`: a photo's geometry alone. `vqa`: questions alone.
    `general`: conversations of `data.general`, against forgetting.
    """

    both: float = Field(0, ge=0, allow_inf_nan=False)
    geometry: float = Field(0, ge=0, allow_inf_nan=False)
    vqa: float = Field(0, ge=0, allow_inf_nan=False)
    general: float = Field(0, ge=0, allow_inf_nan=False)

    @property
    def shares(self) -> tuple[float, ...]:
        """One for each of `KINDS`."""
        return tuple(getattr(self, kind) for kind in KINDS)


KINDS = tuple(MixSection.model_fields)
"""Kinds of rows."""


class DataSection(Section):
    """Which rows are trained on.

    A row is one photo with up to `turns_per_row` of its questions (one, for families that take no more). `chat`: one
    ordinary conversation. `isolated`: the photo is read once and every question sees the photo and itself alone, just
    as it will be asked; `auto` is that wherever the language model takes such a mask. `group_by_length` puts rows of
    like length into one batch. `photos` takes the first so many; `tasks` null means all. `balance` thins out questions
    that a rule of thumb in the flat picture answers, until such rules are right half the time. `mix` sets the shares of
    kinds of rows; null: every question, with geometry. `general` is a file or folder of conversations.
    """

    path: str
    tasks: list[str] | None = None
    photos: int | None = Field(None, gt=0)
    turns: Literal["auto", "isolated", "chat"] = "auto"
    turns_per_row: int = Field(12, gt=0)
    max_length: int = Field(4096, gt=0)
    group_by_length: bool = True
    balance: bool = True
    mix: MixSection | None = None
    general: str | None = None
    cache_mb: int = Field(1024, ge=0)
    workers: int = Field(0, ge=0)


class RateSection(Section):
    """Peak learning rate of every part; 0 freezes the part."""

    tower: float = Field(1e-5, ge=0)
    projector: float = Field(1e-5, ge=0)
    llm: float = Field(1e-5, ge=0)
    head: float = Field(1e-4, ge=0)


class OptimSection(Section):
    """AdamW. `steps` counts optimizer steps; without it `epochs` passes over the rows are made.

    `batch_size` is that of a process: a step has batch_size * grad_accum * processes rows. `fsdp` shards weights,
    gradients and the optimizer's state over the processes (FSDP2); without it each holds all of them.
    """

    steps: int | None = Field(None, gt=0)
    epochs: float = Field(1.0, gt=0)
    batch_size: int = Field(16, gt=0)
    grad_accum: int = Field(1, gt=0)
    lr: RateSection = RateSection()
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: float = Field(0.03, ge=0, lt=1)
    weight_decay: float = Field(0.01, ge=0)
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = Field(1e-8, gt=0)
    clip: float = Field(1.0, ge=0)
    precision: Literal["bf16", "fp32"] = "bf16"
    gradient_checkpointing: bool = False
    fsdp: bool = False


class WeightSection(Section):
    """Weights of the geometry terms inside lambda's bracket, and of anchor and Gram term beside it."""

    structure: float = Field(JointWeights.structure, ge=0)
    gradient: float = Field(JointWeights.gradient, ge=0)
    normal: float = Field(JointWeights.normal, ge=0)
    order: float = Field(JointWeights.order, ge=0)
    sky: float = Field(JointWeights.sky, ge=0)
    scale: float = Field(JointWeights.scale, ge=0)
    anchor: float = Field(JointWeights.anchor, ge=0)
    gram: float = Field(JointWeights.gram, ge=0)

    @property
    def frozen(self) -> bool:
        """Whether a term compares with the frozen base."""
        return bool(self.anchor or self.gram)


class GeometrySection(Section):
    """The geometry branch: loss = lm + lambda(t) * geometry + anchor; lambda rises linearly over `warmup` of the steps.

    `taps` are hidden states (0 = embeddings) of `place`, the tower or the language model; null means the default. The
    head has `head_blocks` convolutions (0: linear) and tells a cell apart in `subcells` parts along each side.
    `first_stage` is the share of the steps that the arm `two_stage` spends on geometry before it turns to language.
    `ratio` moves lambda so that |geometry| / |language|, the gradients at the taps, nears this value; null: fixed.
    Training is refused where geometry says something about less than `min_coverage` of the cells.
    """

    lam: float = Field(0.3, ge=0, alias="lambda")
    warmup: float = Field(0.05, ge=0, lt=1)
    place: Literal["encoder", "projector", "llm"] = "encoder"
    taps: list[int] | None = None
    head_width: int = Field(256, gt=0)
    head_blocks: int = Field(2, ge=0, le=8)
    subcells: int = Field(1, ge=1, le=4)
    first_stage: float = Field(0.5, gt=0, lt=1)
    ratio: float | None = Field(None, gt=0)
    min_coverage: float = Field(0.05, ge=0, le=1)
    weights: WeightSection = WeightSection()


class CheckpointSection(Section):
    """A checkpoint every so many steps (0: none on the way); the newest `keep` stay."""

    every: int = Field(200, ge=0)
    keep: int = Field(1, gt=0)

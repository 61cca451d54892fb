"""The recipe of a training run: every choice that changes the weights, with its default written out.

A recipe is a YAML file with the sections below; `key=value` arguments such as `optim.steps=800` go on top of it.
Unknown keys are refused, because a mistyped key that is ignored is a run that was not the one asked for.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pseudogd.distill.kinds import JointWeights
from pseudogd.errors import InputError

Arm = Literal["joint", "vqa_only", "geometry_only", "two_stage"]

WITHOUT_EFFECT = (
    "out",
    "log_every",
    "data.workers",
    "data.cache_mb",
    "checkpoint.every",
    "checkpoint.keep",
    "device",
    "report_to",
)
"""Keys that change how a run is carried out but not the weights it ends with: a resumed run may change them."""


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
    """Weights of the geometry terms inside lambda's bracket, and of the anchor beside it."""

    structure: float = Field(JointWeights.structure, ge=0)
    gradient: float = Field(JointWeights.gradient, ge=0)
    normal: float = Field(JointWeights.normal, ge=0)
    order: float = Field(JointWeights.order, ge=0)
    sky: float = Field(JointWeights.sky, ge=0)
    scale: float = Field(JointWeights.scale, ge=0)
    anchor: float = Field(JointWeights.anchor, ge=0)


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


class Recipe(Section):
    """One arm of training, complete. `out` is the run folder."""

    arm: Arm = "joint"
    out: str
    seed: int = Field(0, ge=0, lt=2**31)
    model: ModelSection
    data: DataSection
    lora: LoraSection = LoraSection()
    optim: OptimSection = OptimSection()
    geometry: GeometrySection = GeometrySection()
    checkpoint: CheckpointSection = CheckpointSection()
    log_every: int = Field(10, gt=0)
    device: Literal["auto", "cpu"] = "auto"
    report_to: list[Literal["tensorboard", "trackio", "wandb"]] = []

    @model_validator(mode="after")
    def _some_part_learns(self) -> Recipe:
        lr = self.optim.lr
        if not (lr.tower or lr.projector or lr.llm):
            raise ValueError("optim.lr: tower, projector and llm are all 0, so the model would not learn; raise one")
        for part in ("tower", "llm"):
            if getattr(self.lora, part).r and not getattr(lr, part):
                raise ValueError(f"lora.{part}.r is set but optim.lr.{part} is 0, so its adapters would not learn")
        if self.model.dtype == "bfloat16" and self.optim.precision == "fp32":
            raise ValueError("model.dtype=bfloat16 needs optim.precision=bf16")
        return self

    @model_validator(mode="after")
    def _mix_fits(self) -> Recipe:
        mix, general = self.data.mix, self.data.general
        if mix is None:
            if general is not None:
                raise ValueError("data.general is given but data.mix is not; say its share: data.mix.general=10")
            return self
        if not any(mix.shares):
            raise ValueError("data.mix: every share is 0; raise one, or leave the key out")
        if mix.general and general is None:
            raise ValueError("data.mix.general is asked for, but data.general names no file of conversations")
        if self.uses_geometry and not (mix.both or mix.geometry):
            raise ValueError(f"arm {self.arm} learns from geometry, but data.mix has neither both nor geometry")
        if self.arm != "geometry_only" and not (mix.both or mix.vqa or mix.general):
            raise ValueError(f"arm {self.arm} learns from words, but data.mix has none of both, vqa and general")
        return self

    @property
    def uses_questions(self) -> bool:
        """Whether any row has questions of the data folder."""
        return self.data.mix is None or bool(self.data.mix.both or self.data.mix.vqa)

    @property
    def uses_general(self) -> bool:
        """Whether any row is a conversation of `data.general`."""
        return self.data.mix is not None and bool(self.data.mix.general)

    @property
    def uses_lora(self) -> bool:
        return bool(self.lora.tower.r or self.lora.llm.r)

    @property
    def uses_geometry(self) -> bool:
        return self.arm != "vqa_only"

    def to_dict(self) -> dict[str, Any]:
        """Plain values under the names that YAML uses, defaults written out."""
        return self.model_dump(by_alias=True, mode="json")


def load_recipe(path: str | os.PathLike[str] | None, overrides: Sequence[str] | Mapping[str, Any] = ()) -> Recipe:
    """Read a recipe and lay overrides over it.

    Args:
        path: a YAML file; None to build the recipe from the overrides alone.
        overrides: `"optim.steps=800"` strings (values are YAML), or a mapping of dotted keys.

    Raises:
        InputError: the file cannot be read; a key is unknown (the message names the nearest right one); a value is
            missing or out of range.
    """
    name = "recipe" if path is None else str(path)
    values = {} if path is None else _read_yaml(Path(path))
    pairs = overrides.items() if isinstance(overrides, Mapping) else (_split(text) for text in overrides)
    for key, value in pairs:
        _put(values, key, value, name)
    return parse_recipe(values, name)


def parse_recipe(values: Mapping[str, Any], name: str = "recipe") -> Recipe:
    """Check plain values; `name` stands in the messages. Raises InputError as `load_recipe` does."""
    for key in _written_keys(values):
        if key not in KNOWN_KEYS:
            raise InputError(f"{name}: unknown key {key!r}{_did_you_mean(key)}")
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{name}: {_one_line(error)}") from error


def changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """The recipe with other values under dotted keys. Raises InputError as `load_recipe` does."""
    values = recipe.to_dict()
    for key, value in changes.items():
        _put(values, key, value, "recipe")
    return parse_recipe(values)


def recipe_text(recipe: Recipe) -> str:
    """The complete recipe as YAML, defaults written out."""
    return yaml.safe_dump(recipe.to_dict(), sort_keys=False, allow_unicode=True)


def differences(old: Recipe, new: Recipe) -> list[str]:
    """`key: old -> new` for every key that differs and changes the weights."""
    a, b = dict(_leaves(old.to_dict())), dict(_leaves(new.to_dict()))
    keys = [key for key in {**a, **b} if key not in WITHOUT_EFFECT and a.get(key) != b.get(key)]
    return [f"{key}: {a.get(key)} -> {b.get(key)}" for key in keys]


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not YAML ({' '.join(str(error).split())})") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InputError(f"{path}: a recipe is a mapping of keys to values, not a {type(values).__name__}")
    return values


def _split(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise InputError(f"{text!r}: write key=value, such as optim.steps=800")
    try:
        return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise InputError(f"{text!r}: the value is not YAML; quote it") from error


def _put(values: dict[str, Any], key: str, value: Any, name: str) -> None:
    if key not in KNOWN_KEYS:
        raise InputError(f"{name}: unknown key {key!r}{_did_you_mean(key)}")
    *parents, leaf = key.split(".")
    for parent in parents:
        if values.get(parent) is None:  # a section that is written out as null is one without keys
            values[parent] = {}
        values = values[parent]
        if not isinstance(values, dict):
            raise InputError(f"{name}: {parent} holds keys of its own, not {values!r}")
    values[leaf] = value


def _key_names(section: type[Section], prefix: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        key = prefix + (field.alias or name)
        yield key
        for inner in (field.annotation, *get_args(field.annotation)):  # a section, or one that may be null
            if isinstance(inner, type) and issubclass(inner, Section):
                yield from _key_names(inner, f"{key}.")


KNOWN_KEYS = tuple(_key_names(Recipe))
"""Every key of a recipe, dotted."""
_SECTIONS = frozenset(key.rpartition(".")[0] for key in KNOWN_KEYS if "." in key)


def _written_keys(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        key = f"{prefix}{name}"
        yield key
        if isinstance(value, Mapping) and key in _SECTIONS:
            yield from _written_keys(value, f"{key}.")


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _did_you_mean(key: str) -> str:
    """The nearest right key: the same name elsewhere counts as nearer than a similar name here."""
    leaf = key.rpartition(".")[2]
    best = max(
        KNOWN_KEYS,
        key=lambda known: max(
            difflib.SequenceMatcher(None, key, known).ratio(),
            0.99 * difflib.SequenceMatcher(None, leaf, known.rpartition(".")[2]).ratio(),
        ),
    )
    return f"; did you mean {best!r}?"


def _one_line(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"{key} is missing; give it in the file or as {key}=..."
    message = first["msg"].removeprefix("Value error, ")
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{key} = {first['input']!r}: {message}{more}" if key else message + more

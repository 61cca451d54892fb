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
from pydantic import Field, ValidationError, model_validator

from pseudogd.errors import InputError
from pseudogd.training.sections import (
    CheckpointSection,
    DataSection,
    GeometrySection,
    LoraSection,
    ModelSection,
    OptimSection,
    Section,
)

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
    report_to: list[Literal["tensorboard", "trackio", "wandb"]] = Field(default_factory=list)

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

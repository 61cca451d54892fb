"""The YAML beside an ONNX file: what it wants to see and what it says."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

import yaml
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pseudogd.errors import InputError
from pseudogd.teachers.preprocess import Preprocessing
from pseudogd.teachers.units import Output, Unit

_MAX_CARD = 1 << 20
Three = Annotated[list[float], Field(min_length=3, max_length=3)]
Name = Annotated[str, Field(min_length=1)]
Side = Annotated[int, Field(ge=1, le=16384)]
UnitName = Literal[
    "metres", "scale-free depth", "inverse depth", "canonical depth", "canonical inverse depth", "metric depth"
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class InputCard(_Strict):
    """What the network sees: the photo resized towards `size`, then (value * rescale - mean) / std."""

    size: Side | Annotated[list[Side], Field(min_length=2, max_length=2)]
    """One side, or [height, width]."""
    name: Name | None = None
    multiple: Annotated[int, Field(ge=1, le=1024)] = 1
    keep_aspect_ratio: bool = False
    resample: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear"
    rescale: float = 1 / 255
    mean: Three = Field(default_factory=lambda: [0.0, 0.0, 0.0])
    std: Three = Field(default_factory=lambda: [1.0, 1.0, 1.0])
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    channels: Literal["RGB", "BGR"] = "RGB"


class OutputCard(_Strict):
    """What the network says. All but `unit` and the numbers are names of outputs."""

    unit: UnitName
    depth: Name | None = None
    metres_per_unit: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    canonical_focal: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Of canonical depth, in pixels of the network's input."""
    field_of_view: Name | None = None
    """Horizontal, in degrees."""
    focal: Name | None = None
    """In pixels of the network's input."""
    normals: Name | None = None
    confidence: Name | None = None

    def named(self, first: str) -> dict[str, str]:
        """What is read -> name of the output; depth is the `first` one where no name is given."""
        others = {key: getattr(self, key) for key in ("field_of_view", "focal", "normals", "confidence")}
        return {"depth": self.depth or first, **{key: name for key, name in others.items() if name is not None}}


class OnnxCard(_Strict):
    """A whole card. `model` is a path relative to the card's folder, and inside it."""

    model: Name
    input: InputCard
    output: OutputCard
    name: Name | None = None
    licence: Name | None = None

    def unit(self) -> Unit:
        """The row of the unit table that the card is."""
        said = self.output
        output = Output.METRIC_DEPTH if said.unit == "metres" else Output(said.unit)
        intrinsics: Literal["estimated", "none"] = "estimated" if said.field_of_view or said.focal else "none"
        return Unit("", output, intrinsics, metres=said.metres_per_unit, canonical_focal=said.canonical_focal)

    def preprocessing(self) -> Preprocessing:
        """As the other networks' own."""
        said = self.input
        height, width = (said.size, said.size) if isinstance(said.size, int) else said.size
        return Preprocessing(
            height=height,
            width=width,
            multiple=said.multiple,
            keep_aspect_ratio=said.keep_aspect_ratio,
            resample=int(Image.Resampling[said.resample.upper()]),
            rescale=said.rescale,
            mean=tuple(said.mean),
            std=tuple(said.std),
        )


def read_card(file: Path, size: int | None = None) -> tuple[OnnxCard, Path]:
    """A card, with another `size` if wanted, and the network's file. InputError names what is wrong in it."""
    try:
        if file.stat().st_size > _MAX_CARD:
            raise InputError(f"{file}: has more than {_MAX_CARD:,} bytes; is it the YAML beside the network?")
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); give onnx:FILE.yaml") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: is not YAML ({str(error).splitlines()[0]}); give onnx:FILE.yaml") from error
    if not isinstance(values, dict):
        raise InputError(f"{file}: must hold model, input and output (docs/teachers.md)")
    if size is not None and isinstance(values.get("input"), dict):
        values = {**values, "input": {**values["input"], "size": size}}
    try:
        card = OnnxCard.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{file}: {place}: {first['msg']} (docs/teachers.md)") from error
    _check(card, file)
    folder = file.parent.resolve()
    model = (folder / card.model).resolve()
    if Path(card.model).is_absolute() or not model.is_relative_to(folder):
        raise InputError(f"{file}: model: {card.model} leaves the folder of the card; put the network beside it")
    if not model.is_file():
        raise InputError(f"{file}: model: there is no {card.model} beside the card")
    return card, model


def _check(card: OnnxCard, file: Path) -> None:
    said = card.output
    if said.unit == "canonical depth" and said.canonical_focal is None:
        raise InputError(f"{file}: output.canonical_focal: canonical depth needs it, in pixels of the network's input")
    if said.unit != "canonical depth" and said.canonical_focal is not None:
        raise InputError(f"{file}: output.canonical_focal: means nothing for {said.unit}; leave it out")
    if said.unit not in ("metres", "metric depth") and said.metres_per_unit != 1.0:
        raise InputError(f"{file}: output.metres_per_unit: means nothing for {said.unit}; leave it out")
    if said.field_of_view and said.focal:
        raise InputError(f"{file}: output.focal: give it or field_of_view, not both")
    if not all(math.isfinite(value) and value > 0 for value in card.input.std):
        raise InputError(f"{file}: input.std: must be positive")

"""What a family of depth networks says about itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import Field
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.teachers.units import Output, Unit, unit_of


class Preprocessor(Protocol):
    """A frozen dataclass, whose fields go into the settings, that makes network input of photos."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def pixels(self, image: Image.Image) -> np.ndarray:
        """(3, h, w) float32 network input of an RGB photo."""


class Family(ABC):
    """A kind of network, by the `model_type` of its config. No state: all comes with the arguments."""

    model_type: ClassVar[str]
    stretches: ClassVar[bool] = False
    """Whether photos of any shape become a square; their maps get the photo's shape back."""

    @abstractmethod
    def preprocessing(self, config: Any, values: Mapping[str, Any] | None, size: int | None) -> Preprocessor:
        """From config.json, the content of preprocessor_config.json if there is one, and the wanted side if any."""

    @abstractmethod
    def natural(self, config: Any) -> Unit | None:
        """The unit of such a checkpoint by its config; None where that does not say it."""

    def unit(self, config: Any, path: str, output: str | None) -> Unit:
        """The unit of a checkpoint: what the user says, else the table's row of its hub id, else the config's.

        Raises InputError when none of them says one, or the user contradicts what is known.
        """
        natural = self.natural(config)
        known = natural if natural is not None else unit_of(path)
        if output is None:
            if known is None:
                raise InputError(
                    f"{path}: its config does not say what the numbers are; "
                    f"pass output='{Output.INVERSE_DEPTH.value}' or output='{Output.METRIC_DEPTH.value}'"
                )
            return known
        wanted = _output(output)
        if known is not None and known.output is not wanted:
            raise InputError(f"{path}: gives {known.output.value}, not {output}; leave output= out")
        return known or Unit("", wanted, "none")

    def one_by_one(self, config: Any) -> bool:
        """Whether the network looks at a batch as a whole, so that photos must not share one."""
        return False

    def fields_of_view(self, said: Any) -> list[float] | None:
        """Horizontal field of view in degrees of each photo of a batch; None from networks that estimate none."""
        return None

    def over_photo(self, raw: torch.Tensor, size: tuple[int, int], preprocessing: Any) -> torch.Tensor:
        """The part of the raw output (h, w) that covers the photo of `size` (width, height), and nothing else."""
        return raw

    def map_size(self, raw: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) of the depth map: never more than the network said, never more than the photo has."""
        if not self.stretches:
            return min(raw[0], size[0]), min(raw[1], size[1])
        shrink = min(max(raw) / max(size), 1.0)
        return max(round(size[0] * shrink), 1), max(round(size[1] * shrink), 1)


def _output(name: str) -> Output:
    choices = {output.value: output for output in (Output.INVERSE_DEPTH, Output.METRIC_DEPTH)}
    if name not in choices:
        raise InputError(f"output = {name!r}: choose {' or '.join(repr(choice) for choice in choices)}")
    return choices[name]

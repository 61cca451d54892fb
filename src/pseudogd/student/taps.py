"""Where the geometry head listens: hidden states of the tower, or the tokens that leave the projector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pseudogd.errors import InputError
from pseudogd.student.families.base import FamilyAdapter


@dataclass(frozen=True)
class Taps:
    """`place` is "encoder" (with `layers`, indices of hidden states, 0 = embeddings) or "projector" (no layers)."""

    place: str
    layers: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """How many tensors the head reads."""
        return len(self.layers) if self.place == "encoder" else 1

    @property
    def names(self) -> tuple[str, ...]:
        """One name for each tensor, for logs."""
        return tuple(f"encoder.{i}" for i in self.layers) if self.place == "encoder" else ("projector",)


def resolve_taps(spec: str | Sequence[int] | Taps | None, family: FamilyAdapter) -> Taps:
    """Taps from a recipe's value: None or "encoder" (the family's default), a list of layers, or "projector".

    Negative layers count from the end, as `vision_feature_layer` does.

    Raises:
        InputError: an unknown word, a layer that does not exist, or one deeper than what the projector reads: there
            geometry would train blocks that the language model never sees.
    """
    if isinstance(spec, Taps):
        spec = spec.place if spec.place == "projector" else spec.layers
    if spec is None or spec == "encoder":
        return Taps("encoder", tuple(family.default_taps()))
    if spec == "projector":
        return Taps("projector")
    if isinstance(spec, str):
        raise InputError(f"taps {spec!r} is not known; use 'encoder', 'projector' or a list of layers")
    layers = []
    for layer in spec:
        index = layer + family.depth + 1 if layer < 0 else layer
        if not 0 <= index <= family.last_read:
            raise InputError(
                f"tap layer {layer} is not one of the hidden states 0..{family.last_read} that lead to the projector"
            )
        layers.append(index)
    if not layers:
        raise InputError("taps is an empty list; leave it out for the default, or name at least one layer")
    return Taps("encoder", tuple(sorted(set(layers))))

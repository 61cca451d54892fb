"""Where the geometry head listens: the tower's states, the projector's tokens, or the language model's states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pseudogd.errors import InputError
from pseudogd.student.families.base import FamilyAdapter

WORDS = ("encoder", "projector", "llm")


@dataclass(frozen=True)
class Taps:
    """What the head reads.

    `place` is "encoder" (hidden states `layers` of the tower, 0 = embeddings), "projector" (no layers), or "llm" (the
    photo's tokens in hidden states `layers` of the language model, 0 = its input).
    """

    place: str
    layers: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """How many tensors the head reads."""
        return 1 if self.place == "projector" else len(self.layers)

    @property
    def names(self) -> tuple[str, ...]:
        """One name for each tensor, for logs."""
        return ("projector",) if self.place == "projector" else tuple(f"{self.place}.{i}" for i in self.layers)

    @property
    def grid_place(self) -> str:
        """Whose grid of tokens is read: the language model has those that left the projector."""
        return "encoder" if self.place == "encoder" else "projector"


def resolve_taps(spec: str | Sequence[int] | Taps | None, family: FamilyAdapter, place: str = "encoder") -> Taps:
    """Taps from a recipe's values: a place (or None) and its default layers, or a list of layers of `place`.

    Negative layers count from the end, as `vision_feature_layer` does. By default the tower's taps are the family's,
    and the language model's is the state half-way.

    Raises:
        InputError: an unknown word, a layer that does not exist, or one deeper than what the projector reads: there
            geometry would train blocks that the language model never sees.
    """
    if isinstance(spec, Taps):
        place, spec = spec.place, spec.layers
    if isinstance(spec, str):
        place, spec = spec, None
    if place not in WORDS:
        raise InputError(f"taps {place!r} is not known; use {', '.join(map(repr, WORDS))} or a list of layers")
    if place == "projector":
        if spec:
            raise InputError("place 'projector' has no layers; leave taps out, or set place to 'encoder' or 'llm'")
        return Taps("projector")
    if spec is None:
        layers = family.default_taps() if place == "encoder" else [max(1, family.text_depth // 2)]
        return Taps(place, tuple(layers))
    if not spec:
        raise InputError("taps is an empty list; leave it out for the default, or name at least one layer")
    states = family.depth if place == "encoder" else family.text_depth
    deepest = family.last_read if place == "encoder" else states
    return Taps(place, tuple(sorted({_layer(layer, states, deepest, place) for layer in spec})))


def _layer(layer: int, states: int, deepest: int, place: str) -> int:
    index = layer + states + 1 if layer < 0 else layer
    if 0 <= index <= deepest:
        return index
    where = "that lead to the projector" if place == "encoder" else "of the language model"
    raise InputError(f"tap layer {layer} is not one of the hidden states 0..{deepest} {where}")

"""Which kind of label pays which loss term, as data, and what each term weighs.

A label is never asked for what it does not know: metres without a focal length say nothing about canonical scale alone,
a relative depth map knows the order of things and nothing else. Terms a kind does not pay get exactly zero gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pseudogd.geometry.types import Geometry

CANONICAL_FOCAL = 500.0
"""F, in pixels of the view: log z = structure + s + phi with s = log(z F / f_view) and phi = log(f_view / F)."""

TERMS = ("structure", "gradient", "normal", "order", "sky", "s", "phi", "s_phi")
"""Loss terms; `s`, `phi` and `s_phi` (their sum: metres without a focal length) together are the scale loss."""

_SHAPE = ("structure", "gradient", "normal", "order", "sky")

KINDS: dict[str, tuple[str, ...]] = {
    "metric+focal": (*_SHAPE, "s", "phi"),
    "metric": (*_SHAPE, "s_phi"),
    "up_to_scale+focal": (*_SHAPE, "phi"),
    "up_to_scale": _SHAPE,
    "affine_disparity": ("order",),
}

WHOLE_VIEW_TERMS = ("phi", "s_phi")
"""Terms that need the whole photo: a tile cannot know the focal length in pixels of a zoom that it does not see."""


def kind_of(geometry: Geometry) -> str:
    """The row of `KINDS` that a photo's geometry belongs to."""
    scale = geometry.scale.value
    if scale == "affine_disparity":
        return scale
    return scale if geometry.camera is None else f"{scale}+focal"


def pays(kind: str, is_global: bool) -> tuple[bool, ...]:
    """For each of `TERMS`, whether a view of this kind pays it.

    Raises:
        KeyError: `kind` is not a row of `KINDS`.
    """
    return tuple(t in KINDS[kind] and (is_global or t not in WHOLE_VIEW_TERMS) for t in TERMS)


@dataclass(frozen=True)
class JointWeights:
    """Weights inside the geometry loss (all but `anchor` and `gram`, which stand beside it).

    loss = lm + lambda * (structure * L_structure + ... + scale * L_scale) + anchor * L_anchor + gram * L_gram
    """

    structure: float = 1.0
    gradient: float = 0.5
    normal: float = 0.2
    order: float = 0.1
    sky: float = 0.1
    scale: float = 0.5
    anchor: float = 0.1
    gram: float = 0.0

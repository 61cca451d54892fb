"""Words in the name of a thing that say where or how large it is."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SIDE = _words("left right leftmost rightmost middle central")
HEIGHT = _words(
    "high higher highest low lower lowest upper top topmost bottom bottommost above below over under underneath"
)
DEPTH = _words(
    "near nearer nearest close closer closest far farther farthest further furthest distant remote "
    "front foremost back rear hindmost behind foreground background"
)
SIZE = _words(
    "tall taller tallest short shorter shortest big bigger biggest large larger largest small smaller smallest "
    "little tiny huge giant wide wider widest narrow narrower narrowest broad slim long longer longest high low"
)

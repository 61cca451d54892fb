"""Names that answer a question by themselves: "is the left bottle to the left of the right bottle?".

Whoever annotates tells like things apart by where they are or how large they are. Such names are good to ask other
questions about; a question about that very property is dropped.
"""

from __future__ import annotations

import re

from pseudogd.vqa.fact import Fact


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
# By form, else by task: words that give the answer away, or seem to.
TELLING = {
    "direction.side": SIDE,
    "direction.height": HEIGHT,
    "direction.quadrant": SIDE | DEPTH,
    "nearer": DEPTH,
    "size": SIZE,
}


def names_tell(fact: Fact) -> bool:
    """Whether the name of something that a fact compares says, or seems to say, what is asked."""
    words = TELLING.get(fact.form) or TELLING.get(fact.task)
    if not words:
        return False
    return any(
        words.intersection(re.findall(r"[a-z]+", str(entry["name"]).lower())) for entry in fact.evidence["objects"]
    )

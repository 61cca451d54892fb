"""Beginnings of questions: where one stands, and what one faces or turns the back to."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

STANCES = {
    "facing": (
        "If you stand {at} {x} and face the {y}, ",
        "Imagine you stand {at} {x} and look at the {y}: ",
        "Standing {at} {x} and facing the {y}, ",
        "Suppose you stand {at} {x}, facing the {y}: ",
    ),
    "away": (
        "If you stand {at} {x} and face away from the {y}, ",
        "Imagine you stand {at} {x} with your back to the {y}: ",
        "Standing {at} {x} with the {y} behind your back, ",
        "Suppose you stand {at} {x}, facing away from the {y}: ",
    ),
}
SAYS = {
    "facing": (r"(face|facing|look at) the \{y\}", r"away|back to|behind your back"),
    "away": (r"away from the \{y\}|back to the \{y\}|\{y\} behind your back", r"(look at|facing|face) the \{y\}"),
}
"""What such beginnings must and must not say."""


def joined(stance: str, tails: Sequence[str]) -> tuple[str, ...]:
    """Every beginning with every end."""
    return tuple(begin + tail for begin, tail in product(STANCES[stance], tails))

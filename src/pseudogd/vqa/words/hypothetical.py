"""Standing at x, facing y or turned away from it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from pseudogd.vqa.phrasing import Form, meant

SIDES = {"left": "left", "right": "right", "front": "in front", "behind": "behind"}
STANCES = {
    "facing": (
        "If you stand {at} {x} and face the {y}, ",
        "Imagine that you stand {at} {x} and look at the {y}: ",
        "Standing {at} {x} and facing the {y}, ",
    ),
    "away": (
        "If you stand {at} {x} and face away from the {y}, ",
        "Imagine that you stand {at} {x} with your back to the {y}: ",
        "Standing {at} {x} with the {y} behind your back, ",
    ),
}
# Standing "at the place of" something says where the eyes are when nobody could stand there.
AT = {True: "at the", False: "at the place of the"}
WHERE_MC = ("where is the {z}?",)
WHERE_OPEN = ("is the {z} on your left, right, in front or behind?",)
WHERE_CLAIM = {
    "left": ("is the {z} on your left?",),
    "right": ("is the {z} on your right?",),
    "front": ("is the {z} in front of you?",),
    "behind": ("is the {z} behind you?",),
}


def _stance(stems: Sequence[str]) -> Form:
    def join(tails: Sequence[str]) -> tuple[str, ...]:
        return tuple(stem + tail for stem, tail in product(stems, tails))

    claims = {value: join(tails) for value, tails in WHERE_CLAIM.items()}
    return Form(mc=join(WHERE_MC + WHERE_OPEN), open=join(WHERE_OPEN), yesno=claims, answers=SIDES)


_FORMS: dict[str, Form] = {f"hypothetical.{name}": _stance(stems) for name, stems in STANCES.items()}

MORE = {
    f"hypothetical.{name}": _stance(stems)
    for name, stems in {
        "facing": (
            "Suppose that you are {at} {x}, facing the {y}: ",
            "Picture yourself {at} {x}, with the {y} straight ahead; from there, ",
        ),
        "away": (
            "Suppose that you are {at} {x}, facing away from the {y}: ",
            "Picture yourself {at} {x}, turned away from the {y}; from there, ",
        ),
    }.items()
}
MEANINGS = {
    "hypothetical.facing": (r"(face|facing|look at) the \{y\}|the \{y\} straight ahead", r"away|back"),
    "hypothetical.away": (r"away from the \{y\}|back to the \{y\}|\{y\} behind your back", r"look at|facing the|ahead"),
}
FORMS = meant(
    _FORMS,
    MEANINGS,
    MORE,
    left=r"\bleft\b",
    right=r"\bright\b",
    front=r"in front of you",
    behind=r"\bbehind you\?",
)

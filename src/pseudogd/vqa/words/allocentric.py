"""From the own point of view of a thing with a front, as it faces or turned around: where is b?"""

from __future__ import annotations

from collections.abc import Sequence

from pseudogd.vqa.phrasing import Form

SIDES = {"left": "left", "right": "right", "front": "in front", "behind": "behind"}
AS_IT_FACES = (
    "From the {a}'s own point of view, ",
    "As the {a} itself faces, ",
    "Seen from the {a} the way its front faces, ",
    "Take the point of view of the {a}: ",
)
TURNED = (
    "If the {a} were turned around, then from its own point of view, ",
    "Suppose the {a} faced the opposite way: from its own point of view, ",
    "Imagine the {a} turned to face the opposite way: as it would face then, ",
    "Were the {a} turned around by 180 degrees, then as it would face, ",
)
SEATED = (
    "For someone who sits on the {a}, facing the way it faces, ",
    "Imagine that you sit on the {a}, facing the way it faces: ",
    "To a person seated on the {a} with the back against its back, ",
)
SEATED_TURNED = (
    "If the {a} were turned around, then for someone who sits on it as usual, ",
    "Imagine the {a} facing the opposite way: for someone seated on it as usual, ",
    "Suppose the {a} faced the opposite way: to someone sitting on it as usual, ",
)
FOUR = ("is the {b} left, right, in front or behind?", "where is the {b}: left, right, in front or behind?")
TWO = ("is the {b} on the left or on the right?", "on which side is the {b}, left or right?")
CLAIM = {
    "left": ("is the {b} on the left?", "does the {b} lie on the left side?"),
    "right": ("is the {b} on the right?", "does the {b} lie on the right side?"),
    "front": ("is the {b} in front?", "does the {b} lie in front?"),
    "behind": ("is the {b} behind?", "does the {b} lie behind?"),
}
SAYS = {"left": r"on the left\b", "right": r"on the right\b", "front": r"in front\?", "behind": r"\bbehind\?"}


def _form(begins: Sequence[str], asks: Sequence[str], keys: Sequence[str], says: str, never: str) -> Form:
    texts = tuple(begin + ask for begin in begins for ask in asks)
    return Form(
        mc=texts,
        open=texts,
        yesno={key: tuple(begin + text for begin in begins for text in CLAIM[key]) for key in keys},
        answers={key: SIDES[key] for key in keys},
        says=says,
        never=never,
        claims={key: SAYS[key] for key in keys},
    )


_OWN, _TURNED = r"point of view|itself faces|front faces", r"turned|opposite"
_SEAT, _SEAT_TURNED = r"\b(sit|sits|seated) on the \{a\}", r"(turned|opposite).*(sits|sitting|seated) on it"
_FOUR, _TWO = tuple(SIDES), ("left", "right")
FORMS = {
    "allocentric.four": _form(AS_IT_FACES, FOUR, _FOUR, _OWN, _TURNED),
    "allocentric.four_turned": _form(TURNED, FOUR, _FOUR, _TURNED, "itself faces"),
    "allocentric.side": _form(AS_IT_FACES, TWO, _TWO, _OWN, _TURNED),
    "allocentric.side_turned": _form(TURNED, TWO, _TWO, _TURNED, "itself faces"),
    "allocentric.seat": _form(SEATED, FOUR, _FOUR, _SEAT, _TURNED),
    "allocentric.seat_turned": _form(SEATED_TURNED, FOUR, _FOUR, _SEAT_TURNED, "point of view"),
}

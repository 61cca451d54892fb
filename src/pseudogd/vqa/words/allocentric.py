"""Where b is as a has it, which has a front."""

from __future__ import annotations

from itertools import product

from pseudogd.vqa.phrasing import Form

WHERE = {"front": "in front", "right": "to the right", "behind": "behind", "left": "to the left"}
BEGIN = (
    "From the {a}'s own point of view, ",
    "Taking the direction that the {a} faces as straight ahead, ",
    "Seen from the {a} and the way that it faces, ",
    "For someone at the {a} who faces the same way, ",
)
SAYS = r"\{a\}('s own point of view| faces as straight ahead| and the way that it faces| who faces the same way)"
WHERE_MC = ("where is the {b}?", "in which of four directions is the {b}?")
WHERE_OPEN = (
    "is the {b} in front, to the right, behind or to the left?",
    "where is the {b}: in front, to the right, behind or to the left?",
)
SIDE = ("is the {b} to the left or to the right?", "on which side is the {b}, left or right?")
CLAIMS = {
    "front": "is the {b} in front?",
    "right": "is the {b} to the right?",
    "behind": "is the {b} behind?",
    "left": "is the {b} to the left?",
}
MORE = {
    "front": "is it true that the {b} is in front?",
    "right": "is it true that the {b} is to the right?",
    "behind": "is it true that the {b} is behind?",
    "left": "is it true that the {b} is to the left?",
}


def _joined(*tails: str) -> tuple[str, ...]:
    return tuple(begin + tail for begin, tail in product(BEGIN, tails))


FORMS = {
    "allocentric.where": Form(
        mc=_joined(*WHERE_MC, *WHERE_OPEN),
        open=_joined(*WHERE_OPEN),
        yesno={key: _joined(CLAIMS[key], MORE[key]) for key in WHERE},
        answers=WHERE,
        says=rf"{SAYS}.*\{{b\}}",
        never=r"left or right|left or to the right",
        claims={"front": "in front[?]", "right": "to the right[?]", "behind": "behind[?]", "left": "to the left[?]"},
    ),
    "allocentric.side": Form(
        mc=_joined(*SIDE),
        open=_joined(*SIDE),
        yesno={key: _joined(CLAIMS[key], MORE[key]) for key in ("left", "right")},
        answers={"left": "left", "right": "right"},
        says=rf"{SAYS}.*\{{b\}}.*left",
        never=r"in front|behind",
        claims={"right": "to the right[?]", "left": "to the left[?]"},
    ),
}

"""Standing at x and facing y (or turned away from it): in which of eight directions is z?"""

from __future__ import annotations

from pseudogd.vqa.phrasing import Form
from pseudogd.vqa.words.stance import SAYS, joined

SIDES = {
    "front": "front",
    "front_right": "front-right",
    "right": "right",
    "back_right": "back-right",
    "back": "back",
    "back_left": "back-left",
    "left": "left",
    "front_left": "front-left",
}
"""Clockwise from straight ahead."""
ASK_MC = (
    "in which of the eight directions around you is the {z}?",
    "which of eight directions around you is closest to that of the {z}?",
    "where is the {z}, if eight directions are told apart?",
)
ASK_OPEN = (
    "is the {z} to your front, front-right, right, back-right, back, back-left, left or front-left?",
    "where is the {z}: front, front-right, right, back-right, back, back-left, left or front-left?",
)
CLAIM = (
    "is the {z} to your %s, out of eight directions around you?",
    "of the eight directions around you, is %s the one closest to the {z}?",
)


def _form(stance: str) -> Form:
    says, never = SAYS[stance]
    return Form(
        mc=joined(stance, ASK_MC + ASK_OPEN),
        open=joined(stance, ASK_OPEN),
        yesno={key: joined(stance, [text.replace("%s", side) for text in CLAIM]) for key, side in SIDES.items()},
        answers=SIDES,
        says=rf"^(?=.*({says}))(?=.*(eight directions|back-right))",
        never=never,
        claims={key: rf"to your {side},|is {side} the" for key, side in SIDES.items()},
    )


FORMS = {f"octant.{stance}": _form(stance) for stance in ("facing", "away")}

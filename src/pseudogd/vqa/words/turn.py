"""Standing at x and facing y (or turned away from it): the turn that brings z straight ahead."""

from __future__ import annotations

from pseudogd.vqa.phrasing import Form
from pseudogd.vqa.words.stance import SAYS, joined

STEP = 10
"""Degrees to which a turn is rounded."""
WAYS = {"left": "turn left", "right": "turn right", "around": "turn around"}
ASK_WAY = (
    "do you turn left, right or around to face the {z}?",
    "which way do you turn to face the {z}: left, right or around?",
    "must you turn left, right or around to look at the {z}?",
)
CLAIM_WAY = {
    "left": ("do you turn to the left to face the {z}?", "must you turn to the left to look at the {z}?"),
    "right": ("do you turn to the right to face the {z}?", "must you turn to the right to look at the {z}?"),
    "around": ("do you turn around to face the {z}?", "must you turn around to look at the {z}?"),
}
ASK_ANGLE = (
    "by how many degrees, and which way, do you turn to face the {z}?",
    "which turn brings the {z} straight ahead, in degrees to the left or right?",
    "how many degrees left or right do you turn to face the {z}?",
)
TURNS = {
    str(sign * degrees): f"about {degrees} degrees to the {side}"
    for sign, side in ((-1, "left"), (1, "right"))
    for degrees in range(STEP, 180, STEP)
}


def _way(stance: str) -> Form:
    says, never = SAYS[stance]
    return Form(
        mc=joined(stance, ASK_WAY),
        open=joined(stance, ASK_WAY),
        yesno={way: joined(stance, tails) for way, tails in CLAIM_WAY.items()},
        answers=WAYS,
        says=rf"^(?=.*({says}))(?=.*left, right or around)",
        never=_never(never),
        claims={"left": r"to the left", "right": r"to the right", "around": r"turn around"},
    )


def _angle(stance: str) -> Form:
    says, never = SAYS[stance]
    return Form(
        mc=joined(stance, ASK_ANGLE),
        open=joined(stance, ASK_ANGLE),
        answers=TURNS,
        says=rf"^(?=.*({says}))(?=.*degrees)",
        never=_never(never),
    )


def _never(never: str) -> str:
    """The same, of the beginning alone: the end speaks of facing and looking at z."""
    return rf"({never}).*\{{y\}}|({never}) the \{{y\}}"


FORMS = {f"turn.way_{stance}": _way(stance) for stance in ("facing", "away")} | {
    f"turn.angle_{stance}": _angle(stance) for stance in ("facing", "away")
}

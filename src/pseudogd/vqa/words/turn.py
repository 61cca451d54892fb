"""Standing at x and facing y (or turned away from it): which way, and how far, does one turn to face z?"""

from __future__ import annotations

from pseudogd.vqa.phrasing import Form
from pseudogd.vqa.words.stance import SAYS, joined

WAYS = {"left": "turn left", "right": "turn right", "around": "turn around"}
ANGLES = tuple(range(20, 170, 10))
AMOUNTS = {f"{side}_{angle}": f"{angle} degrees left" for side in ("left",) for angle in ANGLES}
AMOUNTS |= {f"{side}_{angle}": f"{angle} degrees right" for side in ("right",) for angle in ANGLES}

ASK = (
    "must you turn left, right or around to face the {z}?",
    "do you turn left, right or around to face the {z}?",
)
CLAIM = {
    "left": ("must you turn left to face the {z}?", "is a left turn the way to face the {z}?"),
    "right": ("must you turn right to face the {z}?", "is a right turn the way to face the {z}?"),
    "around": ("must you turn all the way around to face the {z}?", "is turning around the way to face the {z}?"),
}
HOW_FAR = (
    "how far, roughly, and which way do you turn to face the {z}?",
    "which turn on the spot, roughly, makes you face the {z}?",
)


def _way(stance: str) -> Form:
    says, never = SAYS[stance]
    return Form(
        mc=joined(stance, ASK),
        open=joined(stance, ASK),
        yesno={key: joined(stance, texts) for key, texts in CLAIM.items()},
        answers=WAYS,
        says=rf"^(?=.*({says}))(?=.*left, right or)",
        never=never,
        claims={"left": r"\bleft\b", "right": r"\bright\b", "around": r"\baround\b"},
    )


def _amount(stance: str) -> Form:
    says, never = SAYS[stance]
    return Form(mc=joined(stance, HOW_FAR), answers=AMOUNTS, says=rf"^(?=.*({says}))(?=.*roughly)", never=never)


FORMS = {
    **{f"turn.way_{stance}": _way(stance) for stance in ("facing", "away")},
    **{f"turn.amount_{stance}": _amount(stance) for stance in ("facing", "away")},
}

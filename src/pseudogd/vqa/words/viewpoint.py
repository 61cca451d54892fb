"""Standing at x and facing y (or turned away from it): is a left or right of b?"""

from __future__ import annotations

from pseudogd.vqa.phrasing import Form
from pseudogd.vqa.words.stance import SAYS, joined

ASK = (
    "is the {a} to the left or to the right of the {b}?",
    "on which side of the {b} is the {a}, left or right?",
    "do you see the {a} left or right of the {b}?",
)
CLAIMS = {
    side: (f"is the {{a}} to the {side} of the {{b}}?", f"do you see the {{a}} to the {side} of the {{b}}?")
    for side in ("left", "right")
}


def _form(stance: str) -> Form:
    says, never = SAYS[stance]
    return Form(
        mc=joined(stance, ASK),
        open=joined(stance, ASK),
        yesno={side: joined(stance, tails) for side, tails in CLAIMS.items()},
        answers={"left": "left", "right": "right"},
        says=rf"^(?=.*({says}))(?=.*left or (to the )?right)",
        never=never,
        claims={side: rf"\{{a\}} to the {side} of the \{{b\}}" for side in CLAIMS},
    )


FORMS = {f"viewpoint.{stance}": _form(stance) for stance in ("facing", "away")}

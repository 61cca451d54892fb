"""Standing at x, facing y (or turned away from it) and turning on the spot: what comes straight ahead first?"""

from __future__ import annotations

from pseudogd.vqa.phrasing import Form
from pseudogd.vqa.words.stance import SAYS

BEGIN = {
    "facing": (
        "If you stand {at} {x}, face the {y} ",
        "Imagine you stand {at} {x}, look at the {y} ",
        "Suppose you stand {at} {x} facing the {y} ",
        "Say you stand {at} {x} and face the {y} ",
    ),
    "away": (
        "If you stand {at} {x}, face away from the {y} ",
        "Imagine you stand {at} {x} with your back to the {y} ",
        "Suppose you stand {at} {x} facing away from the {y} ",
        "Say you stand {at} {x} and face away from the {y} ",
    ),
}
ENDS = (
    "and turn %s on the spot: which comes straight ahead first, {list}?",
    "and turn to your %s: what reaches the middle of your view first, {list}?",
)


def _form(stance: str, side: str) -> Form:
    says, never = SAYS[stance]
    other = "left" if side == "right" else "right"
    texts = tuple(begin + end.replace("%s", side) for begin in BEGIN[stance] for end in ENDS)
    return Form(
        mc=texts, open=texts, says=rf"^(?=.*({says}))(?=.*turn (to your )?{side}\b.*first)", never=rf"{never}|{other}"
    )


FORMS = {
    f"first_seen.{stance}_{side}": _form(stance, side) for stance in ("facing", "away") for side in ("left", "right")
}

"""Standing at x, facing y (or turned away from it) and turning on the spot: what is met first?"""

from __future__ import annotations

from itertools import product

from pseudogd.vqa.phrasing import Form
from pseudogd.vqa.words.stance import SAYS

BEGIN = {
    "facing": (
        "You stand {at} {x} and face the {y}. ",
        "Standing {at} {x}, you look at the {y}. ",
        "Imagine that you stand {at} {x}, facing the {y}. ",
    ),
    "away": (
        "You stand {at} {x} with your back to the {y}. ",
        "Standing {at} {x}, you face away from the {y}. ",
        "Imagine that you stand {at} {x}, facing away from the {y}. ",
    ),
}
ASK = (
    "Turning %s on the spot, what do you face first: {list}?",
    "If you turn %s on the spot, which comes straight ahead first: {list}?",
    "You turn %s. Which is the first straight ahead of you: {list}?",
)


def _form(stance: str, way: str) -> Form:
    says, never = SAYS[stance]
    texts = tuple(begin + tail.replace("%s", way) for begin, tail in product(BEGIN[stance], ASK))
    other = "left" if way == "right" else "right"
    return Form(
        mc=texts,
        open=texts,
        says=rf"^(?=.*({says}))(?=.*[Tt]urn(ing)? {way}\b)(?=.*first)",
        never=rf"\b{other}\b|{never}",
    )


FORMS = {f"first_seen.{stance}_{way}": _form(stance, way) for stance in ("facing", "away") for way in ("left", "right")}

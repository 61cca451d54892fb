"""Standing at x and facing y (or turned away from it): in which of eight directions is z?"""

from __future__ import annotations

from pseudogd.vqa.phrasing import Form
from pseudogd.vqa.words.stance import SAYS, joined

DIRECTIONS = {
    "front": "front",
    "front_right": "front-right",
    "right": "right",
    "behind_right": "back-right",
    "behind": "back",
    "behind_left": "back-left",
    "left": "left",
    "front_left": "front-left",
}
ASK = (
    "in which of the eight directions from front to back is the {z}?",
    "which of the eight directions around you leads to the {z}?",
)
LIST = "front, front-right, right, back-right, back, back-left, left or front-left"
ASK_OPEN = (f"is the {{z}} {LIST}?", f"where is the {{z}}: {LIST}?")
CLAIM = (
    "is %s the one of the eight directions that leads to the {z}?",
    "of the eight directions around you, does %s lead to the {z}?",
)


def _form(stance: str) -> Form:
    says, never = SAYS[stance]
    return Form(
        mc=joined(stance, ASK),
        open=joined(stance, ASK_OPEN),
        yesno={key: joined(stance, [t.replace("%s", text) for t in CLAIM]) for key, text in DIRECTIONS.items()},
        answers=DIRECTIONS,
        says=rf"^(?=.*({says}))(?=.*(eight directions|front-right.*front-left))",
        never=never,
        claims={key: rf"(is {text} the one|does {text} lead)" for key, text in DIRECTIONS.items()},
    )


FORMS = {f"octant.{stance}": _form(stance) for stance in ("facing", "away")}

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
    "is the {z} to your %s, out of eight directions?",
    "does your %s lead to the {z}, out of eight directions?",
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
        claims={key: rf"(to your {text}, out|does your {text} lead)" for key, text in DIRECTIONS.items()},
    )


FORMS = {f"octant.{stance}": _form(stance) for stance in ("facing", "away")}

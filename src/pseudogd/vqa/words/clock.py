"""Standing at x and facing y (or turned away from it): at which hour is z?"""

from __future__ import annotations

from pseudogd.vqa.phrasing import Form
from pseudogd.vqa.words.stance import SAYS, joined

HOURS = tuple(str(hour) for hour in range(1, 13))
ASK = (
    "at which hour is the {z}, with 12 o'clock straight ahead?",
    "at which hour of a clock with 12 straight ahead is the {z}?",
    "in which clock direction is the {z}, if 12 o'clock is straight ahead?",
)
CLAIM = ("is the {z} at %s o'clock?", "is %s o'clock the direction of the {z}?")


def _form(stance: str) -> Form:
    says, never = SAYS[stance]
    return Form(
        mc=joined(stance, ASK),
        open=joined(stance, ASK),
        yesno={hour: joined(stance, [text.replace("%s", hour) for text in CLAIM]) for hour in HOURS},
        answers={hour: f"{hour} o'clock" for hour in HOURS},
        says=rf"^(?=.*({says}))(?=.*12)",
        never=never,
        claims={hour: rf"\b{hour} o'clock" for hour in HOURS},
    )


FORMS = {f"clock.{stance}": _form(stance) for stance in ("facing", "away")}

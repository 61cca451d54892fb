"""Where a is in the picture after the camera has turned on the spot by d, or moved by d without turning."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import product

from pseudogd.vqa.phrasing import Form

BEGIN = {
    "turned": (
        "If the camera turned {d} %s on the spot, ",
        "Suppose that the camera turns {d} %s without moving: ",
        "After the camera has turned {d} %s on the spot, ",
    ),
    "moved": (
        "If the camera moved {d} %s without turning, ",
        "Suppose that the camera moves {d} %s without turning: ",
        "After the camera has moved {d} %s, facing the same way, ",
    ),
    "to": (
        "If the camera moved level to the {x} without turning, ",
        "Suppose the camera moves level to the place of the {x} without turning: ",
        "After the camera moved level to the place of the {x} without turning, ",
    ),
}
TAILS = {
    "side": (
        "is the {a} left or right of the middle of the picture?",
        "in which half of the picture is the {a}, left or right?",
        "is the {a} in the left or in the right half?",
    ),
    "seen": (
        "is the {a} in the picture or outside of it?",
        "is the {a} inside or outside the borders of the picture?",
        "does the {a} stay in the picture or leave it?",
    ),
    "range": (
        "is the {a} nearer to the camera or farther than before?",
        "is the camera nearer to the {a} than before or farther?",
        "is the camera now nearer to the {a} or farther away?",
    ),
}
CLAIMS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "side": {
        "left": ("is the {a} in the left half of the picture?", "is the {a} left of the middle of the picture?"),
        "right": ("is the {a} in the right half of the picture?", "is the {a} right of the middle of the picture?"),
    },
    "seen": {
        "in": ("is the {a} still in the picture?", "does the {a} stay in the picture?"),
        "out": ("is the {a} outside the picture?", "does the {a} leave the picture?"),
    },
    "range": {
        "nearer": ("is the {a} nearer to the camera than before?", "is the camera nearer to the {a} than before?"),
        "farther": (
            "is the {a} farther from the camera than before?",
            "is the camera farther from the {a} than before?",
        ),
    },
}
PLACES = {
    "left": "left",
    "right": "right",
    "in": "in the picture",
    "out": "outside the picture",
    "nearer": "nearer",
    "farther": "farther",
}
MEANS = {
    "side": ("left or (in the )?right|left or right", r"picture or|nearer"),
    "seen": ("inside or outside|in the picture or", r"left or right|half|nearer"),
    "range": (r"nearer.* or |farther", r"half|in the picture"),
}
CLAIMED = {
    "left": r"\{a\} (be )?(in the left|left of)",
    "right": r"\{a\} (be )?(in the right|right of)",
    "in": r"still (be )?in|stay in",
    "out": r"outside|leave",
    "nearer": r"nearer",
    "farther": r"farther",
}


WOULD = (
    (r"^is the (\{a\}|camera) (still )?(?:now )?", r"would the \1 \2be "),
    (r"^does the (\{a\}) ", r"would the \1 "),
    (r"^in which half of the picture is the (\{a\})", r"in which half of the picture would the \1 be"),
)
"""What is only supposed is asked in the conditional."""


def _supposed(begin: str, tail: str) -> str:
    """Both parts of a question: "if the camera moved, would it be", but "after it has moved, is it"."""
    if begin.startswith("If "):
        for pattern, said in WOULD:
            tail = re.sub(pattern, said, tail)
    return begin + tail


def _form(kind: str, way: str, asked: str) -> Form:
    towards = way if way == "forward" else f"to the {way}"
    motion = rf"(turn|move)\w* \{{d\}} {towards}\b" if way != "to" else r"move\w* level to (the place of )?the \{x\}"
    begins = [text.replace("%s", towards) for text in BEGIN["to" if way == "to" else kind]]

    def joined(tails: Sequence[str]) -> tuple[str, ...]:
        return tuple(_supposed(begin, tail) for begin, tail in product(begins, tails))

    says, never = MEANS[asked]
    claims = CLAIMS[asked]
    return Form(
        mc=joined(TAILS[asked]),
        open=joined(TAILS[asked]),
        yesno={key: joined(tails) for key, tails in claims.items()},
        answers={key: PLACES[key] for key in claims},
        says=rf"^(?=.*{motion})(?=.*({says}))",
        never=never,
        claims={key: CLAIMED[key] for key in claims},
    )


_ASKED = [
    *(("turned", way, asked) for way in ("left", "right") for asked in ("side", "seen")),
    *(("moved", way, asked) for way in ("left", "right") for asked in ("side", "range")),
    ("moved", "forward", "seen"),
    *(("moved", "to", asked) for asked in ("side", "seen", "range")),
]
FORMS = {f"camera_move.{'_'.join(parts)}": _form(*parts) for parts in _ASKED}

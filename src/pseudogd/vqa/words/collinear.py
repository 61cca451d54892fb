"""Whether things stand in a straight line on the ground."""

from __future__ import annotations

from pseudogd.vqa.phrasing import Form, meant

THREE = (
    "Seen from above, are the {a}, the {b} and the {c} nearly in one straight line?",
    "On the ground plan of the scene, do the {a}, the {b} and the {c} stand nearly in line?",
    "Would one straight line on the ground run close by the {a}, the {b} and the {c}?",
    "Looking straight down on the scene, are the {a}, the {b} and the {c} lined up?",
    "Seen from straight above, do the {a}, the {b} and the {c} stand nearly in line?",
    "On the ground, do the {a}, the {b} and the {c} stand nearly in one straight line?",
)
BENT = (
    "Seen from above, is one of the {a}, the {b} and the {c} clearly off the line of the other two?",
    "On the ground plan of the scene, do the {a}, the {b} and the {c} form a clear triangle?",
)
WHICH = (
    "Seen from above, three of these are nearly in one straight line. Which one is not in line with them?",
    "On the ground plan of the scene, which of these is off the line that the other three form?",
    "Looking straight down on the scene, which of these is not lined up with the other three?",
    "One straight line on the ground runs close by three of these. Which one does it miss?",
)
WHICH_OPEN = (
    "Seen from above, which is not in line with the other three: {list}?",
    "On the ground plan of the scene, which is off the line that the other three form: {list}?",
    "Looking straight down on the scene, which is not lined up with the other three: {list}?",
    "One straight line on the ground runs close by three of these: {list}. Which one does it miss?",
)
SIDE = (
    "Seen from above, is the {b} on the camera's side of the line through the {a} and the {c}, or beyond it?",
    "A straight line on the ground runs through the {a} and the {c}. Is the {b} on the camera's side or beyond it?",
    "On the ground plan, is the {b} before the line through the {a} and the {c}, as the camera sees it, or beyond it?",
    "Looking straight down, does the line through the {a} and the {c} have the {b} on the camera's side or beyond it?",
)
SIDE_CLAIMS = {
    "near": (
        "Seen from above, is the {b} on the camera's side of the line through the {a} and the {c}?",
        "On the ground plan, are the {b} and the camera on the same side of the line through the {a} and the {c}?",
    ),
    "far": (
        "Seen from above, is the {b} beyond the line through the {a} and the {c}, away from the camera?",
        "On the ground plan, does the line through the {a} and the {c} part the {b} from the camera?",
    ),
}
FORMS = meant(
    {
        "collinear.three": Form(
            mc=THREE,
            open=THREE,
            yesno={"straight": THREE, "bent": BENT},
            answers={"straight": "yes, nearly in a straight line", "bent": "no, not in a straight line"},
        ),
        "collinear.which": Form(mc=WHICH, open=WHICH_OPEN),
        "collinear.side": Form(
            mc=SIDE,
            open=SIDE,
            yesno=SIDE_CLAIMS,
            answers={"near": "on the camera's side", "far": "beyond the line"},
        ),
    },
    {
        "collinear.three": (r"above|ground|down", "off the line|triangle|not"),
        "collinear.which": (r"not in line|off the line|not lined up|miss", "triangle"),
        "collinear.side": (r"through the \{a\} and the \{c\}.*beyond|beyond", "nearly|miss"),
    },
    straight=r"straight line|in line|lined up",
    bent=r"off the line|triangle",
    near=r"camera's side|same side",
    far=r"beyond|\bpart\b",
)

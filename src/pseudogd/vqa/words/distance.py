"""Distance in metres; the definition is in the words."""

from __future__ import annotations

from pseudogd.vqa.phrasing import Form, meant

_FORMS: dict[str, Form] = {
    "distance.camera": Form(
        mc=(
            "How far is the middle of the {a} from the camera?",
            "What is the distance from the camera to the middle of the {a}?",
            "How many meters is the middle of the {a} away from the camera?",
        ),
        open=(
            "How far is the middle of the {a} from the camera?",
            "What is the distance from the camera to the middle of the {a}?",
            "How many meters is the middle of the {a} away from the camera?",
        ),
    ),
    "distance.centre": Form(
        mc=(
            "How far is the middle of the {a} from the middle of the {b}?",
            "What is the distance between the middles of the {a} and the {b}?",
            "How many meters are between the middle of the {a} and the middle of the {b}?",
        ),
        open=(
            "How far is the middle of the {a} from the middle of the {b}?",
            "What is the distance between the middles of the {a} and the {b}?",
            "How many meters are between the middle of the {a} and the middle of the {b}?",
        ),
    ),
    "distance.gap": Form(
        mc=(
            "How wide is the gap between the closest parts of the {a} and the {b}?",
            "What is the distance between the closest parts of the {a} and the {b}?",
            "How many meters are between the closest parts of the {a} and the {b}?",
        ),
        open=(
            "How wide is the gap between the closest parts of the {a} and the {b}?",
            "What is the distance between the closest parts of the {a} and the {b}?",
            "How many meters are between the closest parts of the {a} and the {b}?",
        ),
    ),
}

_CAMERA = (
    "What is the straight-line distance between the camera and the middle of the {a}?",
    "Measured from the camera, how far away is the middle of the {a}?",
    "How many meters lie between the camera and the middle of the {a}?",
)
_CENTRE = (
    "Measured from middle to middle, how far apart are the {a} and the {b}?",
    "What is the straight-line distance from the middle of the {a} to the middle of the {b}?",
    "How many meters apart are the middles of the {a} and the {b}?",
)
_GAP = (
    "Between their closest parts, how far apart are the {a} and the {b}?",
    "What is the shortest distance between the closest parts of the {a} and the {b}?",
    "How many meters of space lie between the closest parts of the {a} and the {b}?",
)
MORE = {
    "distance.camera": Form(mc=_CAMERA, open=_CAMERA),
    "distance.centre": Form(mc=_CENTRE, open=_CENTRE),
    "distance.gap": Form(mc=_GAP, open=_GAP),
}
MEANINGS = {
    "distance.camera": (r"\bmiddle of the \{a\}.*camera|camera.*middle of the \{a\}", r"\{b\}|closest parts"),
    "distance.centre": (r"\bmiddles?\b", r"closest parts|camera|gap"),
    "distance.gap": (r"\bclosest parts\b", r"middle|camera"),
}
FORMS = meant(_FORMS, MEANINGS, MORE)

"""Nearer / farther, from the camera."""

from __future__ import annotations

from pseudogd.vqa.phrasing import FAR, NEAR, Form, many, meant, pair

_FORMS: dict[str, Form] = {
    "nearer.pair_near": pair(
        "Which is closer to the camera, the {a} or the {b}?",
        "Which is nearer to the camera, the {a} or the {b}?",
        "Which one has the smaller distance to the camera, the {a} or the {b}?",
        claim=(
            "Is the {a} closer to the camera than the {b}?",
            "Is the {a} nearer to the camera than the {b}?",
            "Compared with the {b}, is the {a} closer to the camera?",
        ),
    ),
    "nearer.pair_far": pair(
        "Which is farther from the camera, the {a} or the {b}?",
        "Which is more distant from the camera, the {a} or the {b}?",
        "Which one has the larger distance to the camera, the {a} or the {b}?",
        claim=(
            "Is the {a} farther from the camera than the {b}?",
            "Is the {a} more distant from the camera than the {b}?",
            "Compared with the {b}, is the {a} farther from the camera?",
        ),
    ),
    "nearer.nearest": many(
        (
            "Which of these is closest to the camera?",
            "Which of these is nearest to the camera?",
            "Which of these has the smallest distance to the camera?",
        ),
        (
            "Which is closest to the camera: {list}?",
            "Which is nearest to the camera: {list}?",
            "Which has the smallest distance to the camera: {list}?",
        ),
    ),
    "nearer.farthest": many(
        (
            "Which of these is farthest from the camera?",
            "Which of these is most distant from the camera?",
            "Which of these has the largest distance to the camera?",
        ),
        (
            "Which is farthest from the camera: {list}?",
            "Which is most distant from the camera: {list}?",
            "Which has the largest distance to the camera: {list}?",
        ),
    ),
}

_NEAR = (
    "Of the {a} and the {b}, which is closer to the camera?",
    "Which lies at the smaller distance from the camera, the {a} or the {b}?",
    "Seen from the camera, which of the two is nearer, the {a} or the {b}?",
)
_FAR = (
    "Of the {a} and the {b}, which is farther from the camera?",
    "Seen from the camera, which of the two is more distant, the {a} or the {b}?",
    "Which lies at the larger distance from the camera, the {a} or the {b}?",
)
_NEAREST = (
    "Which of the following is nearest to the camera?",
    "Measured from the camera, which of these is closest?",
    "From the camera, which of these is at the smallest distance?",
)
_FARTHEST = (
    "Which of the following is farthest from the camera?",
    "Measured from the camera, which of these is most distant?",
    "From the camera, which of these is at the largest distance?",
)
_OF = "Of these, which is {most} the camera: {{list}}?"
MORE = {
    "nearer.pair_near": Form(
        mc=_NEAR,
        open=_NEAR,
        yesno={
            "a": (
                "Seen from the camera, is the {a} nearer than the {b}?",
                "Is the {a} closer to the camera than the {b} is?",
            )
        },
    ),
    "nearer.pair_far": Form(
        mc=_FAR,
        open=_FAR,
        yesno={
            "a": (
                "Seen from the camera, is the {a} farther away than the {b}?",
                "Is the {a} farther from the camera than the {b} is?",
            )
        },
    ),
    "nearer.nearest": Form(mc=_NEAREST, open=(_OF.format(most="nearest to"), _OF.format(most="closest to"))),
    "nearer.farthest": Form(
        mc=_FARTHEST, open=(_OF.format(most="farthest from"), _OF.format(most="most distant from"))
    ),
}
MEANINGS = {
    "nearer.pair_near": (NEAR, FAR),
    "nearer.pair_far": (FAR, NEAR),
    "nearer.nearest": (NEAR, FAR),
    "nearer.farthest": (FAR, NEAR),
}
FORMS = meant(_FORMS, MEANINGS, MORE)

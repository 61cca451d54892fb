"""Direction, as the camera sees it."""

from __future__ import annotations

from pseudogd.vqa.phrasing import Form, meant

_FORMS: dict[str, Form] = {
    "direction.side": Form(
        mc=(
            "Seen from the camera, is the {a} to the left or to the right of the {b}?",
            "On which side of the {b} is the {a}, seen from the camera?",
            "From the camera, which side of the {b} is the {a} on?",
        ),
        open=(
            "Seen from the camera, is the {a} to the left or to the right of the {b}?",
            "On which side of the {b} is the {a}, left or right, seen from the camera?",
            "From the camera, is the {a} left or right of the {b}?",
        ),
        yesno={
            "left": (
                "Seen from the camera, is the {a} to the left of the {b}?",
                "From the camera, is the {a} on the left side of the {b}?",
                "From the camera, is the {a} left of the {b}?",
            ),
            "right": (
                "Seen from the camera, is the {a} to the right of the {b}?",
                "From the camera, is the {a} on the right side of the {b}?",
                "From the camera, is the {a} right of the {b}?",
            ),
        },
        answers={"left": "left", "right": "right"},
    ),
    "direction.height": Form(
        mc=(
            "Is the {a} higher or lower in the scene than the {b}?",
            "In the scene, is the {a} in a higher or a lower place than the {b}?",
            "Seen in space, is the {a} higher or lower than the {b}?",
        ),
        open=(
            "Is the {a} higher or lower in the scene than the {b}?",
            "Compared with the {b}, is the {a} higher or lower in the scene?",
            "Seen in space, is the {a} higher or lower than the {b}?",
        ),
        yesno={
            "higher": (
                "Is the {a} higher in the scene than the {b}?",
                "In the scene, is the {a} above the height of the {b}?",
                "Compared with the {b}, is the {a} higher in the scene?",
            ),
            "lower": (
                "Is the {a} lower in the scene than the {b}?",
                "In the scene, is the {a} below the height of the {b}?",
                "Compared with the {b}, is the {a} lower in the scene?",
            ),
        },
        answers={"higher": "higher", "lower": "lower"},
    ),
    "direction.quadrant": Form(
        mc=(
            "Seen from the camera, where is the {a} compared with the {b}?",
            "From the camera, where is the {a} if you start at the {b}?",
            "Compared with the {b}, on which side and how near to the camera is the {a}?",
        ),
        answers={
            "left_near": "left and closer",
            "left_far": "left and farther",
            "right_near": "right and closer",
            "right_far": "right and farther",
        },
    ),
}

MORE = {
    "direction.side": Form(
        mc=("In the camera's view, which side of the {b} is the {a} on?",),
        open=("In the camera's view, is the {a} to the left or the right of the {b}?",),
        yesno={
            "left": ("In the camera's view, does the {a} lie to the left of the {b}?",),
            "right": ("In the camera's view, does the {a} lie to the right of the {b}?",),
        },
    ),
    "direction.height": Form(
        mc=("Measured from the ground up, is the {a} higher or lower than the {b}?",),
        open=("Measured from the ground up, is the {a} higher or lower than the {b}?",),
        yesno={
            "higher": ("Measured from the ground up, is the {a} higher than the {b}?",),
            "lower": ("Measured from the ground up, is the {a} lower than the {b}?",),
        },
    ),
    "direction.quadrant": Form(
        mc=(
            "Seen from the camera, on which side of the {b} is the {a}, and is its distance smaller or larger?",
            "In the camera's view, how does the place of the {a} compare with that of the {b}?",
            "From the camera, to which side of the {b} and at which distance is the {a}?",
            "Looking from the camera, where does the {a} lie relative to the {b}?",
            "From the camera's point of view, where do you find the {a}, starting from the {b}?",
        ),
    ),
}
MEANINGS = {
    "direction.side": (r"\b(side|left|right)\b", r"height|higher|lower"),
    "direction.height": (r"\b(higher|lower|above|below)\b", r"\b(left|right|wid)"),
    "direction.quadrant": (r"\bcamera\b", r"left|right|closer|farther"),
}
FORMS = meant(
    _FORMS,
    MEANINGS,
    MORE,
    left=r"\bleft\b",
    right=r"\bright\b",
    higher=r"\b(higher|above)\b",
    lower=r"\b(lower|below)\b",
)

"""Two surfaces at marked points: parallel, perpendicular or neither."""

from __future__ import annotations

from pseudogd.vqa.phrasing import Form, meant

KINDS = {"parallel": "parallel", "perpendicular": "perpendicular", "neither": "neither"}
PAIR = (
    "Are the surfaces at the points {p} and {q} (x, y in percent of the picture) parallel, perpendicular or neither?",
    "How do the surfaces at {p} and {q} (x, y in percent) lie in space: parallel, perpendicular or neither?",
    "In the real scene, are the surfaces seen at {p} and {q} (x, y in percent) parallel, perpendicular or neither?",
    "Take the surfaces at {p} and {q} (x, y in percent): are they parallel, perpendicular or neither in space?",
)
LIE = (
    "How do the surfaces at the points {p} and {q} (x, y in percent of the picture) lie to one another in space?",
    "At which kind of angle do the surfaces at {p} and {q} (x, y in percent) stand to one another in space?",
    "In the real scene, how are the surfaces seen at {p} and {q} (x, y in percent) oriented to one another?",
    "Take the surfaces at {p} and {q} (x, y in percent): how do they lie to one another in the real scene?",
)
"""With the options below them, which may be two of the three kinds."""
CLAIMS = {
    "parallel": (
        "Are the surfaces at the points {p} and {q} (x, y in percent of the picture) parallel in space?",
        "In the real scene, is the surface at {p} parallel to the one at {q} (x, y in percent)?",
    ),
    "perpendicular": (
        "Are the surfaces at the points {p} and {q} (x, y in percent of the picture) perpendicular in space?",
        "In the real scene, is the surface at {p} at a right angle to the one at {q} (x, y in percent)?",
    ),
    "neither": (
        "Are the surfaces at the points {p} and {q} (x, y in percent of the picture) at an oblique angle in space?",
        "In the real scene, does the surface at {p} make an oblique angle with the one at {q} (x, y in percent)?",
    ),
}
WHICH = (
    "Which point (x, y in percent of the picture) is on a surface <it> the one at {p}?",
    "Which point (x, y in percent of the picture) lies on a surface that is <it> the surface at {p}?",
    "Points are (x, y) in percent of the picture: at which is the surface <it> the one at {p} in space?",
    "Compare with the surface at {p} (x, y in percent of the picture): which point is on a surface <it> it?",
    "Which point (x, y in percent of the picture) marks a surface that runs <it> the one at {p} in the real scene?",
    "In the real scene, which point (x, y in percent of the picture) is on a surface <it> that at {p}?",
    "Which of these points (x, y in percent of the picture) belongs to a surface <it> the one seen at {p}?",
    "Look for a surface <it> the one at {p}. Which point (x, y in percent of the picture) is on it?",
)


def _which(phrase: str) -> Form:
    return Form(mc=tuple(stem.replace("<it>", phrase) for stem in WHICH))


SQUARE = r"perpendicular|right angle"
FORMS = meant(
    {
        "planes.pair": Form(mc=LIE, open=PAIR, yesno=CLAIMS, answers=KINDS),
        "planes.which_parallel": _which("parallel to"),
        "planes.which_perpendicular": _which("perpendicular to"),
    },
    {
        "planes.pair": (r"parallel, perpendicular or neither|to one another", r"right angle"),
        "planes.which_parallel": ("parallel to", SQUARE),
        "planes.which_perpendicular": (SQUARE, "parallel"),
    },
    parallel=r"\bparallel\b",
    perpendicular=SQUARE,
    neither="oblique angle",
)

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

MEANINGS = {
    "nearer.pair_near": (NEAR, FAR),
    "nearer.pair_far": (FAR, NEAR),
    "nearer.nearest": (NEAR, FAR),
    "nearer.farthest": (FAR, NEAR),
}
FORMS = meant(_FORMS, MEANINGS)

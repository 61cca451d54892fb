"""Which marked surface faces the camera most or least directly."""

from __future__ import annotations

from pseudogd.vqa.phrasing import Form, meant

PHRASES = {
    "most": ("faces the camera most directly", "is seen most nearly straight on by the camera"),
    "least": ("faces the camera least directly", "is seen most nearly edge-on by the camera"),
}
MC = (
    "Which point (x, y in percent of the picture) is on the surface that <it>?",
    "Points are (x, y) in percent of the picture: which lies on the surface that <it>?",
    "Look at the surfaces at these points (x, y in percent of the picture): which one <it>?",
    "Which of these points (x, y in percent of the picture) marks the surface that <it>?",
)
OPEN = (
    "Which of {points} (x, y in percent of the picture) is on the surface that <it>?",
    "Which surface <it>, the one at {points} (x, y in percent of the picture)?",
)


def _form(name: str) -> Form:
    mc, open_ = (tuple(s.replace("<it>", phrase) for phrase in PHRASES[name] for s in stems) for stems in (MC, OPEN))
    return Form(mc=mc, open=open_)


MOST, LEAST = "most directly|straight on", "least directly|edge-on"
FORMS = meant(
    {f"faces_camera.{name}": _form(name) for name in PHRASES},
    {"faces_camera.most": (MOST + ".*camera", LEAST), "faces_camera.least": (LEAST, MOST)},
)

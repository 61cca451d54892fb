"""Whether a surface is level, vertical or sloped."""

from __future__ import annotations

from pseudogd.vqa.phrasing import Form, meant

KINDS = {"level": "level", "vertical": "vertical", "sloped": "sloped"}
AT = (
    "Is the surface at the point {p} (x, y in percent of the picture) level, vertical or sloped?",
    "In the real scene, is the surface seen at {p} (x, y in percent of the picture) level, vertical or sloped?",
    "How does the surface at {p} (x, y in percent of the picture) lie in space: level, vertical or sloped?",
    "Look at the point {p} (x, y in percent of the picture): is the surface there level, vertical or sloped?",
)
LIES = (
    "How does the surface at the point {p} (x, y in percent of the picture) lie in space?",
    "In the real scene, how is the surface seen at {p} (x, y in percent of the picture) oriented?",
    "What is the surface at {p} (x, y in percent of the picture) like in the real scene?",
    "Look at the point {p} (x, y in percent of the picture): how does the surface there lie in space?",
)
"""With the options below them, which may be two of the three kinds."""
CLAIMS = {
    "level": (
        "Is the surface at the point {p} (x, y in percent of the picture) level in the real scene?",
        "Does the surface at {p} (x, y in percent of the picture) lie flat, that is, is it level?",
    ),
    "vertical": (
        "Is the surface at the point {p} (x, y in percent of the picture) vertical in the real scene?",
        "Does the surface at {p} (x, y in percent of the picture) stand upright, that is, is it vertical?",
    ),
    "sloped": (
        "Is the surface at the point {p} (x, y in percent of the picture) sloped in the real scene?",
        "Does the surface at {p} (x, y in percent of the picture) slant, that is, is it clearly sloped?",
    ),
}
WHICH = (
    "Which point (x, y in percent of the picture) is on a <it> surface?",
    "Which point (x, y in percent of the picture) lies on a surface that is <it> in the real scene?",
    "Points are (x, y) in percent of the picture: at which is the surface <it>?",
    "At which point (x, y in percent of the picture) is the real surface <it>?",
)
PHRASES = {"level": ("level", "flat and level"), "vertical": ("vertical", "fully vertical")}


def _which(kind: str) -> Form:
    return Form(mc=tuple(stem.replace("<it>", phrase) for phrase in PHRASES[kind] for stem in WHICH))


FORMS = meant(
    {
        "slope.at": Form(mc=LIES, open=AT, yesno=CLAIMS, answers=KINDS),
        "slope.which_level": _which("level"),
        "slope.which_vertical": _which("vertical"),
    },
    {
        "slope.at": (r"level, vertical or sloped|[Hh]ow (does|is) the surface|What is the surface", "which"),
        "slope.which_level": ("level", "vertical|sloped"),
        "slope.which_vertical": ("vertical", "level|sloped"),
    },
    level=r"\blevel\b",
    vertical=r"\bvertical\b",
    sloped=r"\bsloped\b",
)

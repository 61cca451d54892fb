"""Where the floor is free beside things."""

from __future__ import annotations

from pseudogd.vqa.phrasing import FAR, NEAR, Form, meant

POINT = "point (x, y in percent of the picture)"
PHRASES = {
    "next": "less than {d} from the {a}",
    "behind": "directly behind the {a}, seen from the camera",
    "front": "directly in front of the {a}, seen from the camera",
    "between": "between the {a} and the {b}",
}
STEMS = (
    f"Which {POINT} is on free floor <it>?",
    f"Which {POINT} is a bare spot of floor <it>?",
    f"At which {POINT} is there empty floor <it>?",
    f"Which {POINT} marks unoccupied floor <it>?",
    "Where (x, y in percent of the picture) is there room on the floor <it>?",
)
OPEN = (
    f"What {POINT} is on free floor <it>?",
    f"What {POINT} is a bare spot of floor <it>?",
    "Where (x, y in percent of the picture) could something stand on the floor <it>?",
)
MEANINGS = {
    "next": (r"less than \{d\} from the \{a\}", "behind|front|between"),
    "behind": (r"directly behind the \{a\}.*camera", "front|between"),
    "front": (r"directly in front of the \{a\}.*camera", "behind|between"),
    "between": (r"between the \{a\} and the \{b\}", "behind|front"),
}


def _asked(stems: tuple[str, ...], phrase: str) -> tuple[str, ...]:
    return tuple(stem.replace("<it>", phrase) for stem in stems)


FORMS = meant(
    {
        f"free_space.{name}": Form(mc=_asked(STEMS, phrase), open=_asked(OPEN, phrase))
        for name, phrase in PHRASES.items()
    },
    {f"free_space.{name}": (says, f"{never}|{NEAR}|{FAR}") for name, (says, never) in MEANINGS.items()},
)

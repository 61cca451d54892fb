"""Questions to which the honest answer may be that the picture does not tell."""

from __future__ import annotations

from pseudogd.vqa.phrasing import Form, meant

CANNOT = "It cannot be told from this picture"
OR_NOT = ", or can it not be told from this picture?"


def _pairs(more: str, measure: str) -> tuple[str, ...]:
    return (
        f"Which is really {more}, the {{a}} or the {{b}}{OR_NOT}",
        f"In its full size, which one is {more}: the {{a}} or the {{b}}{OR_NOT}",
        f"Does the {{a}} or the {{b}} have the greater real {measure}{OR_NOT}",
        f"Counting also what is outside the picture, is the {{a}} or the {{b}} {more}{OR_NOT}",
        f"With the parts outside the picture included, which is {more}, the {{a}} or the {{b}}{OR_NOT}",
        f"Taken as a whole, which has the greater real {measure}, the {{a}} or the {{b}}{OR_NOT}",
        f"Of the {{a}} and the {{b}}, which is {more} in real size{OR_NOT}",
        f"Which one would be {more} if both were seen whole, the {{a}} or the {{b}}{OR_NOT}",
    )


BEHIND = (
    "Is the floor right behind the {a}, seen from the camera, free" + OR_NOT,
    "From where the camera is, is there free floor right behind the {a}" + OR_NOT,
    "Could one put something on the floor right behind the {a}, seen from the camera" + OR_NOT,
    "Is nothing standing on the floor right behind the {a}, seen from the camera" + OR_NOT,
    "As the camera sees it, is the floor right behind the {a} empty" + OR_NOT,
    "Looking from the camera, is the floor right behind the {a} free of things" + OR_NOT,
    "Is there room for something on the floor right behind the {a}, seen from the camera" + OR_NOT,
    "Seen from the camera, is the patch of floor right behind the {a} unoccupied" + OR_NOT,
)
METERS = (
    "How many meters is it from the {a} to the {b}, middle to middle" + OR_NOT,
    "What is the distance in meters between the middles of the {a} and the {b}" + OR_NOT,
    "In meters, how far apart are the middles of the {a} and the {b}" + OR_NOT,
    "From middle to middle, how many meters apart are the {a} and the {b}" + OR_NOT,
    "How many meters lie between the middles of the {a} and the {b}" + OR_NOT,
    "How many meters is the middle of the {a} from the middle of the {b}" + OR_NOT,
    "How many meters of distance separate the middles of the {a} and the {b}" + OR_NOT,
    "Measured between their middles, how many meters apart are the {a} and the {b}" + OR_NOT,
)
FACING = (
    "Does the front of the {a} point toward the camera, away, left or right" + OR_NOT,
    "Which way does the front of the {a} face as the camera sees it" + OR_NOT,
    "Seen from the camera, where does the front of the {a} point" + OR_NOT,
    "Is the {a} facing the camera, facing away or turned to one side" + OR_NOT,
    "As seen from the camera, which way is the {a} facing" + OR_NOT,
    "In the camera's view, in which direction does the front of the {a} point" + OR_NOT,
    "Does the camera see the {a} facing toward it, away from it, left or right" + OR_NOT,
    "Toward the camera, away, left or right: where does the front of the {a} point" + OR_NOT,
)
TOLD = "can it not be told"
FORMS = meant(
    {
        "cannot_tell.taller": Form(mc=_pairs("taller", "height"), open=_pairs("taller", "height")),
        "cannot_tell.wider": Form(mc=_pairs("wider", "width"), open=_pairs("wider", "width")),
        "cannot_tell.behind": Form(
            mc=BEHIND, open=BEHIND, answers={"free": "yes, the floor there is free", "cannot": CANNOT}
        ),
        "cannot_tell.meters": Form(mc=METERS, open=METERS),
        "cannot_tell.facing": Form(
            mc=FACING,
            open=FACING,
            answers={
                "toward": "toward the camera",
                "away": "away from the camera",
                "left": "to the left",
                "right": "to the right",
                "cannot": CANNOT,
            },
        ),
    },
    {
        "cannot_tell.taller": (rf"(taller|height).*{TOLD}", "wider|width"),
        "cannot_tell.wider": (rf"(wider|width).*{TOLD}", "taller|height"),
        "cannot_tell.behind": (rf"floor right behind.*{TOLD}", "front"),
        "cannot_tell.meters": (rf"meters.*{TOLD}", "closest"),
        "cannot_tell.facing": (rf"(face|facing|front).*{TOLD}", "behind"),
    },
)

"""Real size, not size in the picture."""

from __future__ import annotations

from pseudogd.vqa.phrasing import Form, many, meant, pair

_FORMS: dict[str, Form] = {
    "size.taller": pair(
        "Which is taller in real size, the {a} or the {b}?",
        "Which one has the larger real height, the {a} or the {b}?",
        "Which is really taller, the {a} or the {b}?",
        claim=(
            "Is the {a} taller in real size than the {b}?",
            "Is the real height of the {a} larger than that of the {b}?",
            "Is the {a} really taller than the {b}?",
        ),
    ),
    "size.shorter": pair(
        "Which is shorter in real size, the {a} or the {b}?",
        "Which one has the smaller real height, the {a} or the {b}?",
        "Which is really shorter, the {a} or the {b}?",
        claim=(
            "Is the {a} shorter in real size than the {b}?",
            "Is the real height of the {a} smaller than that of the {b}?",
            "Is the {a} really shorter than the {b}?",
        ),
    ),
    "size.wider": pair(
        "Which is wider from left to right in real size, the {a} or the {b}?",
        "Which one has the larger real width from left to right, the {a} or the {b}?",
        "Which is really wider from left to right, the {a} or the {b}?",
        claim=(
            "Is the {a} wider from left to right in real size than the {b}?",
            "Is the real width of the {a} from left to right larger than that of the {b}?",
            "Is the {a} really wider from left to right than the {b}?",
        ),
    ),
    "size.narrower": pair(
        "Which is narrower from left to right in real size, the {a} or the {b}?",
        "Which one has the smaller real width from left to right, the {a} or the {b}?",
        "Which is really narrower from left to right, the {a} or the {b}?",
        claim=(
            "Is the {a} narrower from left to right in real size than the {b}?",
            "Is the real width of the {a} from left to right smaller than that of the {b}?",
            "Is the {a} really narrower from left to right than the {b}?",
        ),
    ),
    "size.larger": pair(
        "Which is larger in real size, the {a} or the {b}?",
        "Which one is really larger, the {a} or the {b}?",
        "Which one is both taller and wider in real size, the {a} or the {b}?",
        claim=(
            "Is the {a} larger in real size than the {b}?",
            "Is the {a} really larger than the {b}?",
            "Is the {a} both taller and wider in real size than the {b}?",
        ),
    ),
    "size.smaller": pair(
        "Which is smaller in real size, the {a} or the {b}?",
        "Which one is really smaller, the {a} or the {b}?",
        "Which one is both shorter and narrower in real size, the {a} or the {b}?",
        claim=(
            "Is the {a} smaller in real size than the {b}?",
            "Is the {a} really smaller than the {b}?",
            "Is the {a} both shorter and narrower in real size than the {b}?",
        ),
    ),
    "size.tallest": many(
        (
            "Which of these is tallest in real size?",
            "Which of these has the largest real height?",
            "Which of these is really the tallest?",
        ),
        (
            "Which is tallest in real size: {list}?",
            "Which has the largest real height: {list}?",
            "Which is really the tallest: {list}?",
        ),
    ),
}


def _more(compared: str) -> Form:
    texts = (
        f"In the real world, which of the two is {compared}, the {{a}} or the {{b}}?",
        f"Whatever their size in the picture, which is {compared} in real size, the {{a}} or the {{b}}?",
    )
    claim = (f"In real size, is the {{a}} {compared} than the {{b}}?",)
    return Form(mc=texts, open=texts, yesno={"a": claim})


MORE = {
    "size.taller": _more("taller"),
    "size.shorter": _more("shorter"),
    "size.wider": _more("wider from left to right"),
    "size.narrower": _more("narrower from left to right"),
    "size.larger": _more("larger"),
    "size.smaller": _more("smaller"),
    "size.tallest": Form(
        mc=(
            "In the real world, which of these is tallest?",
            "Whatever their size in the picture, which of these is really the tallest?",
        ),
        open=("In the real world, which is tallest: {list}?",),
    ),
}
MEANINGS = {
    "size.taller": (r"taller|larger real height|real height.*larger", r"shorter|smaller|wid|narrow"),
    "size.shorter": (r"shorter|smaller real height|real height.*smaller", r"taller|larger|wid|narrow"),
    "size.wider": (r"wider|larger real width|real width.*larger", r"narrower|smaller|tall|height"),
    "size.narrower": (r"narrower|smaller real width|real width.*smaller", r"wider|larger|tall|height"),
    "size.larger": (r"larger|taller and wider", r"smaller|shorter|narrower"),
    "size.smaller": (r"smaller|shorter and narrower", r"larger|taller|wider"),
    "size.tallest": (r"tallest|largest real height", r"wid|small|short"),
}
FORMS = meant(_FORMS, MEANINGS, MORE)

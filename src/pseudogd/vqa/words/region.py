"""Which box, quarter or coordinate of the picture holds the thing that meets a condition in space."""

from __future__ import annotations

from pseudogd.vqa.phrasing import Form, meant
from pseudogd.vqa.words.conditions import CONDITIONS, MEANINGS, asked

UNITS = {100: "in percent of the picture", 1000: "on a scale from 0 to 1000"}
QUARTERS = {
    "upper_left": "upper left",
    "upper_right": "upper right",
    "lower_left": "lower left",
    "lower_right": "lower right",
}
BOX = (
    "Which box [x0, y0, x1, y1] ({units}) contains the one of these that <it>: {list}?",
    "What box [x0, y0, x1, y1], {units}, is around the one of these that <it>: {list}?",
    "One of these <it>: {list}. Which box [x0, y0, x1, y1] ({units}) contains it?",
    "Take whichever <it>: {list}. What box [x0, y0, x1, y1] ({units}) encloses it?",
)
QUARTER = (
    "Which quarter of the picture contains the one of these that <it>: {list}?",
    "In which quarter of the picture is the one of these that <it>: {list}?",
    "One of these <it>: {list}. Which quarter of the picture contains it?",
    "Take whichever <it>: {list}. In which quarter of the picture is it?",
)
COORDINATE = (
    "Which coordinate (x, y from 0 to 1) lies on the one of these that <it>: {list}?",
    "What coordinate (x, y from 0 to 1) is inside the one of these that <it>: {list}?",
    "One of these <it>: {list}. Which coordinate (x, y from 0 to 1) lies on it?",
    "Take whichever <it>: {list}. What coordinate (x, y from 0 to 1) is inside it?",
)
CLAIM = (
    "Is the one of these that <it> in the {} quarter of the picture: {{list}}?",
    "One of these <it>: {{list}}. Is it in the {} quarter of the picture?",
)


def _forms() -> dict[str, Form]:
    forms = {}
    for name in CONDITIONS:
        box, where = asked(name, BOX), asked(name, COORDINATE)
        forms[f"region.box_{name}"] = Form(mc=box, open=box)
        forms[f"region.quarter_{name}"] = Form(
            mc=asked(name, QUARTER),
            open=asked(name, QUARTER),
            yesno={key: asked(name, [claim.format(text) for claim in CLAIM]) for key, text in QUARTERS.items()},
            answers=QUARTERS,
        )
        forms[f"region.coordinate_{name}"] = Form(mc=where, open=where)
    return forms


FORMS = meant(
    _forms(),
    {
        f"region.{target}_{name}": (says, never)
        for target in ("box", "quarter", "coordinate")
        for name, (says, never) in MEANINGS.items()
    },
    None,
    **{key: rf"\b{text} quarter" for key, text in QUARTERS.items()},
)

"""How many of the listed things fulfil a condition."""

from __future__ import annotations

from pseudogd.vqa.phrasing import Form, meant

NUMBERS = ("0", "1", "2", "3", "4")
# form -> (what the things are, said of some; the same as a whole clause in front)
CONDITIONS = {
    "nearer": "closer to the camera than the {a}",
    "farther": "farther from the camera than the {a}",
    "left": "to the left of the {a}, seen from the camera",
    "right": "to the right of the {a}, seen from the camera",
    "higher": "higher in the real scene than the {a}",
    "within": "within {d} of the {a}, from middle to middle",
}
_CLAIMS = {
    "0": ("Are none of these {said}: {{list}}?", "Of {{list}}, is it true that none are {said}?"),
    "1": ("Is exactly one of these {said}: {{list}}?", "Of {{list}}, is it true that exactly one is {said}?"),
    "2": ("Are exactly two of these {said}: {{list}}?", "Of {{list}}, is it true that exactly two are {said}?"),
    "3": ("Are exactly three of these {said}: {{list}}?", "Of {{list}}, is it true that exactly three are {said}?"),
    "4": ("Are exactly four of these {said}: {{list}}?", "Of {{list}}, is it true that exactly four are {said}?"),
}


def _form(said: str) -> Form:
    asked = (
        f"How many of these are {said}: {{list}}?",
        f"Of {{list}}, how many are {said}?",
        f"What is the number of things that are {said}, among {{list}}?",
        f"Looking only at {{list}}, how many of them are {said}?",
    )
    claims = {number: tuple(text.format(said=said) for text in texts) for number, texts in _CLAIMS.items()}
    return Form(mc=asked, open=asked, yesno=claims, answers={number: number for number in NUMBERS})


_MEANINGS = {
    "nearer": (r"closer to the camera than", r"farther|\bleft\b|\bright\b|higher|within"),
    "farther": (r"farther from the camera than", r"closer|\bleft\b|\bright\b|higher|within"),
    "left": (r"to the left of .* seen from the camera", r"closer|farther|\bright\b|higher|within"),
    "right": (r"to the right of .* seen from the camera", r"closer|farther|\bleft\b|higher|within"),
    "higher": (r"higher in the real scene than", r"closer|farther|\bleft\b|\bright\b|within"),
    "within": (r"within \{d\} of the \{a\}, from middle to middle", r"closer|farther|\bleft\b|\bright\b|higher"),
}
FORMS = meant(
    {f"counting.{name}": _form(said) for name, said in CONDITIONS.items()},
    {f"counting.{name}": meaning for name, meaning in _MEANINGS.items()},
    None,
    **{number: word for number, word in zip(NUMBERS, (r"\bnone\b", r"\bone\b", r"\btwo\b", r"\bthree\b", r"\bfour\b"))},
)

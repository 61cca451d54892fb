"""What a wording is, and how names, numbers and places are written. The wordings themselves belong to the tasks.

A *form* is named ``task.form`` (``"nearer.pair_near"``) and holds the wordings of one kind of fact in up to three
formats: ``mc`` (options follow in the text), ``open`` (short free answer) and ``yesno`` (one list of wordings for each
value that may be claimed). Placeholders are object names or numbers; names are written without an article, the wordings
add "the". Each wording is exactly one question and names its frame or definition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

LETTERS = "ABCD"
YES, NO = "yes", "no"
METRE = "m"
NEAR = r"\b(closer|nearer|closest|nearest|smaller|smallest)\b"
FAR = r"\b(farther|more distant|farthest|most distant|larger|largest)\b"


@dataclass(frozen=True)
class Form:
    """Wordings of one kind of fact. ``answers`` maps fixed values to answer text; other values are names or numbers.

    ``more`` holds further wordings of the same formats, for students whose vocabulary is not that of a toy; its other
    fields are not read. ``says`` and ``never`` are patterns that each question, with its object names left out as
    ``{a}``, must and must not match (``claims``: the same of the yes/no wordings of one value): what a wording means is
    checked, not trusted.
    """

    mc: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    yesno: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)
    more: Form | None = None
    says: str = ""
    never: str = ""
    claims: Mapping[str, str] = field(default_factory=dict)

    def ask(self, fmt: str, claim: str | None = None, *, plain: bool = False) -> tuple[str, ...]:
        """Wordings of a format, of one claim where it is yes/no; the plain ones first, or they alone."""
        own = self.yesno.get(claim or "", ()) if fmt == "yesno" else self.mc if fmt == "mc" else self.open
        return own if plain or self.more is None else own + self.more.ask(fmt, claim)

    def wordings(self, *, plain: bool = False) -> Iterator[str]:
        """All wordings of all formats."""
        yield from self.mc
        yield from self.open
        for group in self.yesno.values():
            yield from group
        if self.more is not None and not plain:
            yield from self.more.wordings()


def pair(*texts: str, claim: tuple[str, ...]) -> Form:
    """A choice between two named things: the same wordings serve as multiple choice and as open question."""
    return Form(mc=texts, open=texts, yesno={"a": claim})


def many(mc: tuple[str, ...], open_: tuple[str, ...]) -> Form:
    """A choice among three or four named things: the open form lists them."""
    return Form(mc=mc, open=open_)


def meant(
    forms: Mapping[str, Form],
    meanings: Mapping[str, tuple[str, str]],
    more: Mapping[str, Form] | None = None,
    **claims: str,
) -> dict[str, Form]:
    """Forms with what their wordings must and must not say, what those of a claimed value must, and ``more``."""
    found = {}
    for name, form in forms.items():
        says, never = meanings[name]
        own = {claim: claims[claim] for claim in form.yesno if claim in claims}
        found[name] = replace(form, says=says, never=never, claims=own, more=(more or {}).get(name))
    return found


# ---------------------------------------------------------------- filling
def metres(value: float) -> str:
    """A length in metres as text: one decimal below 10 m, none above (``2.4 m``, ``12 m``)."""
    rounded = round(float(value), 1)
    return f"{rounded:.1f} {METRE}" if rounded < 10 else f"{round(float(value))} {METRE}"


def point(x: float, y: float) -> str:
    """A place in the picture: percent of width from the left, percent of height from the top (``(35, 70)``)."""
    return f"({round(x)}, {round(y)})"


def listing(names: Sequence[str]) -> str:
    """``the a, the b or the c``."""
    *head, last = [f"the {name}" for name in names]
    return f"{', '.join(head)} or {last}" if head else last


def multiple_choice(question: str, options: Sequence[str]) -> str:
    """The one text format of multiple choice, in training and evaluation: question, then one ``A. option`` a line."""
    return "\n".join([question, *(f"{letter}. {option}" for letter, option in zip(LETTERS, options))])

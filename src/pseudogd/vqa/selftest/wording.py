"""What a wording says, read back from its words: the opposite of the fact in one template spoils a whole data set."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator

from pseudogd.vqa.phrasing import Form

LONGEST = 40
"""Words of a question before options."""


def flaws(name: str, form: Form) -> Iterator[str]:
    """What is wrong with the wordings of a form, a line each."""
    if not form.says:
        yield f"{name}: does not state what its wordings must say"
    for text in form.wordings():
        yield from (f"{name}: {flaw}: {text!r}" for flaw in _grammar(text))
    for fmt in ("mc", "open"):
        texts = form.ask(fmt)
        if len(set(texts)) < len(texts):
            yield f"{name}: a {fmt} wording stands twice"
        for text in texts:
            yield from (f"{name}: {flaw}: {text!r}" for flaw in _meaning(text, form.says, form.never))
    for claim in form.yesno:
        for text in form.ask("yesno", claim):
            said = form.claims.get(claim)
            if claim == "a":  # the claim is that a leads, in the words of the form itself
                yield from (f"{name}: {flaw}: {text!r}" for flaw in _meaning(text, form.says, form.never))
            elif said is None:
                yield f"{name}: does not state what its wordings of {claim!r} must say"
            else:
                others = "|".join(f"(?:{other})" for value, other in form.claims.items() if value != claim)
                yield from (f"{name}: {flaw}: {text!r}" for flaw in _meaning(text, said, others))


def _grammar(text: str) -> Iterator[str]:
    if text.count("?") != 1 or not text.endswith("?"):
        yield "must be one question"
    if not text[0].isupper() and not text.startswith("{"):
        yield "must begin with a capital"
    if "  " in text or text != text.strip():
        yield "has blanks too many"
    if len(text.split()) > LONGEST:
        yield f"has more than {LONGEST} words"
    if re.search(r"\b(a|an) \{|\bthe the\b", text):
        yield "has an article that the name cannot follow"
    for _, field, _, _ in string.Formatter().parse(text):
        if field is not None and not field.isidentifier():
            yield f"has the placeholder {field!r}"


def _meaning(text: str, says: str, never: str) -> Iterator[str]:
    if says and not re.search(says, text):
        yield "does not say what the form means"
    if never and re.search(never, text):
        yield "says something else than the form means"

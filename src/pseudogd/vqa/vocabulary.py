"""The words that questions are made of: a hash that changes with them, and a corpus for a small tokenizer."""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Collection, Mapping, Sequence

from pseudogd.vqa.phrasing import LETTERS, METRE, NO, YES, Form, listing, metres, multiple_choice, point
from pseudogd.vqa.tasks import forms
from pseudogd.vqa.words.hypothetical import AT

PLAIN_TASKS = ("nearer", "direction", "distance", "hypothetical", "localization", "size")
"""Tasks whose plain wordings the embedded student can read, in the order that its tokenizer was made in."""

_ATOM = re.compile(r"[A-Za-z]+|\d+|[^\sA-Za-z\d]")


def atoms(text: str) -> list[str]:
    """Words, whole numbers and single signs of a text: ``"2.4 m?"`` is ``["2", ".", "4", "m", "?"]``."""
    return _ATOM.findall(text)


def _literal(template: str) -> str:
    return " ".join(text for text, *_ in string.Formatter().parse(template))


def wording_hash(tasks: Collection[str], *, plain: bool = False) -> str:
    """Short hash of all wordings and answers of some tasks: questions made with other words are other questions."""
    said = [
        [name, *form.wordings(plain=plain), *form.answers.values()]
        for name, form in sorted(forms().items())
        if name.split(".")[0] in tasks
    ]
    return hashlib.sha256(repr((said, AT)).encode()).hexdigest()[:12]


def plain_forms() -> Mapping[str, Form]:
    """The forms of `PLAIN_TASKS`."""
    return {name: form for task in PLAIN_TASKS for name, form in forms().items() if name.split(".")[0] == task}


def all_words() -> set[str]:
    """Every word, sign, option letter and whole number (0-100) that plain wordings can produce, object names aside.

    Numbers are whole numbers here: ``2.4 m`` is made of ``2``, ``.``, ``4`` and ``m`` (see `atoms`).
    """
    words = {YES, NO, METRE, *LETTERS, *(str(n) for n in range(101)), *atoms("(1, 1) 1.1"), "the", "or"}
    for form in plain_forms().values():
        for text in (*form.wordings(plain=True), *form.answers.values()):
            words.update(atoms(_literal(text)))
    for text in (*AT.values(), listing("abc").replace("the c", "the")):
        words.update(word for word in atoms(text) if word not in "ab")
    return words


def vocabulary() -> list[str]:
    """`all_words`, sorted."""
    return sorted(all_words())


def example_texts(names: Sequence[str]) -> list[str]:
    """Every plain wording once, filled with the given object names and with numbers: a corpus for a small tokenizer."""
    if len(names) < 4:
        raise ValueError("at least four names are needed to fill every wording")
    texts = []
    for n, form in enumerate(plain_forms().values()):
        for k, wording in enumerate(form.wordings(plain=True)):
            a, b, c, d = (names[(n + k + i) % len(names)] for i in range(4))
            filled = wording.format(
                a=a, b=b, x=a, y=b, z=c, at=AT[bool(k % 2)], d=metres(0.5 + k / 10), list=listing([b, c, d])
            )
            texts.append(multiple_choice(filled, [a, point(5 * k % 100, 5 * n % 100), metres(n + k / 10), YES]))
    return texts

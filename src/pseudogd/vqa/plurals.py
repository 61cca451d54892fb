"""Verbs that agree with names of several things: "are the scissors", "do the measuring spoons lie".

Wordings are written for one thing. A name is of several if its head noun says so, by the usual ending or by a short
list; in doubt it is of one, as the wording has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pseudogd.vqa.categories import head_noun

WITHOUT_S = frozenset(["people", "men", "women", "children", "mice", "geese", "feet", "teeth", "cattle", "police"])
ENDS_OF_ONE = ("ss", "us", "is")
"""A glass, a bus, a chassis."""
OF_ONE = frozenset(
    ["atlas", "bias", "canvas", "chaos", "cosmos", "gas", "lens", "news", "rhinoceros", "series", "species", "thermos"]
)
OF_SEVERAL = frozenset(["bikinis", "emus", "kiwis", "menus", "skis", "taxis"])
_MANY = {"is": "are", "does": "do", "has": "have", "was": "were"}
# Only where the name itself is the subject: "the distance to the {a} is" speaks of the distance.
_BEFORE = re.compile(r"\b(is|does|has|was)(?P<rest> (?:really )?the \{(?P<name>\w+)\})", re.IGNORECASE)
_ITS = re.compile(r"the \{(?P<name>\w+)\}, (?:and is|from) its\b")
_AFTER = re.compile(r"(?P<rest>\bthan the \{(?P<name>\w+)\} )(is|does|has|was)\b")


def is_plural(name: str) -> bool:
    """Whether a name is of several things, or of one that English counts as several: scissors, wipes, people."""
    noun = head_noun(name)
    if noun in WITHOUT_S or noun in OF_SEVERAL:
        return True
    return len(noun) > 3 and noun.endswith("s") and not noun.endswith(ENDS_OF_ONE) and noun not in OF_ONE


def agreeing(wording: str, slots: Mapping[str, str]) -> str:
    """A wording, its placeholders still in it, with verbs that agree with the names that will fill them."""
    if not any(is_plural(text) for text in slots.values()):
        return wording

    def before(found: re.Match[str]) -> str:
        return _of_many(found[1]) + found["rest"] if is_plural(slots.get(found["name"], "")) else found[0]

    def after(found: re.Match[str]) -> str:
        return found["rest"] + _of_many(found[3]) if is_plural(slots.get(found["name"], "")) else found[0]

    owner = _ITS.search(wording)
    if owner is not None and is_plural(slots.get(owner["name"], "")):
        wording = re.sub(r"\bits\b", "their", wording)
    return _AFTER.sub(after, _BEFORE.sub(before, wording))


def _of_many(verb: str) -> str:
    said = _MANY[verb.lower()]
    return said.capitalize() if verb[0].isupper() else said

"""Names that answer a question by themselves: "is the left bottle to the left of the right bottle?".

Whoever annotates tells like things apart by where they are or how large they are. Such names are good to ask other
questions about; a question about that very property is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from pseudogd.vqa.fact import Fact
from pseudogd.vqa.tasks import TASKS, module_of


@cache
def telling() -> Mapping[str, frozenset[str]]:
    """By form, else by task: words that give the answer away, or seem to."""
    return {key: words for task in TASKS for key, words in getattr(module_of(task), "TELLING", {}).items()}


def names_tell(fact: Fact) -> bool:
    """Whether the name of something that a fact compares says, or seems to say, what is asked."""
    words = telling().get(fact.form) or telling().get(fact.task)
    if not words:
        return False
    return any(
        words.intersection(re.findall(r"[a-z]+", str(entry["name"]).lower())) for entry in fact.evidence["objects"]
    )

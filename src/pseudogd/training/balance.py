"""Training questions that no rule of thumb in the flat picture answers more often than not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pseudogd.store.dataset import Store
from pseudogd.store.thinned import read_thinned


def shortcuts_to_drop(questions: Iterable[tuple[str, Mapping[str, Any]]]) -> set[str]:
    """Ids to leave out so that, in every form of question, such rules are right at most half the time.

    A rule ("lower in the picture is nearer") is right for most pairs of things in most photos, and a model that may
    learn it has little reason to learn depth; cf. the balanced pairs of VQA v2 (Goyal et al. 2017). Which questions go
    is decided by their ids alone.

    Args:
        questions: (id, evidence) of each; evidence without `shortcut` is never dropped.
    """
    by_form: dict[str, tuple[list[str], list[str]]] = {}
    for question_id, evidence in questions:
        if shortcut := evidence.get("shortcut"):
            by_form.setdefault(evidence.get("form", ""), ([], []))[bool(shortcut["right"])].append(question_id)
    dropped: set[str] = set()
    for wrong, right in by_form.values():
        spare = max(0, len(right) - len(wrong))
        dropped.update(sorted(right, key=lambda name: hashlib.sha256(name.encode()).digest())[:spare])
    return dropped


def balance_of(store: Store) -> Callable[[Iterable[tuple[str, Mapping[str, Any]]]], set[str]]:
    """What `data.balance` leaves out of a data folder: such shortcuts, and what `pseudogd audit --thin` has named.

    Returns a function of (id, evidence) pairs. InputError where ``thinned.parquet`` is of other questions.
    """
    thinned = set(read_thinned(store))
    return lambda questions: shortcuts_to_drop(questions) | thinned

"""Which questions to leave out, so that nothing that has not seen the photo lives on the rest.

Where one of the two baselines answers a form of question more often than its threshold allows, questions that it
answers rightly are left out, those with the greatest lead first; then it learns anew from what is left, until it stays
below. This is adversarial filtering as in AFLite (Le Bras et al. 2020), with the audit's own baselines and thresholds,
so it stops where the audit is content. So do bare guesses (always one answer, the largest number, the longest option),
whose questions go in no order but that of their ids' digests. What is left out was right: what stays has its wrong
labels among fewer.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pseudogd.vqa.audit.blind import flat_cues, flat_knows, text_cues
from pseudogd.vqa.audit.guesses import guesses
from pseudogd.vqa.audit.items import Item
from pseudogd.vqa.audit.limits import Limits
from pseudogd.vqa.audit.logit import Logit

ROUNDS = 8
AMISS, AIM = 0.85, 0.7
"""Shares of a threshold: above the first a form is thinned, to the second. The interval reaches beyond the number."""
SURE = 3.0
"""Standard errors by which a bare guess has to be above chance: of many guesses in fair data some few are by luck."""


def too_easy(items: Sequence[Item], limits: Limits) -> dict[str, str]:
    """Ids of the questions to leave out, with what answers them.

    ``items``: those that nothing else leaves out; more than some ten thousand at once are slow. Forms with fewer than
    ``limits.few`` questions are left as they are, as the audit concludes nothing about them. Deterministic.
    """
    closed = [item for item in items if len(item.candidates) > 1]
    flat = [item for item in closed if flat_knows(item)]
    learnt = [
        _Judge("words alone", closed, Logit(closed, text_cues), limits.text, limits.few),
        _Judge("boxes alone", flat, Logit(flat, flat_cues), limits.flat, limits.few),
    ]
    found: dict[str, str] = {}
    judges: list[_Judge | _Guesses] = [judge for judge in learnt if len(judge.photos) > 1]
    judges.append(_Guesses(closed, limits))
    for _ in range(ROUNDS):
        before = len(found)
        for judge in judges:
            found |= judge.answered_too_often(found)
        if len(found) == before:
            break
    return found


class _Guesses:
    """Bare guesses, each with the questions where it can be made."""

    def __init__(self, items: Sequence[Item], limits: Limits) -> None:
        self.limits, self.ids = limits, np.array([item.question_id for item in items], object)
        order = np.argsort([hashlib.sha256(name.encode()).hexdigest() for name in self.ids], kind="stable")
        self.turn = np.argsort(order)
        members: dict[tuple[str, str], set[int]] = defaultdict(set)
        told: dict[tuple[str, str, str], list[tuple[int, float, float]]] = defaultdict(list)
        for k, item in enumerate(items):
            for guess in guesses(item):
                members[guess.check, guess.group].add(k)
                told[guess.check, guess.group, guess.name].append((k, guess.right, guess.chance))
        self.members = {key: np.array(sorted(ks), np.int64) for key, ks in members.items()}
        self.told = {key: np.array(told[key], np.float64) for key in sorted(told)}

    def answered_too_often(self, gone: dict[str, str]) -> dict[str, str]:
        """Ids to leave out beside those that are ``gone``."""
        left = np.array([name not in gone for name in self.ids], bool)
        found: dict[str, str] = {}
        for (check, group, name), told in self.told.items():
            where = told[:, 0].astype(np.int64)
            here = left[where]
            where, right, chance = where[here], told[here, 1], told[here, 2]
            count = int(left[self.members[check, group]].sum())
            spare = self._spare(right, chance, count, getattr(self.limits, check))
            known = where[right == 1]
            for k in known[np.argsort(self.turn[known])][:spare]:
                found[self.ids[k]] = f"{check}: {name}"
                left[k] = False
        return found

    def _spare(self, right: NDArray[np.float64], chance: NDArray[np.float64], count: int, limit: float) -> int:
        """How many right ones to leave out of ``count``, at some of which the guess could not be made."""
        if count < self.limits.few or not len(right):
            return 0
        gain = right - chance
        excess = float(gain.sum()) / count
        error = math.sqrt(max(0.0, float((gain**2).sum()) - count * excess**2)) / count
        if excess <= max(AMISS * limit, SURE * error):
            return 0
        return _to_leave_out(float(gain.sum()), count, float(chance.mean()), limit)


class _Judge:
    """One baseline with its questions, features counted once."""

    def __init__(self, name: str, items: Sequence[Item], logit: Logit, limit: float, few: int) -> None:
        self.name, self.logit, self.limit, self.few = name, logit, limit, few
        self.ids = [item.question_id for item in items]
        self.forms = np.array([item.form for item in items])
        self.chance = np.array([1 / len(item.candidates) for item in items])
        self.photos = {item.image_id for item in items}

    def answered_too_often(self, gone: dict[str, str]) -> dict[str, str]:
        """Ids to leave out beside those that are ``gone``."""
        left = np.array([k for k, name in enumerate(self.ids) if name not in gone], np.int64)
        if not len(left):
            return {}
        right, lead = self.logit.answered(left)
        found: list[str] = []
        for form in np.unique(self.forms[left]):
            mine = np.flatnonzero(self.forms[left] == form)
            spare = self._spare(right[mine], float(self.chance[left][mine].mean()))
            order = sorted(mine, key=lambda k: (-lead[k], self.ids[left[k]]))
            found += [self.ids[left[k]] for k in order if right[k] == 1][:spare]
        return dict.fromkeys(found, self.name)

    def _spare(self, right: NDArray[np.float64], chance: float) -> int:
        """How many right ones of n to leave out, so that the share of right ones falls to chance and the aim."""
        count, known = len(right), float(right.sum())
        if count < self.few or known / count - chance <= AMISS * self.limit:
            return 0
        return _to_leave_out(known - chance * count, count, chance, self.limit)


def _to_leave_out(gain: float, count: int, chance: float, limit: float) -> int:
    """How many right ones d of ``count`` have to go: (gain - d (1 - chance)) / (count - d) is the aim then."""
    room = 1 - chance - AIM * limit
    return math.ceil((gain - AIM * limit * count) / room) if room > 0 else 0

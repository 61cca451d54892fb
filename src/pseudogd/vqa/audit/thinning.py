"""Which questions to leave out, so that no classifier that has not seen the photo lives on the rest.

Where one of the two baselines answers a form of question more often than its threshold allows, questions that it
answers rightly are left out, those with the greatest lead first; then it learns anew from what is left, until it stays
below. This is adversarial filtering as in AFLite (Le Bras et al. 2020), with the audit's own baselines and thresholds,
so it stops where the audit is content. What is left out was right: what stays has its wrong labels among fewer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pseudogd.vqa.audit.blind import flat_cues, flat_knows, text_cues
from pseudogd.vqa.audit.items import Item
from pseudogd.vqa.audit.limits import Limits
from pseudogd.vqa.audit.logit import Logit

ROUNDS = 8
AMISS, AIM = 0.85, 0.7
"""Shares of a threshold: above the first a form is thinned, to the second. The interval reaches beyond the number."""


def too_easy(items: Sequence[Item], limits: Limits) -> dict[str, str]:
    """Ids of the questions to leave out, with the baseline that answers them.

    ``items``: those that nothing else leaves out; more than some ten thousand at once are slow. Forms with fewer than
    ``limits.few`` questions are left as they are, as the audit concludes nothing about them. Deterministic.
    """
    closed = [item for item in items if len(item.candidates) > 1]
    flat = [item for item in closed if flat_knows(item)]
    judges = [
        _Judge("words alone", closed, Logit(closed, text_cues), limits.text, limits.few),
        _Judge("boxes alone", flat, Logit(flat, flat_cues), limits.flat, limits.few),
    ]
    found: dict[str, str] = {}
    waiting = [judge for judge in judges if len(judge.photos) > 1]
    for _ in range(ROUNDS):
        before = len(found)
        for judge in waiting:
            found |= dict.fromkeys(judge.answered_too_often(found), judge.name)
        if len(found) == before:
            break
    return found


class _Judge:
    """One baseline with its questions, features counted once."""

    def __init__(self, name: str, items: Sequence[Item], logit: Logit, limit: float, few: int) -> None:
        self.name, self.logit, self.limit, self.few = name, logit, limit, few
        self.ids = [item.question_id for item in items]
        self.forms = np.array([item.form for item in items])
        self.chance = np.array([1 / len(item.candidates) for item in items])
        self.photos = {item.image_id for item in items}

    def answered_too_often(self, gone: dict[str, str]) -> list[str]:
        """Ids to leave out beside those that are ``gone``."""
        left = np.array([k for k, name in enumerate(self.ids) if name not in gone], np.int64)
        if not len(left):
            return []
        right, lead = self.logit.answered(left)
        found: list[str] = []
        for form in np.unique(self.forms[left]):
            mine = np.flatnonzero(self.forms[left] == form)
            spare = self._spare(right[mine], float(self.chance[left][mine].mean()))
            order = sorted(mine, key=lambda k: (-lead[k], self.ids[left[k]]))
            found += [self.ids[left[k]] for k in order if right[k] == 1][:spare]
        return found

    def _spare(self, right: NDArray[np.float64], chance: float) -> int:
        """How many right ones of n to leave out, so that the share of right ones falls to chance and the aim."""
        count, known = len(right), float(right.sum())
        if count < self.few or known / count - chance <= AMISS * self.limit:
            return 0
        aim = chance + AIM * self.limit
        return math.ceil((known - aim * count) / (1 - aim)) if aim < 1 else 0

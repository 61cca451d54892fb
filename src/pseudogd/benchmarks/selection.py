"""Choose items out of a larger pool so that neither letters nor texts tell the answer.

Every cue in an option's text (a word, a number's rank among the options, its size, whether the question names it
first) keeps an account: +1 when the cue's option is right, -1/k whenever it is one of k options. A text prior is an
account that drifts from zero, so items are taken greedily, each the one that leans most against the drift so far.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pseudogd.benchmarks.priors import option_cues


@dataclass
class Candidate:
    """A multiple-choice question that may become an item.

    ``form`` names the wording's kind, ``about`` the kinds of things it speaks of; ``shortcut``: whether a rule of thumb
    in the flat picture ("lower is nearer") gives the right answer, None where there is no such rule.
    """

    photo: str
    sub_task: str
    form: str
    question: str
    options: list[str]
    answer: int
    about: tuple[str, ...] = ()
    shortcut: bool | None = None
    row: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, tuple[str, ...]]:
        return self.photo, self.question, tuple(sorted(self.options))


def choose(pool: Sequence[Candidate], n: int, per_photo: int, rng: np.random.Generator) -> list[Candidate]:
    """At most ``n`` of one sub-task's pool: forms in equal shares, accounts near zero."""
    by_form: dict[str, list[Candidate]] = defaultdict(list)
    seen: set[Hashable] = set()
    for index in rng.permutation(len(pool)):
        if pool[index].key not in seen:
            seen.add(pool[index].key)
            by_form[pool[index].form].append(pool[index])
    used: Counter[str] = Counter()
    chosen: list[Candidate] = []
    # The scarcest form first: what it cannot fill goes to the others.
    for left, form in zip(range(len(by_form), 0, -1), sorted(by_form, key=lambda name: (len(by_form[name]), name))):
        chosen += _balanced(by_form[form], (n - len(chosen)) // left, per_photo, used)
    return chosen


def _balanced(pool: list[Candidate], n: int, per_photo: int, used: Counter[str]) -> list[Candidate]:
    """Greedy: the candidate whose cues lean most against the accounts' present drift; the pool's order breaks ties."""
    if not pool or n <= 0:
        return []
    cues: dict[str, int] = {}
    flat = [[(cues.setdefault(cue, len(cues)), change) for cue, change in _entries(c).items()] for c in pool]
    starts = np.cumsum([0, *(len(entries) for entries in flat)])[:-1]
    index = np.array([cue for entries in flat for cue, _ in entries])
    change = np.array([value for entries in flat for _, value in entries])
    ends = np.append(starts[1:], len(index))
    accounts = np.zeros(len(cues))
    photos = np.array([candidate.photo for candidate in pool])
    free = np.array([used[photo] < per_photo for photo in photos])
    chosen: list[Candidate] = []
    while len(chosen) < n and free.any():
        lean = np.add.reduceat(accounts[index] * change, starts)
        best = int(np.argmin(np.where(free, lean, np.inf)))
        here = slice(starts[best], ends[best])
        accounts[index[here]] += change[here]
        free[best] = False
        used[pool[best].photo] += 1
        if used[pool[best].photo] >= per_photo:
            free &= photos != pool[best].photo
        chosen.append(pool[best])
    return chosen


def _entries(candidate: Candidate) -> dict[str, float]:
    entries: dict[str, float] = defaultdict(float)
    share = 1 / len(candidate.options)
    lowered = candidate.question.lower()
    order = sorted(range(len(candidate.options)), key=lambda i: lowered.find(candidate.options[i].lower()))
    named = [lowered.find(option.lower()) >= 0 for option in candidate.options]
    for index, cues in enumerate(option_cues(candidate.options)):
        change = (index == candidate.answer) - share
        mine = set(cues)
        if all(named):
            mine.add(f"named {order.index(index)}")
        for cue in sorted(mine):  # the order of a set differs between processes, and sums of floats with it
            # Single words of a name (its colour) are weak priors; everything else, and who meets whom, are strong ones.
            entries[cue] += change * (1.0 if cue.startswith("word") else 2.0)
            if not cue.startswith("text"):
                for thing in candidate.about:
                    entries[f"{thing} | {cue}"] += change * 2.0
    if candidate.shortcut is not None:
        entries["shortcut"] = 2.0 * (candidate.shortcut - share)
    return entries


def balance_letters(chosen: Sequence[Candidate], rng: np.random.Generator) -> list[Candidate]:
    """New option orders in which each letter is right equally often within a sub-task, form and number of options."""
    groups: dict[tuple[str, str, int], list[int]] = defaultdict(list)
    for index, candidate in enumerate(chosen):
        groups[candidate.sub_task, candidate.form, len(candidate.options)].append(index)
    result: list[Candidate] = list(chosen)
    carry: Counter[tuple[str, int]] = Counter()
    for (sub_task, _, k), members in sorted(groups.items()):
        # Groups go on where the last one stopped, so that the remainders of small groups do not pile up on A.
        start = carry[sub_task, k]
        carry[sub_task, k] += len(members)
        letters = rng.permutation((start + np.arange(len(members))) % k)
        for index, letter in zip(members, letters):
            result[index] = _with_answer_at(chosen[index], int(letter), rng)
    return result


def _with_answer_at(candidate: Candidate, letter: int, rng: np.random.Generator) -> Candidate:
    others = [option for index, option in enumerate(candidate.options) if index != candidate.answer]
    others = [others[index] for index in rng.permutation(len(others))]
    options = [*others[:letter], candidate.options[candidate.answer], *others[letter:]]
    return replace(candidate, options=options, answer=letter)

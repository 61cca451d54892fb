"""What can be scored without looking at the picture: chance, majority and text-only baselines of a set of items."""

from __future__ import annotations

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from pseudogd.benchmarks.items import Item

_WORD = re.compile(r"[a-z]+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_FEATURES = 1024
_FOLDS = 5
_PENALTY = 10.0


def option_cues(options: Sequence[str]) -> list[list[str]]:
    """For each option, what its text gives away beside the other options': words, sizes of numbers and their ranks."""
    numbers = [[float(number) for number in _NUMBER.findall(option)] for option in options]
    cues = []
    for option, values in zip(options, numbers):
        mine = [f"word {word}" for word in _WORD.findall(option.lower())]
        mine.append(f"text {option.lower()}")
        for slot, value in enumerate(values):
            column = [row[slot] for row in numbers if len(row) > slot]
            mine.append(f"rank {slot} {sum(other < value for other in column)} of {len(column)}")
            mine.append(f"size {slot} {round(2 * np.log2(value + 0.1))}")
        cues.append(mine)
    return cues


def baselines(
    items: Sequence[Item], groups: Sequence[Any] | None = None, learn_from: Sequence[Item] | None = None, seed: int = 0
) -> dict[str, dict[str, float]]:
    """Accuracies that need no picture, each with ``overall`` and every sub-task.

    ``random``           one over the number of options;
    ``majority_letter``  the sub-task's most frequent letter, counted on the items themselves;
    ``majority_text``    the option whose text was right most often among other items of the sub-task;
    ``text_only``        a ridge classifier on the words of question and options.
    The last two learn from ``learn_from`` (questions in their natural frequencies, say), by default from the items
    themselves, and never from items of the same picture (or group) as the one they answer. A set that is exactly
    balanced scores below chance when it learns from itself: what is left out always leans the other way.
    """
    groups = [item.image.name for item in items] if groups is None else list(groups)
    folds = _folds(groups, seed)
    if learn_from is None:
        known, known_folds = items, folds
    else:
        fold_of = dict(zip(groups, folds))
        known, known_folds = learn_from, np.array([fold_of.get(item.image.name, _FOLDS) for item in learn_from])
    scores = {
        "random": np.array([1 / len(item.options) for item in items]),
        "majority_letter": _majority_letter(items),
        "majority_text": _majority_text(items, folds, known, known_folds),
        "text_only": _text_only(items, folds, known, known_folds),
    }
    return {name: _by_sub_task(items, values) for name, values in scores.items()}


def _by_sub_task(items: Sequence[Item], values: np.ndarray) -> dict[str, float]:
    grouped = defaultdict(list)
    for item, value in zip(items, values):
        grouped[item.sub_task_type].append(float(value))
    result = {name: float(np.mean(group)) for name, group in sorted(grouped.items())}
    return {"overall": float(np.mean(values)), **result}


def _folds(groups: Sequence[Any], seed: int) -> np.ndarray:
    _, index = np.unique(np.asarray(groups), return_inverse=True)
    return np.random.default_rng(seed).permutation(index.max() + 1)[index] % _FOLDS


def _majority_letter(items: Sequence[Item]) -> np.ndarray:
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for item in items:
        counts[item.sub_task_type][item.answer] += 1
    best = {name: counter.most_common(1)[0][0] for name, counter in counts.items()}
    return np.array([item.answer == best[item.sub_task_type] for item in items], dtype=float)


def _majority_text(
    items: Sequence[Item], folds: np.ndarray, known: Sequence[Item], known_folds: np.ndarray
) -> np.ndarray:
    right = np.zeros(len(items))
    for fold in range(_FOLDS):
        wins: Counter[tuple[str, str]] = Counter()
        shown: Counter[tuple[str, str]] = Counter()
        for item, where in zip(known, known_folds):
            if where == fold:
                continue
            for index, option in enumerate(item.options):
                shown[item.sub_task_type, option] += 1
                wins[item.sub_task_type, option] += index == item.answer
        for position in np.flatnonzero(folds == fold):
            item = items[position]
            prior = 1 / len(item.options)
            keys = [(item.sub_task_type, option) for option in item.options]
            rates = np.array([(wins[key] + 2 * prior) / (shown[key] + 2) for key in keys])
            right[position] = _share_right(rates, item.answer)
    return right


def _text_only(items: Sequence[Item], folds: np.ndarray, known: Sequence[Item], known_folds: np.ndarray) -> np.ndarray:
    """Ridge regression of "this option is right" on hashed cues, alone and crossed with the question's words."""
    rows = [_hashed(item) for item in items]
    # Normal equations add up: one pair for each fold, so that every cell of every item is multiplied once.
    learned = rows if known is items else [_hashed(item) for item in known]
    pairs = [_normal_equations(known, learned, np.flatnonzero(known_folds == fold)) for fold in range(_FOLDS + 1)]
    right = np.zeros(len(items))
    for fold in range(_FOLDS):
        test = np.flatnonzero(folds == fold)
        gram = sum((pair[0] for index, pair in enumerate(pairs) if index != fold), _PENALTY * np.eye(_FEATURES))
        moment = sum((pair[1] for index, pair in enumerate(pairs) if index != fold), np.zeros(_FEATURES))
        weights = np.linalg.solve(gram, moment)
        for i in test:
            right[i] = _share_right(rows[i] @ weights, items[i].answer)
    return right


def _normal_equations(
    items: Sequence[Item], rows: Sequence[np.ndarray], chosen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if len(chosen) == 0:
        return np.zeros((_FEATURES, _FEATURES)), np.zeros(_FEATURES)
    x = np.concatenate([rows[i] for i in chosen])
    y = np.concatenate([(np.arange(len(rows[i])) == items[i].answer) - 1 / len(rows[i]) for i in chosen])
    return (x.T @ x).astype(np.float64), x.T.astype(np.float64) @ y


def _share_right(scores: np.ndarray, answer: int) -> float:
    """1 where the best score is the answer's; ties share."""
    best = np.flatnonzero(scores >= scores.max() - 1e-9)
    return float(answer in best) / len(best)


def _hashed(item: Item) -> np.ndarray:
    """(options, features) float32, centred over the options so that only differences count."""
    words = sorted(set(_WORD.findall(item.question.lower())))
    vectors = []
    for index, cues in enumerate(option_cues(item.options)):
        vector = np.zeros(_FEATURES, dtype=np.float32)
        for cue in [f"letter {index}", *cues]:
            for text in (cue, f"{item.sub_task_type} {cue}", *(f"{word} {cue}" for word in words)):
                vector[zlib.crc32(text.encode()) % _FEATURES] += 1
        vectors.append(vector / max(1.0, float(np.linalg.norm(vector))))
    return np.stack(vectors) - np.mean(vectors, axis=0)

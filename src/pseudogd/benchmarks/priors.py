"""What can be scored without looking at the picture: chance, majority and text-only baselines of a set of items."""

from __future__ import annotations

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pseudogd.benchmarks.items import Item

_WORD = re.compile(r"[a-z]+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_FEATURES = 1024
_FOLDS = 5


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


def baselines(items: Sequence[Item], groups: Sequence[Any] | None = None, seed: int = 0) -> dict[str, dict[str, float]]:
    """Accuracies that need no picture, each with ``overall`` and every sub-task.

    ``random``           one over the number of options;
    ``majority_letter``  the sub-task's most frequent letter, counted on the items themselves;
    ``majority_text``    the option whose text was right most often among other items of the sub-task;
    ``text_only``        a ridge classifier on the words of question and options, cross-validated.
    ``groups`` (default: the picture) keeps items of one picture in one fold of the last two.
    """
    folds = _folds(items, groups, seed)
    scores = {
        "random": np.array([1 / len(item.options) for item in items]),
        "majority_letter": _majority_letter(items),
        "majority_text": _majority_text(items, folds),
        "text_only": _text_only(items, folds),
    }
    return {name: _by_sub_task(items, values) for name, values in scores.items()}


def _by_sub_task(items: Sequence[Item], values: np.ndarray) -> dict[str, float]:
    grouped = defaultdict(list)
    for item, value in zip(items, values):
        grouped[item.sub_task_type].append(float(value))
    result = {name: float(np.mean(group)) for name, group in sorted(grouped.items())}
    return {"overall": float(np.mean(values)), **result}


def _folds(items: Sequence[Item], groups: Sequence[Any] | None, seed: int) -> np.ndarray:
    names = [item.image.name for item in items] if groups is None else list(groups)
    _, index = np.unique(np.asarray(names), return_inverse=True)
    return np.random.default_rng(seed).permutation(index.max() + 1)[index] % _FOLDS


def _majority_letter(items: Sequence[Item]) -> np.ndarray:
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for item in items:
        counts[item.sub_task_type][item.answer] += 1
    best = {name: counter.most_common(1)[0][0] for name, counter in counts.items()}
    return np.array([item.answer == best[item.sub_task_type] for item in items], dtype=float)


def _majority_text(items: Sequence[Item], folds: np.ndarray) -> np.ndarray:
    right = np.zeros(len(items))
    for fold in range(_FOLDS):
        wins: Counter[tuple[str, str]] = Counter()
        shown: Counter[tuple[str, str]] = Counter()
        for item, where in zip(items, folds):
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


def _text_only(items: Sequence[Item], folds: np.ndarray) -> np.ndarray:
    """Ridge regression of "this option is right" on hashed cues, alone and crossed with the question's words."""
    rows = [list(_hashed(item)) for item in items]
    right = np.zeros(len(items))
    for fold in range(_FOLDS):
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if len(train) == 0 or len(test) == 0:
            right[test] = [1 / len(items[i].options) for i in test]
            continue
        x = np.concatenate([rows[i] for i in train]).astype(np.float32)
        y = np.concatenate([np.arange(len(rows[i])) == items[i].answer for i in train]).astype(np.float32)
        y -= np.concatenate([np.full(len(rows[i]), 1 / len(rows[i])) for i in train])
        gram = x.T @ x + 10 * np.eye(_FEATURES, dtype=np.float32)
        weights = np.linalg.solve(gram, x.T @ y)
        for i in test:
            right[i] = _share_right(np.stack(rows[i]) @ weights, items[i].answer)
    return right


def _share_right(scores: np.ndarray, answer: int) -> float:
    """1 where the best score is the answer's; ties share."""
    best = np.flatnonzero(scores >= scores.max() - 1e-9)
    return float(answer in best) / len(best)


def _hashed(item: Item) -> Iterator[np.ndarray]:
    """One (features,) vector per option, centred over the options so that only differences count."""
    words = sorted(set(_WORD.findall(item.question.lower())))
    vectors = []
    for index, cues in enumerate(option_cues(item.options)):
        vector = np.zeros(_FEATURES, dtype=np.float32)
        for cue in [f"letter {index}", *cues]:
            for text in (cue, f"{item.sub_task_type} {cue}", *(f"{word} {cue}" for word in words)):
                vector[zlib.crc32(text.encode()) % _FEATURES] += 1
        vectors.append(vector / max(1.0, float(np.linalg.norm(vector))))
    yield from np.stack(vectors) - np.mean(vectors, axis=0)

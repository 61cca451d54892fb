"""Which questions are packed, and into which split each photo falls."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import pyarrow.parquet as pq

from pseudogd.errors import InputError
from pseudogd.store.dataset import Store
from pseudogd.store.shards import shard_paths

Balance = Callable[[Iterable[tuple[str, Mapping[str, Any]]]], set[str]]
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Choice:
    """``tasks``: None is all. ``min_margin``: of every task, or task -> least margin (its unit is the task's own).

    ``splits``: name -> share of the photos; a photo is in one split, whatever else the data holds.
    """

    tasks: frozenset[str] | None = None
    min_margin: Mapping[str, float] | float | None = None
    min_stability: float | None = None
    splits: Mapping[str, float] = field(default_factory=lambda: {"train": 1.0})
    seed: int = 0

    def split_of(self, image_id: str) -> str:
        """The split of a photo, by its id and the seed alone: more photos later move none."""
        digest = hashlib.sha256(f"split {self.seed} {image_id}".encode()).digest()
        place = int.from_bytes(digest[:8], "big") / 2**64 * sum(self.splits.values())
        for name, share in self.splits.items():
            if place < share:
                return name
            place -= share
        return list(self.splits)[-1]

    def keeps(self, row: Mapping[str, Any]) -> bool:
        """Whether a question has the wanted task, margin and stability."""
        if self.tasks is not None and row["task"] not in self.tasks:
            return False
        least = self.min_margin.get(row["task"]) if isinstance(self.min_margin, Mapping) else self.min_margin
        if least is not None and (row["margin"] is None or row["margin"] < least):
            return False
        return self.min_stability is None or (row["stability"] is not None and row["stability"] >= self.min_stability)


def make_choice(
    store: Store,
    tasks: str | Sequence[str] | None,
    min_margin: float | str | Mapping[str, float] | None,
    min_stability: float | None,
    splits: str | Mapping[str, float] | None,
    seed: int,
) -> Choice:
    """Checked against what the data holds. Raises InputError that names the value and what there is."""
    known, measured = _seen(store)
    named = None if tasks is None else _names(tasks)
    margin = _margins(min_margin)
    asked = [*(named or ()), *(margin if isinstance(margin, Mapping) else ())]
    if unknown := [task for task in asked if task not in known]:
        raise InputError(f"{store.root}: has no questions of task {unknown[0]!r}; there are: {', '.join(known)}")
    if min_stability is not None and not measured:
        raise InputError(f"{store.root}: stability has not been measured; leave min_stability out")
    return Choice(None if named is None else frozenset(named), margin, min_stability, _splits(splits), seed)


def photos_with_questions(
    store: Store, choice: Choice, balance: Balance | None
) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """(photo, its chosen questions) in the data's order; photos without any are passed over. One shard is held."""
    dropped = set() if balance is None else balance(_told(store, choice))
    photos = {row["image_id"]: row for row in store.photos().to_pylist()}
    for image_id, rows in groupby(_rows(store, choice), key=lambda row: row["image_id"]):
        kept = [row for row in rows if row["question_id"] not in dropped]
        if kept:
            yield photos[image_id], kept


def _seen(store: Store) -> tuple[list[str], bool]:
    """The tasks that are there, and whether any question has a stability."""
    tasks, measured = set(), False
    for path in shard_paths(store.root / "questions"):
        table = pq.read_table(path, columns=["task", "stability"], use_threads=False)
        tasks |= set(table["task"].unique().to_pylist())
        measured |= table["stability"].null_count < len(table)
    return sorted(tasks), measured


def _rows(store: Store, choice: Choice) -> Iterator[dict[str, Any]]:
    for path in shard_paths(store.root / "questions"):
        for batch in pq.read_table(path, use_threads=False).to_batches(512):
            yield from filter(choice.keeps, batch.to_pylist())


def _told(store: Store, choice: Choice) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((row["question_id"], json.loads(row["evidence"])) for row in _rows(store, choice))


def _names(text: str | Sequence[str]) -> list[str]:
    names = [name.strip() for name in (text.split(",") if isinstance(text, str) else text)]
    if not any(names):
        raise InputError(f"tasks={text!r} names no task")
    return [name for name in names if name]


def _margins(value: float | str | Mapping[str, float] | None) -> Mapping[str, float] | float | None:
    if value is None or isinstance(value, Mapping):
        return value
    if isinstance(value, str) and "=" in value:
        return _shares("min_margin", value)
    return _number("min_margin", value)


def _splits(value: str | Mapping[str, float] | None) -> Mapping[str, float]:
    shares = {"train": 1.0} if value is None else value if isinstance(value, Mapping) else _shares("splits", value)
    if bad := [name for name in shares if name not in SPLITS]:
        raise InputError(f"splits: {bad[0]!r} is not one of {', '.join(SPLITS)}")
    if not shares or any(not share > 0 for share in shares.values()):
        raise InputError("splits: every share must be above zero")
    return dict(shares)


def _shares(what: str, text: str) -> dict[str, float]:
    found = {}
    for part in text.split(","):
        name, equals, number = part.partition("=")
        if not equals:
            raise InputError(f"{what}={text!r}: write name=number, with commas between")
        found[name.strip()] = _number(what, number)
    return found


def _number(what: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise InputError(f"{what}={value!r}: must be a number of at least 0")
    return number

"""Name the questions of a data folder that can be answered without looking too often, so that training leaves them."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pseudogd.errors import InputError
from pseudogd.progress import track
from pseudogd.store.dataset import Store
from pseudogd.store.shards import shard_paths
from pseudogd.store.thinned import write_thinned
from pseudogd.vqa.audit.items import COLUMNS, read_items
from pseudogd.vqa.audit.limits import Limits
from pseudogd.vqa.audit.thinning import too_easy

TOGETHER = 20_000
"""Questions that one classifier learns from: as many as the audit's."""
PASSES = 4
"""What is left after one pass is fewer questions of more photos to a group, of which a classifier learns more."""
Balance = Callable[[Iterable[tuple[str, Mapping[str, Any]]]], set[str]]


@dataclass(frozen=True)
class Thinned:
    """``questions`` in all, ``balanced`` of them left by the rules of thumb, ``left_out`` of those here, by form."""

    path: Path
    questions: int
    balanced: int
    left_out: Mapping[str, int]

    def line(self) -> str:
        """What was left out, in one line."""
        gone = sum(self.left_out.values())
        most = ", ".join(f"{form} {count:,}" for form, count in Counter(self.left_out).most_common(4))
        told = f" (most of {most})" if gone else ""
        return f"{gone:,} of {self.balanced:,} questions can be answered without looking and are left out{told}"


def thin(
    data: str | os.PathLike[str],
    limits: Mapping[str, Any] | None = None,
    *,
    balance: Balance,
    quiet: bool = False,
) -> Thinned:
    """Write ``DATA/thinned.parquet``: what `vqa.audit.thinning.too_easy` names among what `balance` keeps.

    Training and packing leave these questions out with those of `balance`; an earlier file is replaced. Shards are
    looked at in groups of some ``TOGETHER`` questions, so memory does not grow with the data, and what is left is
    looked at again until a pass finds nothing.

    Raises:
        InputError: no questions yet, or an unknown limit.
    """
    chosen, store = Limits.from_dict(limits or {}), Store(data)
    store.require("questions")
    shards = shard_paths(store.root / "questions")
    total = int(store.counts("questions")["rows"])
    if not total:
        raise InputError(f"{store.root}: holds no questions; run synth with other settings")
    dropped = balance(_told(shards))
    sizes = {row["image_id"]: (row["width"], row["height"]) for row in store.photos().to_pylist()}
    reasons: dict[str, str] = {}
    forms: Counter[str] = Counter()
    for number in range(1, PASSES + 1):
        before, kept = len(reasons), total - len(dropped) - len(reasons)
        with track("thin" if number == 1 else f"thin, pass {number}", kept, unit="questions", quiet=quiet) as bar:
            for group in _groups(shards, kept, dropped | reasons.keys()):
                items = read_items(group, sizes)
                found = too_easy(items, chosen)
                forms.update(item.form for item in items if item.question_id in found)
                reasons |= found
                bar.advance(len(group))
        if len(reasons) == before:
            break
    return Thinned(write_thinned(store, reasons), total, total - len(dropped), dict(forms))


def _told(shards: list[Path]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for path in shards:
        for row in pq.read_table(path, columns=["question_id", "evidence"], use_threads=False).to_pylist():
            yield row["question_id"], json.loads(row["evidence"])


def _groups(shards: list[Path], kept: int, dropped: set[str]) -> Iterator[list[dict[str, Any]]]:
    """Rows that are kept, of whole shards, in groups of like size."""
    each = kept / max(1, round(kept / TOGETHER))
    group: list[dict[str, Any]] = []
    done = ended = 0
    for path in shards:
        rows = pq.read_table(path, columns=list(COLUMNS), use_threads=False).to_pylist()
        group += [row for row in rows if row["question_id"] not in dropped]
        if done + len(group) >= (ended + 1) * each - 1:
            yield group
            done, ended, group = done + len(group), ended + 1, []
    if group:
        yield group

"""Audit the questions of a data folder: read, sample, look at the photos, judge."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pseudogd.errors import InputError
from pseudogd.progress import track
from pseudogd.store.dataset import Store
from pseudogd.store.fingerprints import Alike, Fingerprints, alike, fingerprints
from pseudogd.store.photos import list_photos, photo_name, photos_root
from pseudogd.store.shards import shard_paths
from pseudogd.vqa.audit.findings import composition, count_checks, guess_checks
from pseudogd.vqa.audit.items import COLUMNS, Item, read_items
from pseudogd.vqa.audit.limits import Check, Limits, Part, overall

SHOWN = 50
"""Pairs of photos that are named; all are counted."""
Balance = Callable[[Iterable[tuple[str, Mapping[str, Any]]]], set[str]]


@dataclass(frozen=True)
class Audit:
    """What was found. ``raw``: the checks of guessing once more, of all questions, where ``checks`` are of those that
    training keeps (``kept`` of them; None: ``checks`` are of all).

    ``sampled``: questions looked at, of ``total``. ``exit_code`` is 1 if a check failed.
    """

    data: Path
    checks: tuple[Check, ...]
    raw: tuple[Check, ...] | None
    made_of: Mapping[str, Any]
    limits: Limits
    total: int
    sampled: int
    kept: int | None = None
    pairs: tuple[Alike, ...] = ()
    against: tuple[tuple[str, tuple[Alike, ...]], ...] = ()
    unreadable: tuple[str, ...] = ()
    page: Path | None = field(default=None, compare=False)

    @property
    def exit_code(self) -> int:
        return int(any(check.verdict == "fail" for check in self.checks))

    def lines(self) -> list[str]:
        """A line for each check: verdict, title, the part that decides, and for what is amiss the mend."""
        width = max(len(check.title) for check in self.checks)
        return [f"{check.verdict}  {check.title:{width}}  {_advised(check)}" for check in self.checks]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "exit_code": self.exit_code,
            "questions": self.total,
            "questions_looked_at": self.sampled,
            "limits": asdict(self.limits),
            "checks": [asdict(check) for check in self.checks],
            "questions_kept_by_balance": self.kept,
            "raw": None if self.raw is None else [asdict(check) for check in self.raw],
            "composition": dict(self.made_of),
            "lookalikes": [asdict(pair) for pair in self.pairs],
            "against": [{"folder": name, "pairs": [asdict(p) for p in pairs]} for name, pairs in self.against],
            "unreadable_photos": list(self.unreadable),
        }


def audit(
    data: str | os.PathLike[str],
    limits: Mapping[str, Any] | None = None,
    *,
    against: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
    photos: bool = True,
    balance: Balance | None = None,
    most: int = 100_000,
    workers: int = 1,
    quiet: bool = False,
) -> Audit:
    """Audit the questions of the data folder `data`.

    Args:
        limits: thresholds of `vqa.audit.limits.Limits` that differ from their defaults.
        against: folders of pictures (benchmarks) none of whose pictures may be among the photos.
        photos: look for photos that nearly equal another; without it no photo is opened, unless `against` is given.
        balance: ids of the questions that training leaves out; what can be guessed is then judged by the rest, and told
            of all questions beside.
        most: questions looked at; of larger data whole photos are drawn by their ids.
        workers: threads that decode photos.

    Raises:
        InputError: no questions yet, an unknown limit, a folder of `against` without pictures.
    """
    chosen = Limits.from_dict(limits or {})
    folders = [Path(against)] if isinstance(against, (str, os.PathLike)) else [Path(folder) for folder in against]
    others = [(folder, list_photos(folder)) for folder in folders]
    store = Store(data)
    store.require("questions")
    total = int(store.counts("questions")["rows"])
    if not total:
        raise InputError(
            f"{store.root}: holds no questions; look in failures.parquet, or run synth with other settings"
        )
    if most < 1:
        raise InputError(f"most={most}: must be at least 1")
    rows = list(_rows(store, min(1.0, most / total)))
    pictures = store.photos().to_pylist()
    items = read_items(rows, {row["image_id"]: (row["width"], row["height"]) for row in pictures})
    kept = items if balance is None else _kept(items, rows, balance)
    checks = [*guess_checks(kept, chosen), *count_checks(items, chosen)]
    raw = None if balance is None else tuple(guess_checks(items, chosen))
    left = None if balance is None else len(kept)
    made_of, pairs, found = composition(items), [], []
    unreadable: tuple[str, ...] = ()
    del rows, items, kept
    if photos or others:
        count = len(pictures) + sum(len(files) for _, files in others)
        with track("look at photos", count, unit="photos", quiet=quiet) as bar:
            mine = fingerprints(_files(store, pictures), workers, bar.advance)
            unreadable = mine.unreadable
            pairs = alike(mine) if photos else []
            for folder, files in others:
                root = photos_root(folder)
                theirs = fingerprints(((photo_name(p, root), p) for p in files), workers, bar.advance)
                found.append((folder.name, tuple(alike(mine, theirs))))
                unreadable += theirs.unreadable
        if photos:
            checks.append(_lookalikes(pairs, mine, chosen))
        if others:
            checks.append(_contamination(found, mine))
    return Audit(
        Path(data),
        tuple(checks),
        raw,
        made_of,
        chosen,
        total,
        made_of["questions"],
        left,
        tuple(pairs[:SHOWN]),
        tuple((name, shared[:SHOWN]) for name, shared in found),
        unreadable,
    )


def _rows(store: Store, share: float) -> Iterator[dict[str, Any]]:
    """Questions of the photos that are looked at, shard by shard: what is not needed is never held."""
    for path in shard_paths(store.root / "questions"):
        table = pq.read_table(path, columns=list(COLUMNS), use_threads=False)
        for batch in table.to_batches(1024):
            for row in batch.to_pylist():
                if share >= 1 or zlib.crc32(f"audit {row['image_id']}".encode()) < share * 2**32:
                    yield row


def _kept(items: Sequence[Item], rows: Sequence[Mapping[str, Any]], balance: Balance) -> list[Item]:
    dropped = balance((row["question_id"], json.loads(row["evidence"])) for row in rows)
    return [item for item in items if item.question_id not in dropped]


def _files(store: Store, pictures: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Path]]:
    for row in pictures:
        yield row["path"], store.photo_path(row["image_id"])


def _lookalikes(pairs: Sequence[Alike], mine: Fingerprints, limits: Limits) -> Check:
    """Photos that could be left out: of every group of alike ones all but one."""
    spare = {pair.second for pair in pairs}
    value = len(spare) / len(mine) if len(mine) else 0.0
    verdict = "pass" if value <= limits.lookalikes else "fail"
    part = Part("all", value, None, len(mine), verdict, f"{len(spare):,} of {len(mine):,} photos, {len(pairs):,} pairs")
    return Check(
        "lookalikes",
        "Near-duplicate photos",
        "share of photos that nearly equal another one",
        limits.lookalikes,
        True,
        (part,),
        "keep one photo of each group, or see that groups do not fall into both training and test",
        verdict,
        tuple(f"{pair.first} and {pair.second} ({pair.distance} of 64 bits differ)" for pair in pairs[:5]),
    )


def _contamination(found: Sequence[tuple[str, Sequence[Alike]]], mine: Fingerprints) -> Check:
    parts, examples = [], []
    for name, pairs in found:
        ours = {pair.first for pair in pairs}
        value = len(ours) / len(mine) if len(mine) else 0.0
        told = f"{len(ours):,} of {len(mine):,} photos"
        parts.append(Part(name, value, None, len(mine), "fail" if pairs else "pass", told))
        examples += [f"{pair.first} is {name}/{pair.second} ({pair.distance} of 64 bits differ)" for pair in pairs[:5]]
    return Check(
        "contamination",
        "Photos of a benchmark",
        "share of photos that are in the benchmark too",
        0.0,
        True,
        tuple(parts),
        "take these photos out before training, or report the benchmark without them",
        overall(parts),
        tuple(examples),
    )


def told(check: Check) -> str:
    """The part that decides a check's verdict: number, interval, threshold, name and count."""
    part = check.worst
    if part is None:
        return "nothing to look at"
    number = "{:.1f}".format if check.name == "wordings" else "{:.1%}".format
    interval = "" if part.interval is None else f" [{number(part.interval[0])}, {number(part.interval[1])}]"
    sign = "at most" if check.at_most else "at least"
    return f"{number(part.value)}{interval}, {sign} {number(check.threshold)}; {part.name}, n={part.n:,}"


def _advised(check: Check) -> str:
    """The same, and what to do where it is amiss."""
    said = told(check)
    if check.verdict == "pass" or check.worst is None:
        return said
    return f"{said}: {check.mend if check.verdict != 'few' else 'too few to tell'}"

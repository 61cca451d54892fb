"""Which photos and questions of a data folder go on the page. Reads ids first, and rows of the chosen photos alone."""

from __future__ import annotations

import difflib
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from pseudogd.errors import InputError
from pseudogd.store.dataset import Store
from pseudogd.store.shards import shard_paths

PHOTOS, MOST_PHOTOS = 40, 1000
_ID_LENGTH = 8  # so many characters of an image id are enough to mean it


@dataclass(frozen=True)
class Choice:
    """What to show. ``photos``: at most so many, drawn by ``seed``; ``tasks`` and ``kinds``: only questions of these,
    and only photos that have some; ``images``: exactly these photos (path, file name, id or id of a question);
    ``failures``: photos of the failure ledger and those without a question, in place of a sample.
    """

    photos: int = PHOTOS
    tasks: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    seed: int = 0
    images: tuple[str, ...] = ()
    failures: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.photos <= MOST_PHOTOS:
            raise InputError(f"photos={self.photos}: show between 1 and {MOST_PHOTOS} photos on a page")
        if self.failures and (self.tasks or self.kinds):
            raise InputError("failures have no task and no kind; leave out --task and --kind, or --failures")


@dataclass
class Sample:
    """Rows of the chosen ``photos`` in the order of the data, ``questions`` of each by image id, and what there is.

    ``failed``: names of photos in the ledger that have no geometry (with --failures alone). ``totals``: photos,
    questions, and questions by task, of the whole folder.
    """

    photos: list[dict[str, Any]]
    questions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    totals: dict[str, Any] = field(default_factory=dict)
    ledger: list[dict[str, str]] = field(default_factory=list)


def finished(store: Store, stage: str) -> bool:
    """Whether a stage has been run to its end."""
    entry = store.manifest.stages.get(stage)
    return entry is not None and entry.complete


def choose(store: Store, choice: Choice) -> Sample:
    """The photos and questions to show. Raises InputError where nothing is there that was asked for."""
    photos = store.photos().to_pylist()
    ledger = store.failures().to_pylist()
    asked = _asked(store, choice)
    counts = Counter(asked)
    if choice.images:
        chosen = _named(photos, choice.images)
    elif choice.failures:
        chosen = _drawn(_troubled(store, photos, ledger, counts), choice)
    else:
        some = photos if not (choice.tasks or choice.kinds) else [p for p in photos if counts[p["image_id"]]]
        chosen = _drawn(some, choice)
    there = {photo["path"] for photo in photos}
    failed = sorted({row["image"] for row in ledger} - there)[: choice.photos] if choice.failures else []
    if not chosen and not failed:
        raise InputError(f"{store.root}: {'no failure' if choice.failures else 'no photo'} to show")
    return Sample(
        photos=chosen,
        questions=_questions(store, {photo["image_id"] for photo in chosen}, choice),
        failed=failed,
        totals=_totals(store, len(photos)),
        ledger=ledger,
    )


def _asked(store: Store, choice: Choice) -> list[str]:
    """Image id of every question that is wanted; checks the names of tasks and kinds."""
    if not finished(store, "questions"):
        if choice.tasks or choice.kinds:
            store.require("questions")
        return []
    table = store.questions(["image_id", "task", "kind"])
    for column, wanted in (("task", choice.tasks), ("kind", choice.kinds)):
        known = sorted(pc.unique(table[column]).to_pylist())
        for name in wanted:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}? " if near else ""
                raise InputError(f"{store.root}: no question of {column} {name!r}; {hint}there is {', '.join(known)}")
        if wanted:
            table = table.filter(pc.is_in(table[column], value_set=_values(wanted)))
    return table["image_id"].to_pylist()


def _values(names: Sequence[str] | set[str]) -> Any:
    import pyarrow as pa

    return pa.array(sorted(names), type=pa.string())


def _drawn(photos: Sequence[dict[str, Any]], choice: Choice) -> list[dict[str, Any]]:
    """At most so many of the photos by the seed, in the order that they have."""
    if len(photos) <= choice.photos:
        return list(photos)
    places = random.Random(choice.seed).sample(range(len(photos)), choice.photos)
    return [photos[place] for place in sorted(places)]


def _troubled(
    store: Store, photos: Sequence[dict[str, Any]], ledger: Sequence[Mapping[str, str]], counts: Counter[str]
) -> list[dict[str, Any]]:
    """Photos with geometry that the ledger names, or of which nothing could be asked."""
    named = {row["image"] for row in ledger}
    silent = finished(store, "questions")
    return [photo for photo in photos if photo["path"] in named or (silent and not counts[photo["image_id"]])]


def _named(photos: Sequence[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        hits = [photo for photo in photos if _is(photo, name)]
        if not hits:
            paths = [photo["path"] for photo in photos]
            near = difflib.get_close_matches(name, [*paths, *(PurePosixPath(p).stem for p in paths)], 1)
            hint = (
                f"did you mean {near[0]}?" if near else "give its path, file name or id; --failures lists those without"
            )
            raise InputError(f"no photo {name!r} with geometry; {hint}")
        found |= {photo["image_id"]: photo for photo in hits}
    return [photo for photo in photos if photo["image_id"] in found]


def _is(photo: Mapping[str, Any], name: str) -> bool:
    """By path, file name with or without extension, another file of the same bytes, or the start of an id."""
    if any(name in (path, PurePosixPath(path).name, PurePosixPath(path).stem) for path in _paths(photo)):
        return True
    start = name.partition("-")[0].lower()
    return len(start) >= _ID_LENGTH and photo["image_id"].startswith(start)


def _paths(photo: Mapping[str, Any]) -> list[str]:
    return [photo["path"], *(photo.get("aliases") or ())]


def _questions(store: Store, ids: set[str], choice: Choice) -> dict[str, list[dict[str, Any]]]:
    """Rows of the chosen photos, evidence and messages read; one shard in memory at a time."""
    found: dict[str, list[dict[str, Any]]] = {}
    if not finished(store, "questions"):
        return found
    for path in shard_paths(store.root / "questions"):
        table = pq.read_table(path, filters=[("image_id", "in", ids)], use_threads=False) if ids else None
        for row in table.to_pylist() if table is not None else ():
            wanted = (not choice.tasks or row["task"] in choice.tasks) and (
                not choice.kinds or row["kind"] in choice.kinds
            )
            if wanted:
                row["evidence"] = _read(row["evidence"])
                row["messages"] = _read(row["messages"])
                found.setdefault(row["image_id"], []).append(row)
    return found


def _read(text: str) -> Any:
    """JSON of a column; broken text stands for itself, so that it can be seen."""
    try:
        return json.loads(text)
    except ValueError:
        return {"unreadable": text}


def _totals(store: Store, photos: int) -> dict[str, Any]:
    totals: dict[str, Any] = {"photos": photos, "questions": 0, "tasks": {}}
    if finished(store, "questions"):
        tasks = Counter(store.questions(["task"])["task"].to_pylist())
        totals |= {"questions": sum(tasks.values()), "tasks": dict(sorted(tasks.items()))}
    return totals

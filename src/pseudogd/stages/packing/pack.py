"""Write the questions of a data folder, with their photos, as a data set of a common format."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pseudogd.errors import InputError
from pseudogd.progress import track
from pseudogd.stages.packing.card import dataset_card
from pseudogd.stages.packing.choice import Balance, Choice, make_choice, photos_with_questions
from pseudogd.stages.packing.formats import FORMATS
from pseudogd.stages.packing.pictures import Pictures
from pseudogd.store.dataset import Store
from pseudogd.store.durable import is_alive
from pseudogd.store.shards import shard_paths

MARKER = "pseudogd.json"
"""Says that the folder was made here, and may be written over."""


@dataclass(frozen=True)
class Packed:
    """What was written: rows, questions per split, photos, how many of those tell where they were taken, and how many
    questions of the data were left out."""

    out: Path
    format: str
    rows: int
    questions: Mapping[str, int] = field(default_factory=dict)
    photos: int = 0
    located: int = 0
    left_out: int = 0
    url: str | None = None


def pack(
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    format: str = "messages",
    *,
    tasks: str | Sequence[str] | None = None,
    min_margin: float | str | Mapping[str, float] | None = None,
    min_stability: float | None = None,
    balance: Balance | None = None,
    splits: str | Mapping[str, float] | None = None,
    turns: int = 1,
    images: str = "copy",
    evidence: bool = False,
    seed: int = 0,
    overwrite: bool = False,
    quiet: bool = False,
) -> Packed:
    """Write the folder `out`. It appears whole or not at all; only the list of photos is held in memory.

    Args:
        format: ``messages`` (JSON lines), ``llava`` (JSON), ``omnispatial`` (multiple choice alone), ``parquet``.
        tasks, min_margin, min_stability: which questions; margins are in the unit of each task ("nearer=0.2,size=0.4").
        balance: ids of the questions to leave out, as training does.
        splits: "train=0.9,test=0.1": shares of the photos; none is in two splits.
        turns: questions of a photo in one row; 0 is all of them. Not of ``omnispatial``.
        images: ``copy``, ``link`` (symbolic) or ``recode`` (pixels alone, without EXIF). A photo that is not upright,
            or of another kind than JPEG, PNG and WebP, is written anew in any case.
        evidence: keep the evidence of each question.
        overwrite: delete what an earlier call has written to `out`.

    Raises:
        InputError: no questions, none left, a wrong value, `out` holds something, or a photo is gone.
    """
    if format not in FORMATS:
        raise InputError(f"format {format!r}: is not one of {', '.join(FORMATS)}")
    if turns < 0:
        raise InputError(f"turns={turns}: must be at least 0, where 0 is all questions of a photo")
    pictures, target, store = Pictures(images), Path(out), Store(data)
    store.require("questions")
    choice = make_choice(store, tasks, min_margin, min_stability, splits, seed)
    _check_target(target, store, overwrite)
    with _aside(target) as root:
        writer = FORMATS[format](root, pictures, turns, evidence)
        counts: dict[str, Counter[str]] = {name: Counter() for name in ("splits", "tasks", "kinds", "formats")}
        rows, used = 0, set()
        try:
            with track("pack", len(store.photos()), unit="photos", quiet=quiet) as bar:
                for photo, questions in photos_with_questions(store, choice, balance):
                    chosen = [q for q in questions if format != "omnispatial" or q["options"] is not None]
                    if chosen:
                        split = choice.split_of(photo["image_id"])
                        rows += sum(writer.add(split, *shown) for shown in _by_picture(store, photo, chosen))
                        _count(counts, split, chosen)
                        used.add(photo["image_id"])
                    bar.advance()
        finally:
            writer.close()
        if not rows:
            raise InputError(f"{store.root}: no questions are left to pack; ask for less")
        told: dict[str, Any] = {name: dict(counter) for name, counter in counts.items()}
        told |= {"photos": len(used), "teachers": _teachers(store), "settings": store.settings("questions")}
        told |= {"located": pictures.located, "chosen": _chosen(choice, balance is not None)}
        (root / "README.md").write_text(dataset_card(target.name, format, told, writer.files), encoding="utf-8")
        made = {"format": format, "rows": rows, **told}
        (root / MARKER).write_text(json.dumps(made, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    left_out = int(store.counts("questions")["rows"]) - sum(told["splits"].values())
    return Packed(target, format, rows, told["splits"], len(used), pictures.located, left_out)


def _by_picture(
    store: Store, photo: Mapping[str, Any], questions: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[dict[str, Any], Path, list[Mapping[str, Any]]]]:
    """(photo, picture, its questions): the photo itself first, then the marked copy; `file_id` names the picture."""
    groups: dict[str | None, list[Mapping[str, Any]]] = {}
    for row in questions:
        groups.setdefault(row.get("picture"), []).append(row)
    for name in sorted(groups, key=lambda name: name or ""):
        path = store.picture_path(photo["image_id"], name)
        yield {**photo, "file_id": photo["image_id"] if name is None else path.stem}, path, groups[name]


def _count(counts: Mapping[str, Counter[str]], split: str, questions: Sequence[Mapping[str, Any]]) -> None:
    counts["splits"][split] += len(questions)
    for row in questions:
        counts["tasks"][row["task"]] += 1
        counts["kinds"][row["kind"]] += 1
        counts["formats"][json.loads(row["evidence"]).get("format") or ("mc" if row["options"] else "open")] += 1


def _teachers(store: Store) -> list[dict[str, str]]:
    """Every teacher of the geometry with its licence, by name."""
    found = {
        text
        for path in shard_paths(store.root / "geometry")
        for text in pq.read_table(path, columns=["teacher"], use_threads=False)["teacher"].to_pylist()
    }
    return sorted(map(json.loads, found), key=lambda teacher: (teacher["name"], teacher["revision"]))


def _chosen(choice: Choice, balanced: bool) -> list[str]:
    lines = []
    if choice.tasks is not None:
        lines.append(f"tasks: {', '.join(sorted(choice.tasks))} alone")
    if choice.min_margin is not None:
        least = choice.min_margin
        told = ", ".join(f"{k} {v:g}" for k, v in least.items()) if isinstance(least, Mapping) else f"{least:g}"
        lines.append(f"least margin: {told}")
    if choice.min_stability is not None:
        lines.append(f"least stability: {choice.min_stability:g}")
    if balanced:
        lines.append("left out: questions that a rule of thumb in the flat picture answers more often than not")
    return lines


def _check_target(target: Path, store: Store, overwrite: bool) -> None:
    real, data = target.resolve(), store.root.resolve()
    if any(real == place or real in place.parents for place in (data, store.photos_folder.resolve())):
        raise InputError(f"{target}: holds the data or its photos; choose another --out")
    if not target.exists():
        return
    if not target.is_dir():
        raise InputError(f"{target}: is a file; choose another --out")
    if not any(target.iterdir()):
        return
    if not overwrite:
        raise InputError(f"{target}: is not empty; choose another --out, or --overwrite")
    if not (target / MARKER).is_file():
        raise InputError(f"{target}: was not written by pack (no {MARKER}); choose another --out, or empty it yourself")


@contextmanager
def _aside(target: Path) -> Iterator[Path]:
    """A folder beside the target that takes its place at the end; after an error nothing of it is left."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(target)
        root = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        root.mkdir()
    except OSError as error:
        raise InputError(f"{target}: cannot be made ({error.strerror}); choose another --out") from error
    try:
        yield root
        old = root.with_name(f"{root.name.removesuffix('.tmp')}.old.tmp")
        if target.is_dir():
            os.replace(target, old)
        os.replace(root, target)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise InputError(f"{error.filename or target}: {error.strerror}; make room or choose another --out") from error
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _remove_leftovers(target: Path) -> None:
    """Folders of calls that were killed; their processes are gone."""
    for path in target.parent.glob(f".{target.name}.*.tmp"):
        number = path.name.removesuffix(".tmp").removesuffix(".old").rpartition(".")[2]
        if path.is_dir() and number.isdigit() and not is_alive(int(number)):
            shutil.rmtree(path, ignore_errors=True)

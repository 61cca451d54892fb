"""Benchmark items on disk, in OmniSpatial's own layout: ``data.json`` and ``<task_type>/<image>.png``.

A row of ``data.json`` has ``id`` ("IMAGE_NUMBER"), ``question``, ``options``, ``answer`` (0-based), ``task_type`` and
``sub_task_type``. The image's name is the part of the id before the first underscore. The same id may stand under two
task types, so an item is known by its ``uid``, "task_type/id".
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pseudogd.errors import InputError

LETTERS = "ABCDEFGHIJ"
DATA_FILE = "data.json"
_KNOWN = ("id", "question", "options", "answer", "task_type", "sub_task_type")


@dataclass(frozen=True)
class Item:
    """One multiple-choice question about one picture. ``answer`` is the 0-based index of the right option."""

    uid: str
    item_id: str
    question: str
    options: tuple[str, ...]
    answer: int
    task_type: str
    sub_task_type: str
    image: Path
    extra: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def answer_letter(self) -> str:
        return LETTERS[self.answer]


def load_items(source: str | Path) -> list[Item]:
    """Read the items of a folder, of its parent folder, or of a ``data.json``.

    Raises ``InputError`` (one line) for a missing or broken file, a row that is not an item, an image name that leaves
    the folder, and missing images.
    """
    data_file = find_data_file(Path(source))
    rows = _read_rows(data_file)
    seen: dict[str, int] = {}
    items = [_item(row, index, data_file, seen) for index, row in enumerate(rows)]
    missing = [item.image for item in items if not item.image.is_file()]
    if missing:
        raise InputError(
            f"{data_file}: {len(set(missing))} image(s) of its items are missing, the first is {missing[0]}; "
            "unpack the pictures beside data.json, one folder per task_type"
        )
    return items


def find_data_file(source: Path) -> Path:
    """``data.json`` itself, in the folder, or in the one sub-folder that has it (an archive's own top folder)."""
    if source.is_file():
        return source
    if not source.is_dir():
        raise InputError(f"{source}: no such folder or file; give the folder that holds {DATA_FILE}")
    if (source / DATA_FILE).is_file():
        return source / DATA_FILE
    below = sorted(path for path in source.glob(f"*/{DATA_FILE}") if path.is_file())
    if len(below) == 1:
        return below[0]
    if below:
        names = ", ".join(path.parent.name for path in below)
        raise InputError(f"{source}: {len(below)} sub-folders hold a {DATA_FILE} ({names}); name one of them")
    raise InputError(f"{source}: no {DATA_FILE} here nor one folder below; give the unpacked benchmark's folder")


def write_items(root: str | Path, rows: Iterable[Mapping[str, Any]], images: Mapping[str, Path]) -> Path:
    """Write ``data.json`` and copy its pictures; returns the path of ``data.json``, which is written last.

    ``rows`` are dictionaries with the six known keys (any others are kept); ``images`` maps the image's name in an id
    (the part before the underscore) to a PNG file.
    """
    root = Path(root)
    rows = [dict(row) for row in rows]
    copied: set[tuple[str, str]] = set()
    for row in rows:
        key = (str(row["task_type"]), image_name(str(row["id"])))
        if key in copied:
            continue
        copied.add(key)
        folder = root / key[0]
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{key[1]}.png"
        aside = target.with_name(f".{target.name}.tmp")
        shutil.copyfile(images[key[1]], aside)
        os.replace(aside, target)
    write_json(root / DATA_FILE, rows)
    return root / DATA_FILE


def write_json(path: Path, value: Any) -> None:
    """Write JSON aside, flush it to disk, then rename: the file is whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.tmp")
    with open(aside, "w", encoding="utf-8") as handle:
        json.dump(value, handle, ensure_ascii=False, indent=1)
        handle.write("\n")
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(aside, path)


def image_name(item_id: str) -> str:
    return item_id.split("_", 1)[0]


def _read_rows(data_file: Path) -> list[Any]:
    try:
        rows = json.loads(data_file.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{data_file}: not readable as JSON ({error}); copy the file again") from error
    if not isinstance(rows, list) or not rows:
        raise InputError(f"{data_file}: expected a non-empty list of items, found {type(rows).__name__}")
    return rows


def _item(row: Any, index: int, data_file: Path, seen: dict[str, int]) -> Item:
    def refuse(why: str) -> InputError:
        label = row.get("id") if isinstance(row, dict) else None
        return InputError(f"{data_file}: item {index} (id {label!r}): {why}")

    if not isinstance(row, dict):
        raise refuse(f"expected an object, found {type(row).__name__}")
    absent = [key for key in _KNOWN if key not in row]
    if absent:
        raise refuse(f"{', '.join(absent)} missing; each item needs {', '.join(_KNOWN)}")
    item_id, question, options, answer = str(row["id"]), row["question"], row["options"], row["answer"]
    if not isinstance(question, str) or not question.strip():
        raise refuse("question is not a text")
    if not isinstance(options, list) or not 2 <= len(options) <= len(LETTERS):
        raise refuse(f"options must be a list of 2 to {len(LETTERS)} texts")
    if isinstance(answer, bool) or not isinstance(answer, int) or not 0 <= answer < len(options):
        raise refuse(f"answer {answer!r} is not the 0-based index of one of its {len(options)} options")
    task_type, sub_task_type = str(row["task_type"]), str(row["sub_task_type"])
    image = _image_path(data_file.parent, task_type, image_name(item_id))
    if image is None:
        raise refuse(f"its image {task_type}/{image_name(item_id)}.png is outside of the benchmark's folder")
    uid = f"{task_type}/{item_id}"
    seen[uid] = seen.get(uid, 0) + 1
    if seen[uid] > 1:
        uid = f"{uid}#{seen[uid]}"
    extra = {key: value for key, value in row.items() if key not in _KNOWN}
    texts = tuple(str(option) for option in options)
    return Item(uid, item_id, question, texts, answer, task_type, sub_task_type, image, extra)


def _image_path(root: Path, task_type: str, name: str) -> Path | None:
    """``root/task_type/name.png``, or one folder deeper if each task type was an archive of its own; None if unsafe."""
    resolved = root.resolve()
    path = root / task_type / f"{name}.png"
    if "\0" in str(path) or not path.resolve().is_relative_to(resolved):
        return None
    deeper = root / task_type / task_type / f"{name}.png"
    if not path.is_file() and deeper.is_file() and deeper.resolve().is_relative_to(resolved):
        return deeper
    return path

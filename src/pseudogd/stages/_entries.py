"""What there is to label: one entry for each different photo."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pseudogd.errors import InputError
from pseudogd.progress import track
from pseudogd.store.photos import photo_id, photo_name

_SLOW_TO_READ = 5000  # files: below this, reading them all once takes no noticeable time


@dataclass(frozen=True, slots=True)  # there may be millions, and a Path is larger than all the rest
class Entry:
    """One photo to do: the first file with these bytes, and the names of the others. No id: the file is unreadable."""

    path: str
    name: str
    image_id: str
    aliases: tuple[str, ...] = ()


def identify(paths: Sequence[Path], root: Path, threads: ThreadPoolExecutor, quiet: bool) -> list[Entry]:
    """One entry for each different content, in order of the first file that has it; unreadable files stay apart."""
    names: dict[str, list[str]] = {}
    first: dict[str, Path] = {}
    with track("identify", len(paths), quiet=quiet or len(paths) < _SLOW_TO_READ) as bar:
        for path, image_id in zip(paths, threads.map(_id_or_nothing, paths)):
            name = photo_name(path, root)
            key = image_id or f"unreadable {name}"
            names.setdefault(key, []).append(name)
            first.setdefault(key, path)
            bar.advance()
    return [
        Entry(os.fspath(first[key]), own, "" if key.startswith("unreadable") else key, tuple(others))
        for key, (own, *others) in names.items()
    ]


def _id_or_nothing(path: Path) -> str:
    try:
        return photo_id(path)
    except InputError:
        return ""  # opening it again says why, in the ledger

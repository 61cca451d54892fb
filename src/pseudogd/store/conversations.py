"""Conversations of any content, to be mixed into training: JSON lines or Parquet, their pictures beside or inside them.

docs/data-format.md describes the format. Nothing but headers of pictures is read before they are asked for.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.store.messages import read_messages
from pseudogd.store.photos import decode_photo, load_photo, safe_join, upright_size

PREFIX = "general:"
"""Every picture's name begins with it; no photo's id does."""
_SAMPLE_BYTES = 1 << 20


@dataclass(frozen=True)
class Conversation:
    """One row that can be used.

    Attributes:
        where: file and line or row, for people.
        messages: `{"role", "content"}`, every content a list of `{"type": "text", "text"}` and `{"type": "image"}`.
        pictures: names of its pictures, in the order of its image parts; see `Conversations.picture`.
        sizes: their (width, height), upright.
    """

    where: str
    messages: list[dict[str, Any]]
    pictures: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Unusable:
    """One row that cannot be used, and why."""

    where: str
    reason: str


class _Source(Protocol):
    """Rows of one kind of file as dicts with `messages` and `images`."""

    def __len__(self) -> int: ...
    def where(self, index: int) -> str: ...
    def rows(self, indices: Sequence[int]) -> Iterator[Any]: ...
    def images(self, index: int) -> Any: ...


class Conversations:
    """Rows of a `.jsonl` file, a `.parquet` file, or a folder of such files.

    In a folder, Parquet is read where there is any; where files or folders are named after splits, `train` alone. Paths
    of pictures are relative to the file's folder, or to the folder that was given, and must not leave it. Safe to hand
    to worker processes.

    Raises:
        InputError: nothing there that can be read, or no column `messages`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise InputError(f"{self.path}: no such file or folder of conversations")
        self.root = self.path if self.path.is_dir() else self.path.parent
        self.files = _files(self.path)
        lines = self.files[0].suffix == ".jsonl"
        self._source: _Source = _Lines(self.files) if lines else _Table(self.files)

    def __len__(self) -> int:
        return len(self._source)

    def rows(self, indices: Sequence[int]) -> Iterator[Conversation | Unusable]:
        """The rows of these numbers, which should rise: neighbours are read together."""
        for index, row in zip(indices, self._source.rows(indices)):
            where = self._source.where(index)
            try:
                yield self._conversation(index, where, row)
            except InputError as error:
                yield Unusable(where, str(error))

    def picture(self, name: str) -> Image.Image:
        """A picture by its name, upright RGB. Raises InputError as `store.photos.open_photo` does."""
        kind, _, rest = name.removeprefix(PREFIX).partition(":")
        if kind == "file":
            return load_photo(safe_join(self.root, rest))
        index, number = map(int, rest.split(":"))
        data = _embedded(self._source.images(index)[number])
        return decode_photo(data or b"", f"{self._source.where(index)}, picture {number + 1}")[0]

    def digest(self) -> str:
        """A hash that tells one content from another: names, sizes and samples of the files."""
        digest = hashlib.sha256()
        for file in self.files:
            size = file.stat().st_size
            digest.update(f"{file.relative_to(self.root).as_posix()} {size}\n".encode("utf-8", "backslashreplace"))
            with file.open("rb") as handle:
                digest.update(handle.read(_SAMPLE_BYTES))
                handle.seek(max(size - _SAMPLE_BYTES, 0))
                digest.update(handle.read(_SAMPLE_BYTES))
        return digest.hexdigest()

    def _conversation(self, index: int, where: str, row: Any) -> Conversation:
        if isinstance(row, InputError):
            raise row
        messages = read_messages(row.get("messages"))
        images = row.get("images") or []
        if not isinstance(images, list):
            raise InputError("images must be a list")
        parts = sum(part["type"] == "image" for message in messages for part in message["content"])
        if images and not parts:  # as TRL reads it: pictures without a place come before the first question
            first = next((m for m in messages if m["role"] == "user"), None)
            if first is None:
                raise InputError("has pictures but no message of the user to put them in")
            first["content"] = [{"type": "image"}] * len(images) + first["content"]
        elif parts != len(images):
            raise InputError(f"has {parts} image parts in its messages but {len(images)} images")
        named = [self._named(index, number, image) for number, image in enumerate(images)]
        return Conversation(where, messages, tuple(name for name, _ in named), tuple(size for _, size in named))

    def _named(self, index: int, number: int, image: Any) -> tuple[str, tuple[int, int]]:
        label = f"picture {number + 1}"
        if (data := _embedded(image)) is not None:
            return f"{PREFIX}row:{index}:{number}", upright_size(BytesIO(data), label)
        relative = image.get("path") if isinstance(image, dict) else image
        if not isinstance(relative, str):
            raise InputError(f"{label} is neither a path nor embedded bytes")
        path = safe_join(self.root, relative)
        try:
            with path.open("rb") as file:
                return f"{PREFIX}file:{relative}", upright_size(file, relative)
        except OSError as error:
            raise InputError(f"{relative}: cannot be read ({error.strerror})") from error


class _Lines:
    """JSON lines; blank ones are passed over."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = files
        found = [(f, line, at) for f, file in enumerate(files) for line, at in _line_starts(file)]
        self._index = np.array(found, np.int64).reshape(-1, 3)

    def __len__(self) -> int:
        return len(self._index)

    def where(self, index: int) -> str:
        file, line, _ = self._index[index]
        return f"{self.files[file]}: line {line}"

    def rows(self, indices: Sequence[int]) -> Iterator[Any]:
        return (self._row(index) for index in indices)

    def images(self, index: int) -> Any:
        return self._row(index)["images"]

    def _row(self, index: int) -> Any:
        file, _, at = self._index[index]
        with self.files[file].open("rb") as handle:
            handle.seek(at)
            line = handle.readline()
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            return InputError(f"is not JSON ({error})")
        return row if isinstance(row, dict) else InputError("is not a JSON object")


class _Table:
    """Parquet files; one row group at a time is read."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = files
        self._groups: list[tuple[int, int]] = []
        self._file_starts: list[int] = []
        starts = [0]
        for number, file in enumerate(files):
            self._file_starts.append(starts[-1])
            for group, rows in enumerate(_group_sizes(file)):
                self._groups.append((number, group))
                starts.append(starts[-1] + rows)
        self._starts = np.array(starts, np.int64)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def where(self, index: int) -> str:
        file, _ = self._groups[self._group_of(index)]
        return f"{self.files[file]}: row {index - self._file_starts[file]}"

    def rows(self, indices: Sequence[int]) -> Iterator[Any]:
        held, table = -1, pa.table({})
        for index in indices:
            group = self._group_of(index)
            if group != held:
                held, table = group, self._read(group, ["messages", "images"])
            yield table.slice(index - int(self._starts[group]), 1).to_pylist()[0]

    def images(self, index: int) -> Any:
        group = self._group_of(index)
        table = self._read(group, ["images"])
        return table.slice(index - int(self._starts[group]), 1).to_pylist()[0]["images"]

    def _group_of(self, index: int) -> int:
        return int(np.searchsorted(self._starts, index, side="right")) - 1

    def _read(self, group: int, columns: Sequence[str]) -> pa.Table:
        number, inner = self._groups[group]
        try:
            with pq.ParquetFile(self.files[number], memory_map=True) as file:
                known = [c for c in columns if c in file.schema_arrow.names]
                return file.read_row_group(inner, columns=known, use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(self.files[number], error) from error


def _files(path: Path) -> list[Path]:
    if path.is_file():
        if path.suffix not in (".jsonl", ".parquet"):
            raise InputError(f"{path}: conversations are a .jsonl or .parquet file, or a folder of them")
        return [path]
    found = sorted(p for p in path.rglob("*") if p.is_file() and not _hidden(p.relative_to(path)))
    for suffix in (".parquet", ".jsonl"):
        if files := [p for p in found if p.suffix == suffix]:
            train = [p for p in files if any(part.startswith("train") for part in p.relative_to(path).parts)]
            return train or files
    if any(p.suffix == ".arrow" for p in found):
        raise InputError(f"{path}: holds Arrow files of save_to_disk; write Parquet with Dataset.to_parquet")
    raise InputError(f"{path}: no .parquet or .jsonl file in this folder")


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _line_starts(file: Path) -> Iterator[tuple[int, int]]:
    """(line number from 1, byte at which it begins) of every line that is not blank."""
    at = 0
    try:
        with file.open("rb") as handle:
            for number, line in enumerate(handle, 1):
                if line.strip():
                    yield number, at
                at += len(line)
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from error


def _group_sizes(file: Path) -> list[int]:
    """Rows of every row group. Raises InputError when it is no Parquet file or has no messages."""
    try:
        with pq.ParquetFile(file) as opened:
            metadata, names = opened.metadata, opened.schema_arrow.names
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(file, error) from error
    if "messages" not in names:
        raise InputError(f"{file}: has no column 'messages'; its columns are {', '.join(names)}")
    return [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]


def _unreadable(file: Path, error: Exception) -> InputError:
    return InputError(f"{file}: cannot be read as Parquet ({str(error).splitlines()[0]})")


def _embedded(image: Any) -> bytes | None:
    """The bytes of a picture that is stored in its row."""
    if isinstance(image, dict):
        image = image.get("bytes")
    return image if isinstance(image, bytes) else None

"""Photos inside other files: WebDataset tars, Parquet, the Arrow files of `datasets`; one at a time, as bytes."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pseudogd.errors import InputError
from pseudogd.store.photos import PHOTO_SUFFIXES

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.zst")
_IMAGE_COLUMNS = ("image", "images", "img", "photo", "picture", "jpg", "jpeg", "png", "webp", "bytes")
_CAMERA_KEYS = ("fx", "fy", "cx", "cy", "width", "height")
_MOST_BYTES = 1 << 30
_ROWS = 32  # that are in memory at a time
_KINDS = {b"\xff\xd8": ".jpg", b"\x89PNG": ".png", b"RIFF": ".webp", b"GIF8": ".gif", b"BM": ".bmp", b"II*\0": ".tif"}


@dataclass(frozen=True)
class Entry:
    """One photo of a container: its name there, its bytes, its camera if the container says it.

    An entry without a name is the camera of the photo with that `key` (a tar holds it in a file of its own).
    """

    name: str
    data: bytes = b""
    camera: Mapping[str, Any] | None = None
    key: str = ""
    reason: str = ""


def container_kind(name: str) -> str | None:
    """tar, parquet, arrow or jsonl by a file's name; None for any other."""
    lower = name.lower()
    if lower.endswith(TAR_SUFFIXES):
        return "tar"
    return next((kind for kind in ("parquet", "arrow", "jsonl") if lower.endswith(f".{kind}")), None)


def read_tar(file: BinaryIO, shown: str) -> Iterator[Entry]:
    """Photos of a tar as it streams by; `.json` beside a photo may hold its camera. Nothing is extracted to disk."""
    try:
        with tarfile.open(fileobj=file, mode="r|*") as archive:
            for member in archive:
                path = PurePosixPath(member.name)
                if not member.isfile() or path.name.startswith("."):
                    continue
                suffix, key = path.suffix.lower(), _key(member.name)
                if suffix not in PHOTO_SUFFIXES and suffix != ".json":
                    continue
                if member.size > _MOST_BYTES:
                    yield Entry(member.name, reason=f"has {member.size:,} bytes")
                    continue
                content = archive.extractfile(member)
                data = content.read() if content is not None else b""
                if suffix == ".json":
                    camera = _camera_of(_json(data))
                    if camera is not None:
                        yield Entry("", camera=camera, key=key)
                else:
                    yield Entry(member.name, data, key=key)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise InputError(f"{shown}: cannot be read as a tar ({error}); download it again") from error


def read_parquet(file: Any, shown: str) -> Iterator[Entry]:
    """Photos of the image column of a Parquet file, row by row."""
    try:
        with pq.ParquetFile(file) as table:
            column = image_column(table.schema_arrow, shown)
            wanted = [name for name in table.schema_arrow.names if name in (column, "camera", *_CAMERA_KEYS)]
            yield from _rows(table.iter_batches(_ROWS, columns=wanted, use_threads=False), column)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{shown}: cannot be read as Parquet ({_first(error)})") from error


def read_arrow(file: Any, shown: str) -> Iterator[Entry]:
    """Photos of an Arrow stream, as `Dataset.save_to_disk` writes them."""
    try:
        with pa.ipc.open_stream(file) as reader:
            column = image_column(reader.schema, shown)
            wanted = [name for name in reader.schema.names if name in (column, "camera", *_CAMERA_KEYS)]
            yield from _rows((part for batch in reader for part in _cut(batch.select(wanted))), column)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{shown}: cannot be read as an Arrow stream ({_first(error)})") from error


READERS = {"tar": read_tar, "parquet": read_parquet, "arrow": read_arrow}


def read_jsonl(text: str, shown: str) -> Iterator[tuple[int, str, Mapping[str, Any] | None]]:
    """(line, path, camera or None) of every line. InputError names a line that is none."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise InputError(f"{shown}: line {number} is not JSON ({error}); correct or remove it") from error
        names = ("path", "image", "file_name", "photo")
        path = (
            next((entry[n] for n in names if isinstance(entry.get(n), str)), None) if isinstance(entry, dict) else None
        )
        if path is None:
            raise InputError(f"{shown}: line {number} names no photo; give it a key `path`")
        yield number, path, _camera_of(entry)


def image_column(schema: pa.Schema, shown: str) -> str:
    """The column that holds pictures: bytes, or {bytes, path} as the `Image` of `datasets`, or a list of either.

    InputError without one.
    """
    fit = [field.name for field in schema if _holds_bytes(field.type)]
    for name in (*_IMAGE_COLUMNS, *(fit if len(fit) == 1 else ())):
        if name in fit:
            return name
    raise InputError(f"{shown}: has no column of pictures as bytes (columns: {', '.join(schema.names)})")


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _holds_bytes(kind.value_type)
    if pa.types.is_struct(kind):
        return any(kind.field(i).name == "bytes" and _holds_bytes(kind.field(i).type) for i in range(kind.num_fields))
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _cut(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    for start in range(0, batch.num_rows, _ROWS):
        yield batch.slice(start, _ROWS)


def _rows(batches: Iterator[pa.RecordBatch], column: str) -> Iterator[Entry]:
    number = 0
    for batch in batches:
        for row in batch.to_pylist():
            value = row.pop(column)
            if isinstance(value, list):
                for place, one in enumerate(value):
                    yield _picture(one, f"{number:08d}_{place}", _camera_of(row) if len(value) == 1 else None)
            else:
                yield _picture(value, f"{number:08d}", _camera_of(row))
            number += 1


def _picture(value: Any, stem: str, camera: Mapping[str, Any] | None) -> Entry:
    held = value if isinstance(value, Mapping) else {"bytes": value}
    data, path = held.get("bytes") or b"", str(held.get("path") or "")
    suffix = PurePosixPath(path).suffix.lower()
    known = next((kind for magic, kind in _KINDS.items() if data.startswith(magic)), None)
    name = f"{stem}{known or (suffix if suffix in PHOTO_SUFFIXES else '.jpg')}"
    if data:
        return Entry(name, data, camera, key=_key(name))
    where = f"the path {path} and not the picture; give the folder of the photos" if path else "no picture"
    return Entry(name, key=_key(name), reason=f"holds {where}")


def _camera_of(entry: Any) -> dict[str, Any] | None:
    """A camera under the key `camera`, or its numbers beside the photo; None without a focal length."""
    if not isinstance(entry, Mapping):
        return None
    found = entry.get("camera")
    found = _json(found) if isinstance(found, (str, bytes)) else found
    found = found if isinstance(found, Mapping) else entry
    camera = {key: found[key] for key in _CAMERA_KEYS if found.get(key) is not None}
    return camera if {"fx", "fy"} <= set(camera) else None


def _json(data: str | bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def _key(name: str) -> str:
    """What the files of one sample share: the name up to the first dot of its last part."""
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition('.')[0]}"


def _first(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)

"""Parquet shards that appear whole or not at all.

Shard k of a stage holds what came of a fixed slice of the sorted inputs. Its footer carries a digest of that slice and
the failures of the slice, so that rows and failures appear in the same instant, and a shard is valid on its own.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pseudogd.errors import InputError
from pseudogd.store.durable import is_alive, sync

_DIGEST_KEY, _FAILURES_KEY, _NOTES_KEY = b"pseudogd.inputs", b"pseudogd.failures", b"pseudogd.notes"
_TEMPORARY = re.compile(r"^\..*\.(?:([^.]*)-)?(\d+)\.tmp$")
_STALE_SECONDS = 86_400
_SHARD = re.compile(r"^part-(\d{5,})\.parquet$")


@dataclass(frozen=True)
class Failure:
    """What could not be done: `image` is the photo's name as the user knows it."""

    image: str
    reason: str


@dataclass(frozen=True)
class Slice:
    """Inputs start..stop-1 of a stage, which shard `index` holds; `digest` stands for what they are."""

    index: int
    start: int
    stop: int
    digest: str


def plan(keys: Sequence[str], shard_size: int) -> list[Slice]:
    """Cut inputs, each described by its key, into slices of `shard_size`."""
    if shard_size < 1:
        raise InputError(f"shard_size = {shard_size}: must be at least 1")
    slices = []
    for index, start in enumerate(range(0, len(keys), shard_size)):
        stop = min(start + shard_size, len(keys))
        digest = hashlib.sha256("\n".join(json.dumps(key) for key in keys[start:stop]).encode()).hexdigest()
        slices.append(Slice(index, start, stop, digest))
    return slices


def shard_path(folder: Path, index: int) -> Path:
    """DATA/<stage>/part-00000.parquet and so on."""
    return folder / f"part-{index:05d}.parquet"


def shard_paths(folder: Path) -> list[Path]:
    """The finished shards of a stage, in order."""
    if not folder.is_dir():
        return []
    found = [(int(match[1]), path) for path in folder.iterdir() if (match := _SHARD.match(path.name))]
    return [path for _, path in sorted(found)]


def sum_path(path: Path) -> Path:
    """Where a shard's SHA-256 stands, as `sha256sum` writes it."""
    return path.with_name(f"{path.name}.sha256")


def remove_shard(path: Path) -> None:
    """Delete a shard and its digest."""
    path.unlink(missing_ok=True)
    sum_path(path).unlink(missing_ok=True)


def write_shard(
    path: Path,
    table: pa.Table,
    digest: str,
    failures: Sequence[Failure],
    *,
    row_group_size: int,
    raw: Sequence[str] = (),
    notes: Sequence[Failure] = (),
) -> None:
    """Write one shard in one atomic step, and its digest beside it.

    Columns in `raw` hold compressed bytes already and are stored as they are. The digest is written first: whatever is
    killed in between leaves a shard that is not what its digest says, and is made again. `notes` are what was left out
    on purpose; a shard without any has no trace of them.
    """
    footer = {_DIGEST_KEY: digest.encode(), _FAILURES_KEY: _listed(failures)}
    if notes:
        footer[_NOTES_KEY] = _listed(notes)
    data = parquet_bytes(table.replace_schema_metadata(footer), row_group_size=row_group_size, raw=raw)
    write_atomic(sum_path(path), f"{hashlib.sha256(data).hexdigest()}  {path.name}\n".encode())
    write_atomic(path, data)


def parquet_bytes(table: pa.Table, *, row_group_size: int = 65536, raw: Sequence[str] = ()) -> bytes:
    """A table as Parquet: the same table gives the same bytes."""
    compression = {name: "NONE" if name in raw else "ZSTD" for name in table.column_names}
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression=compression,
        compression_level={name: 3 for name, kind in compression.items() if kind == "ZSTD"},
        row_group_size=row_group_size,
        use_dictionary=False,
        write_statistics=False,
    )
    return sink.getvalue().to_pybytes()


def shard_digest(path: Path) -> str | None:
    """The digest of the inputs a shard was made from; None when there is no such shard or it is not one of ours."""
    try:
        metadata = pq.read_metadata(path).metadata or {}
    except (OSError, pa.ArrowException):
        return None
    return metadata.get(_DIGEST_KEY, b"").decode() or None


def shard_failures(path: Path) -> list[Failure]:
    """The failures that a shard's slice of the inputs met."""
    return _lines(path, _FAILURES_KEY)


def shard_notes(path: Path) -> list[Failure]:
    """What was left out on purpose of a shard's slice of the inputs, and why."""
    return _lines(path, _NOTES_KEY)


def _listed(lines: Sequence[Failure]) -> bytes:
    return json.dumps([[line.image, line.reason] for line in lines], ensure_ascii=True).encode()


def _lines(path: Path, key: bytes) -> list[Failure]:
    metadata = pq.read_metadata(path).metadata or {}
    return [Failure(image, reason) for image, reason in json.loads(metadata.get(key, b"[]"))]


def write_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Put `data` at `path` in one step: write aside, fsync, rename, fsync the folder.

    Whoever looks, or whatever is killed, sees the old file or the new one. Raises InputError, and leaves nothing
    behind, when the folder cannot be written or is full.
    """
    path = Path(path)
    aside = path.with_name(f".{path.name}.{_host()}-{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(aside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
        sync(path.parent)
    except OSError as error:
        raise InputError(_write_error(path, error)) from error
    finally:
        if aside.exists():
            aside.unlink()


def remove_leftovers(folder: Path) -> None:
    """Delete files that a killed process was still writing aside; those of processes that live are left alone.

    Of processes on other machines nothing is known: what they write aside is deleted once it is a day old.
    """
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        match = _TEMPORARY.match(path.name)
        if match and not (is_alive(int(match[2])) if match[1] in (None, _host()) else _is_fresh(path)):
            path.unlink(missing_ok=True)


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", socket.gethostname()) or "host"


def _is_fresh(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime < _STALE_SECONDS
    except FileNotFoundError:
        return False


def _write_error(path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"{path}: cannot be written, {error.strerror}; make room and run the same command again"
    return f"{path}: cannot be written ({error.strerror}); choose another folder or mend its permissions"

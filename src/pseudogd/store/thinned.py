"""``DATA/thinned.parquet``: questions that are to be left out of training and packing, each with the reason.

The questions themselves stay in the data folder. The file belongs to the very questions that it was made of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pseudogd.errors import InputError
from pseudogd.store.dataset import THINNED_NAME, Store
from pseudogd.store.shards import parquet_bytes, shard_digest, shard_paths, write_atomic

_OF = b"pseudogd.questions"


def write_thinned(store: Store, reasons: Mapping[str, str]) -> Path:
    """Write the ids and reasons, in one step; an earlier file is replaced."""
    path = store.root / THINNED_NAME
    table = pa.table({"question_id": list(reasons), "reason": list(reasons.values())})
    write_atomic(path, parquet_bytes(table.replace_schema_metadata({_OF: questions_digest(store).encode()})))
    return path


def read_thinned(store: Store) -> dict[str, str]:
    """id -> reason; empty where nothing was thinned. InputError where the file is of other questions."""
    path = store.root / THINNED_NAME
    if not path.is_file():
        return {}
    try:
        table = pq.read_table(path, use_threads=False)
        of = (table.schema.metadata or {})[_OF].decode()
    except (OSError, pa.ArrowInvalid, KeyError) as error:
        raise InputError(f"{path}: cannot be read; remove it, or run `pseudogd audit {store.root} --thin`") from error
    if of != questions_digest(store):
        raise InputError(
            f"{path}: tells what to leave out of other questions than are there now; "
            f"run `pseudogd audit {store.root} --thin` again, or remove it"
        )
    return dict(zip(table["question_id"].to_pylist(), table["reason"].to_pylist()))


def questions_digest(store: Store) -> str:
    """Changes with the settings of the questions, and with the photos and objects that they are about."""
    digest = hashlib.sha256(store.settings_hash("questions").encode())
    for path in shard_paths(store.root / "questions"):
        digest.update(f"{path.name} {shard_digest(path)}\n".encode())
    return digest.hexdigest()

"""What a stage was made from, photo by photo: if it changes, the later stage's shards are made again."""

from __future__ import annotations

import hashlib
import json

import pyarrow.parquet as pq

from pseudogd.store import shards
from pseudogd.store.dataset import Store
from pseudogd.store.integrity import require_whole


def origins(store: Store, stage: str, verify: bool = False) -> dict[str, str]:
    """image_id -> hash of the stage's settings and of the inputs of the shard that holds the photo.

    With `verify` every shard is compared with its digest first: InputError names the damaged one.
    """
    settings = store.settings_hash(stage)
    found: dict[str, str] = {}
    for path in shards.shard_paths(store.root / stage):
        if verify:
            require_whole(path, stage)
        origin = f"{settings}:{shards.shard_digest(path)}"
        for image_id in pq.read_table(path, columns=["image_id"], use_threads=False)["image_id"].to_pylist():
            found[image_id] = origin
    return found


def digest(*parts: object) -> str:
    """Short hash of plain values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]

"""Questions in other words, units or formats, from the facts that their evidence holds: no geometry is opened."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pseudogd.errors import InputError
from pseudogd.progress import track
from pseudogd.stages.marking import picture_of
from pseudogd.store import shards
from pseudogd.store.dataset import Store
from pseudogd.store.manifest import StageEntry
from pseudogd.vqa.fact import restored
from pseudogd.vqa.settings import SynthSettings
from pseudogd.vqa.synth import again

ASIDE = "questions.rerendered"
"""Folder of shards that are ready but not yet in place."""


def rerender(store: Store, settings: SynthSettings, plain: Mapping[str, Any], seed: int, quiet: bool) -> dict[str, int]:
    """Put every question of the folder in other words; counts as of a finished stage.

    Shards are written aside and moved into place at the end. Killed before that, the folder has its old questions;
    killed while they are moved, it says that its questions are not finished, and the same command finishes them.
    """
    entry = store.manifest.stages.get("questions")
    aside = store.root / ASIDE
    if entry is None:
        store.require("questions")
    assert entry is not None
    if entry.settings != plain:
        store.require("questions")
        _write_aside(store, aside, settings, plain, seed, quiet)
        store.manifest.stages["questions"] = StageEntry(dict(plain))
        store.manifest.save(store.root)
    elif entry.complete:
        return entry.counts
    for path in shards.shard_paths(aside):
        place = store.root / "questions" / path.name
        if shards.sum_path(path).exists():  # the digest goes first, as when a shard is written
            shards.sum_path(path).replace(shards.sum_path(place))
        path.replace(place)
    shutil.rmtree(aside, ignore_errors=True)
    return store.finish("questions", len(shards.shard_paths(store.root / "questions")))


def _write_aside(
    store: Store, aside: Path, settings: SynthSettings, plain: Mapping[str, Any], seed: int, quiet: bool
) -> None:
    stamp = aside / "settings.json"
    wanted = json.dumps(plain, sort_keys=True)
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(aside, ignore_errors=True)
        shards.write_atomic(stamp, wanted.encode())
    paths = shards.shard_paths(store.root / "questions")
    with track("rerender", len(paths), unit="shards", quiet=quiet) as bar:
        for path in paths:
            if shards.shard_digest(aside / path.name) is None:
                rows = pq.read_table(path, use_threads=False).to_pylist()
                said = _in_other_words(path, rows, settings, seed)
                store.write_shard_at(aside / path.name, "questions", shards.shard_digest(path) or "", said, path)
            bar.advance(1)


def _in_other_words(
    path: Path, rows: Sequence[dict[str, Any]], settings: SynthSettings, seed: int
) -> list[dict[str, Any]]:
    found = []
    for row in rows:
        evidence = json.loads(row["evidence"])
        try:
            fact = restored(row, evidence)
        except KeyError as error:
            raise InputError(
                f"{path}: its questions were made by an earlier version and do not hold their facts; "
                "make them again with `pseudogd synth --overwrite`"
            ) from error
        found.append(picture_of(again(row, evidence, fact, settings, seed)))
    return found

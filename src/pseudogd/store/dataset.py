"""A data folder: manifest, Parquet shards of three stages, failure ledger; read and written."""

from __future__ import annotations

import json
import os
import shutil
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pseudogd.errors import InputError
from pseudogd.geometry.types import Geometry
from pseudogd.store import integrity, pictures, schemas, shards
from pseudogd.store.manifest import Manifest, StageEntry, check_settings, plain_settings
from pseudogd.store.photos import photos_root, safe_join
from pseudogd.store.rows import row_geometry
from pseudogd.store.shards import Failure, Slice
from pseudogd.store.tables import read_columns, read_stage

FAILURES_NAME = "failures.parquet"
THINNED_NAME = "thinned.parquet"
_OPEN_FILES = 64


class Store:
    """DATA/ as rows. `Store(root)` reads, `Store.open(root, stage, settings)` also writes one stage.

    Safe to hand to worker processes: open files and what was last read of them are left behind when it is pickled, and
    reading starts no threads.
    """

    def __init__(self, root: str | os.PathLike[str], *, photos: str | os.PathLike[str] | None = None) -> None:
        """Open what is there; `photos` overrides the recorded folder. InputError when ROOT is no data folder."""
        self.root = Path(root)
        self.manifest = Manifest.load(self.root)
        self._photos_override = Path(photos) if photos is not None else None
        self._index: dict[str, dict[str, tuple[Path, int]]] = {}
        self._files: OrderedDict[Path, pq.ParquetFile] = OrderedDict()
        self._groups: dict[str, tuple[Path, int, pa.Table]] = {}
        self._paths: dict[str, str] = {}

    @classmethod
    def open(
        cls,
        root: str | os.PathLike[str],
        stage: str,
        settings: Mapping[str, Any],
        *,
        resume: bool = True,
        photos: str | os.PathLike[str] | None = None,
    ) -> Store:
        """Open or create ROOT for writing `stage` with `settings` (plain JSON values).

        What the stage already holds is kept when the settings are the same. Other settings raise SettingsMismatch that
        names the difference, unless `resume` is False: then the stage and those made from it are deleted first.
        `photos` (needed by the first stage) is the folder that photo paths are relative to. InputError when a stage
        before this one has not been finished, or ROOT cannot be written.
        """
        root = Path(root)
        plain = plain_settings(settings)
        _make_folder(root)
        manifest = Manifest.load_or_new(root)
        for earlier in schemas.STAGES[: schemas.STAGES.index(stage)]:
            _require(root, manifest, earlier)
        if not resume:
            _discard(root, manifest, stage)
        if photos is not None:
            manifest.set_photos(Path(photos), root)
        entry = manifest.stages.get(stage)
        if entry is None:
            shutil.rmtree(root / stage, ignore_errors=True)  # shards without a manifest entry: settings unknown
            manifest.stages[stage] = StageEntry(plain)
        else:
            check_settings(root, stage, entry.settings, plain)
        manifest.save(root)
        for folder in (root, root / stage, *pictures.folders(root)):
            shards.remove_leftovers(folder)
        return cls(root)

    # --- writing -----------------------------------------------------------------------------------------------

    def has_shard(self, stage: str, part: Slice) -> bool:
        """Whether the shard of this very slice of inputs is already there, by what its footer says."""
        return shards.shard_digest(shards.shard_path(self.root / stage, part.index)) == part.digest

    def damage(self, stage: str, part: Slice) -> str | None:
        """One line if the shard is there but not as it was written, else None. Reads it from end to end."""
        path = shards.shard_path(self.root / stage, part.index)
        if not path.exists():
            return None
        reason = integrity.damage_of(path)
        if reason is not None:
            return f"{path}: {reason}"
        return next(pictures.damaged(self.root, path), None) if stage == "questions" else None

    def write_shard(
        self,
        stage: str,
        part: Slice,
        rows: Sequence[Mapping[str, Any]],
        failures: Sequence[Failure] = (),
        notes: Sequence[Failure] = (),
    ) -> None:
        """Write the rows, failures and notes of one slice of the inputs in one atomic step."""
        shards.write_shard(
            shards.shard_path(self.root / stage, part.index),
            schemas.to_table(stage, rows),
            part.digest,
            failures,
            row_group_size=schemas.ROW_GROUP[stage],
            raw=schemas.RAW_COLUMNS.get(stage, ()),
            notes=notes,
        )
        self._forget(stage)

    def write_shard_at(
        self, path: Path, stage: str, digest: str, rows: Sequence[Mapping[str, Any]], like: Path
    ) -> None:
        """Write rows of a stage as a shard at `path`, with the failures that shard `like` met."""
        table, failures = schemas.to_table(stage, rows), shards.shard_failures(like)
        raw = schemas.RAW_COLUMNS.get(stage, ())
        shards.write_shard(path, table, digest, failures, row_group_size=schemas.ROW_GROUP[stage], raw=raw)

    def reopen(self, stage: str) -> None:
        """Say in the manifest that the stage is being worked on."""
        if self.manifest.stages[stage].complete:
            self.manifest.stages[stage] = StageEntry(self.manifest.stages[stage].settings)
            self.manifest.save(self.root)

    def finish(self, stage: str, shard_count: int, counts: Mapping[str, int] | None = None) -> dict[str, int]:
        """Close a stage: drop shards beyond `shard_count`, write the failure ledger, and put the counts on record."""
        for path in shards.shard_paths(self.root / stage)[shard_count:]:
            shards.remove_shard(path)
        self._forget(stage)
        entry = self.manifest.stages[stage]
        entry.complete = True
        entry.counts = {**(counts or {}), **_count(shards.shard_paths(self.root / stage))}
        self._write_ledger()
        self.manifest.save(self.root)
        return entry.counts

    def add_counts(self, stage: str, counts: Mapping[str, int]) -> None:
        """Put further counts of a finished stage on record."""
        self.manifest.stages[stage].counts.update(counts)
        self.manifest.save(self.root)

    def count_shards(self, stage: str, parts: Sequence[Slice]) -> dict[str, int]:
        """rows, failures and shards of some slices of a stage that others are still working on."""
        return _count([shards.shard_path(self.root / stage, part.index) for part in parts])

    def _write_ledger(self) -> None:
        found = [
            {"image": failure.image, "stage": stage, "reason": failure.reason}
            for stage in schemas.STAGES
            for path in shards.shard_paths(self.root / stage)
            for failure in shards.shard_failures(path)
        ]
        table = pa.Table.from_pylist(found, schema=schemas.FAILURE_SCHEMA)
        shards.write_atomic(self.root / FAILURES_NAME, shards.parquet_bytes(table))

    # --- reading -----------------------------------------------------------------------------------------------

    def require(self, stage: str) -> None:
        """Raise InputError naming the command to run when `stage` is missing or was not finished."""
        _require(self.root, self.manifest, stage)

    def settings(self, stage: str) -> dict[str, Any]:
        """The settings `stage` was made with."""
        self.require(stage)
        return self.manifest.stages[stage].settings

    def settings_hash(self, stage: str) -> str:
        """Hash of those settings: what a later stage records to say what it was made from."""
        self.require(stage)
        return self.manifest.stages[stage].settings_hash

    def counts(self, stage: str) -> dict[str, int]:
        """rows, failures, shards and whatever else the stage counted."""
        self.require(stage)
        return self.manifest.stages[stage].counts

    def geometry_ids(self) -> list[str]:
        """Ids of the photos with geometry, in row order."""
        return list(self._rows_of("geometry"))

    def geometry(self, image_id: str) -> Geometry:
        """Geometry of one photo. KeyError for an id that is not there."""
        return row_geometry(self._row("geometry", image_id))

    def objects(self, image_id: str) -> list[dict[str, Any]]:
        """Named objects of one photo; an empty list for a photo without any."""
        if image_id not in self._rows_of("objects"):
            return []
        return json.loads(self._row("objects", image_id)["objects"])

    def unnamed(self, image_id: str) -> list[dict[str, Any]]:
        """Things of one photo that no words point at alone, as `objects` but with empty names."""
        if image_id not in self._rows_of("objects"):
            return []
        return json.loads(self._row("objects", image_id).get("unnamed") or "[]")

    def questions(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All questions, or some of their columns, in row order."""
        return self._table("questions", columns)

    def photos(self) -> pa.Table:
        """image_id, path, aliases, width, height of every photo with geometry, in row order."""
        return self._table("geometry", ("image_id", "path", "aliases", "width", "height"))

    def photo_path(self, image_id: str) -> Path:
        """Where the photo lies. KeyError for an unknown id, InputError when its path leaves the photos' folder."""
        if not self._paths:
            table = self._table("geometry", ("image_id", "path"))
            self._paths = dict(zip(table["image_id"].to_pylist(), table["path"].to_pylist()))
        return safe_join(self.photos_folder, self._paths[image_id])

    def camera_sources(self) -> list[str | None]:
        """Who says what each photo's intrinsics are (`geometry.types.CAMERA_SOURCES`); None in folders of before."""
        return self._table("geometry", ("camera_source",))["camera_source"].to_pylist()

    def picture_path(self, image_id: str, picture: str | None) -> Path:
        """Where the picture of a question lies: the photo, or the copy of it with marks that column `picture` names."""
        return self.photo_path(image_id) if picture is None else safe_join(self.root, picture)

    @property
    def photos_folder(self) -> Path:
        """The folder that photo paths are relative to."""
        if self._photos_override is not None:
            return photos_root(self._photos_override)
        return self.manifest.photos_folder(self.root)

    def left_out(self, stage: str) -> list[Failure]:
        """What was left out on purpose of a stage, photo by photo in row order, and why; it is no failure."""
        return [note for path in shards.shard_paths(self.root / stage) for note in shards.shard_notes(path)]

    def failures(self) -> pa.Table:
        """image, stage, reason of whatever could not be done in the finished stages."""
        path = self.root / FAILURES_NAME
        if not path.exists():
            return schemas.FAILURE_SCHEMA.empty_table()
        return pq.read_table(path, use_threads=False)

    def _table(self, stage: str, columns: Sequence[str] | None) -> pa.Table:
        self.require(stage)
        paths = shards.shard_paths(self.root / stage)
        names = list(columns) if columns is not None else schemas.SCHEMAS[stage].names
        if unknown := [name for name in names if name not in schemas.SCHEMAS[stage].names]:
            raise InputError(f"{self.root}: {stage} has no column {unknown[0]!r}")
        if not paths:
            return schemas.SCHEMAS[stage].empty_table().select(names)
        return pa.concat_tables(read_stage(path, stage, names) for path in paths)

    def _rows_of(self, stage: str) -> dict[str, tuple[Path, int]]:
        """image_id -> (shard, row) of a stage with one row per photo."""
        if stage not in self._index:
            self.require(stage)
            self._index[stage] = {
                image_id: (path, row)
                for path in shards.shard_paths(self.root / stage)
                for row, image_id in enumerate(read_columns(path, ["image_id"])["image_id"].to_pylist())
            }
        return self._index[stage]

    def _row(self, stage: str, image_id: str) -> dict[str, Any]:
        path, row = self._rows_of(stage)[image_id]
        group, inner = divmod(row, schemas.ROW_GROUP[stage])
        known = self._groups.get(stage)
        if known is None or known[:2] != (path, group):  # rows are mostly asked for in order: the last group is kept
            known = path, group, self._file(path).read_row_group(group, use_threads=False)
            self._groups[stage] = known
        return known[2].slice(inner, 1).to_pylist()[0]

    def _file(self, path: Path) -> pq.ParquetFile:
        file = self._files.pop(path, None) or pq.ParquetFile(path, memory_map=True)
        self._files[path] = file  # last used, last thrown out
        if len(self._files) > _OPEN_FILES:
            self._files.popitem(last=False)[1].close()
        return file

    def _forget(self, stage: str) -> None:
        """Drop what is remembered of a stage's files after they changed."""
        self._index.pop(stage, None)
        self._groups.pop(stage, None)
        for path in [path for path in self._files if path.parent.name == stage]:
            self._files.pop(path).close()
        if stage == "geometry":
            self._paths = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_files": OrderedDict(), "_groups": {}}


def _count(paths: Sequence[Path]) -> dict[str, int]:
    rows = sum(pq.read_metadata(path).num_rows for path in paths)
    return {"rows": rows, "failures": sum(len(shards.shard_failures(path)) for path in paths), "shards": len(paths)}


def _make_folder(root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{root}: cannot be made ({error.strerror}); choose another --out") from error


_COMMANDS = {"geometry": "label PHOTOS --out", "objects": "annotate", "questions": "synth"}


def _require(root: Path, manifest: Manifest, stage: str) -> None:
    entry = manifest.stages.get(stage)
    if entry is None:
        raise InputError(f"{root}: holds no {stage} yet; run `pseudogd {_COMMANDS[stage]} {root}` first")
    if not entry.complete:
        raise InputError(f"{root}: {stage} was not finished; run the same `pseudogd {_COMMANDS[stage]} {root}` again")


def _discard(root: Path, manifest: Manifest, stage: str) -> None:
    """Delete a stage and those made from it: first from the manifest, so that a kill in between leaves no half."""
    gone = [name for name in schemas.STAGES[schemas.STAGES.index(stage) :] if name in manifest.stages]
    for name in gone:
        del manifest.stages[name]
    if gone:
        manifest.save(root)
        (root / THINNED_NAME).unlink(missing_ok=True)  # it speaks of the questions, which every stage comes before
    for name in gone:
        shutil.rmtree(root / name, ignore_errors=True)
    if "questions" in gone:
        shutil.rmtree(root / pictures.FOLDER, ignore_errors=True)

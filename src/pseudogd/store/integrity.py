"""Whether the files of a data folder still hold what was written: each shard has its SHA-256 beside it.

The digest is a file `part-00000.parquet.sha256` in the form of the command of that name, so that `sha256sum -c` checks
it too.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pseudogd.errors import InputError
from pseudogd.store.manifest import Manifest
from pseudogd.store.pictures import flaw_of, pictures_of
from pseudogd.store.schemas import STAGES
from pseudogd.store.shards import shard_path, shard_paths, sum_path

_COMMANDS = {"geometry": "label", "objects": "annotate", "questions": "synth"}


@dataclass(frozen=True)
class Damage:
    """A file that is not as it was written: why, and what mends it."""

    path: Path
    reason: str
    mend: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}; {self.mend}"


@dataclass(frozen=True)
class Verified:
    """What `verify` has read, and what was wrong."""

    out: Path
    files: int
    bytes: int
    damaged: tuple[Damage, ...]

    @property
    def exit_code(self) -> int:
        """0 all is well, 1 something is damaged."""
        return int(bool(self.damaged))


def damage_of(path: Path) -> str | None:
    """What is wrong with a shard, or None. A shard of an older version, without a digest, is read from end to end."""
    try:
        said = sum_path(path).read_bytes()
    except FileNotFoundError:
        return _unreadable(path)
    except OSError as error:
        return f"its digest cannot be read ({error.strerror})"
    try:
        found = file_digest(path)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if said.split(b" ")[0] != found.encode():
        return "is damaged: its bytes are not those that were written"
    return None


def file_digest(path: Path) -> str:
    """SHA-256 of a file in hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def verify(root: str | os.PathLike[str], advance: Callable[[int], None] = lambda count: None) -> Verified:
    """Read every shard of a data folder, and every marked picture, and compare it with its digest.

    InputError when ROOT is no data folder.
    """
    root = Path(root)
    manifest = Manifest.load(root)
    damaged: list[Damage] = []
    count = size = 0
    for stage in STAGES:
        entry = manifest.stages.get(stage)
        if entry is None:
            continue
        mend = f"the same `pseudogd {_COMMANDS[stage]}` makes it anew"
        there = shard_paths(root / stage)
        if entry.complete:
            wanted = [shard_path(root / stage, index) for index in range(entry.counts.get("shards", 0))]
            damaged += [Damage(path, "is missing", mend) for path in wanted if path not in there]
        for path in there:
            reason = damage_of(path)
            if reason is not None:
                damaged.append(Damage(path, reason, mend))
            count, size = count + 1, size + path.stat().st_size
            advance(1)
            if stage == "questions" and reason is None:
                for picture in pictures_of(path):
                    flaw = flaw_of(root, picture)
                    damaged += [] if flaw is None else [Damage(root / picture, flaw, mend)]
                    count += 1
                    size += 0 if flaw == "is missing" else (root / picture).stat().st_size
    return Verified(root, count, size, tuple(damaged))


def shard_count(root: str | os.PathLike[str]) -> int:
    """How many shards `verify` will read."""
    return sum(len(shard_paths(Path(root) / stage)) for stage in STAGES)


def require_whole(path: Path, stage: str) -> None:
    """InputError when a shard that is about to be read is damaged."""
    reason = damage_of(path)
    if reason is not None:
        raise InputError(f"{path}: {reason}; run the same `pseudogd {_COMMANDS[stage]}` again, it makes it anew")


def _unreadable(path: Path) -> str | None:
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for group in range(file.num_row_groups):
                file.read_row_group(group, use_threads=False)
    except (OSError, pa.ArrowException, ValueError) as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        return f"is damaged: {first}"
    return None

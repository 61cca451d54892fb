"""Where photos come from: a folder, a list of lines, or containers and addresses, which are unpacked once.

Every later stage and training read photos again, at random. So photos that lie in no ordinary folder are written to
DATA/photos as they stand there, byte by byte, and from then on are photos in a folder like any others.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from pseudogd.errors import InputError
from pseudogd.progress import notice, track
from pseudogd.store.addresses import entries_at, fetch, photo_sizes_at
from pseudogd.store.containers import READERS, Entry, container_kind, read_jsonl
from pseudogd.store.locks import hold
from pseudogd.store.photos import PHOTO_SUFFIXES, list_photos, photos_below, photos_root, safe_join
from pseudogd.store.shards import write_atomic

T = TypeVar("T")
_END = 1 << 16
UNPACKED, _MARK, _CAMERAS = "photos", ".unpacked.json", "cameras.json"


@dataclass(frozen=True)
class Inputs:
    """Photos to label: the folder that their names are relative to, their paths, and a cameras.json if there is one."""

    root: Path
    paths: list[Path]
    cameras: Path | None = None


@dataclass(frozen=True)
class Sample(Inputs):
    """Some of `count` photos of `bytes` in all, evenly spaced, or drawn where they are `unpacked` from containers."""

    count: int = 0
    bytes: int = 0
    unpacked: bool = False


def find_photos(source: str | os.PathLike[str], out: str | os.PathLike[str], *, quiet: bool = False) -> Inputs:
    """Photos of a folder, a .jsonl, a .tar, .parquet or .arrow file, a folder of those, or an address (s3://...).

    All but photos in folders and those of a .jsonl are first unpacked to OUT/photos, unless an earlier run has done so.
    Raises InputError for what cannot be read, InUse when another process is unpacking there and does not end.
    """
    text, path = str(source), Path(source)
    if "://" not in text:
        if container_kind(text) == "jsonl" and path.is_file():
            return _listed(path, Path(out))
        containers = _containers(path)
        if not containers:
            root = photos_root(path)
            return Inputs(root, list_photos(root))
        base = path if path.is_dir() else path.parent
        entries = lambda: _local(containers, base)  # noqa: E731
        mark = {"source": str(path.resolve()), "files": [_fingerprint(p) for p in containers]}
    else:
        entries, mark = lambda: entries_at(text), {"source": text}
    root = Path(out) / UNPACKED
    with hold(root, wait=None):  # one process unpacks, jobs beside it wait
        _unpack(entries, mark, root, quiet)
    cameras = root / _CAMERAS
    return Inputs(root, photos_below(root), cameras if cameras.is_file() else None)


def sample_photos(
    source: str | os.PathLike[str], scratch: str | os.PathLike[str], wanted: int, *, quiet: bool
) -> Sample:
    """At most `wanted` photos of what `find_photos` takes. Containers are read once, to the end, and only the chosen
    photos are written, to `scratch`. Photos at an address are counted by its listing, and only the chosen ones are
    fetched. Raises InputError as `find_photos` does, and for containers at an address."""
    if "://" in str(source):
        return _fetched(str(source), Path(scratch), wanted)
    containers = [] if container_kind(str(source)) == "jsonl" else _containers(Path(source))
    if containers:
        base = Path(source) if Path(source).is_dir() else Path(source).parent
        return _sampled(_local(containers, base), Path(scratch), wanted, quiet)
    found = find_photos(source, scratch, quiet=quiet)
    count, size = len(found.paths), sum(path.stat().st_size for path in found.paths if path.is_file())
    return Sample(found.root, _spread(found.paths, wanted), found.cameras, count, size)


def _sampled(entries: Iterator[tuple[str, Entry]], root: Path, wanted: int, quiet: bool) -> Sample:
    """A fair draw without knowing how many there are: photo number n takes a place with chance wanted / n."""
    kept: list[tuple[Path, str]] = []
    cameras: dict[str, Any] = {}
    draw = Random(0)
    count = size = 0
    with track("count", 0, quiet=quiet) as bar:
        for folder, entry in entries:
            key = f"{folder}/{entry.key}"
            if entry.camera is not None:
                cameras[key] = entry.camera
            if not entry.name or entry.reason:
                continue
            try:
                path = safe_join(root, f"{folder}/{entry.name}".lstrip("/"))
            except InputError:
                continue
            count, size = count + 1, size + len(entry.data)
            bar.advance()
            place = count - 1 if count <= wanted else draw.randrange(count)
            if place < wanted:
                _put(path, entry.data)
                for gone, _ in kept[place : place + 1]:
                    gone.unlink(missing_ok=True)
                kept[place : place + 1] = [(path, key)]
            if len(cameras) > 8 * wanted:
                cameras = {key: cameras[key] for key in {key, *(own for _, own in kept)} if key in cameras}
    if not kept:
        raise InputError("the containers hold no photos")
    found = {path.relative_to(root).as_posix(): cameras[key] for path, key in kept if key in cameras}
    if found:
        write_atomic(root / _CAMERAS, json.dumps(found).encode())
    return Sample(root, sorted(path for path, _ in kept), root / _CAMERAS if found else None, count, size, True)


def _fetched(url: str, root: Path, wanted: int) -> Sample:
    sizes = photo_sizes_at(url)
    if not sizes:
        raise InputError(f"{url}: holds no photos")
    paths = []
    for name in _spread(list(sizes), wanted):
        below, data = fetch(url, name)
        paths.append(safe_join(root, below))
        _put(paths[-1], data)
    return Sample(root, paths, None, len(sizes), sum(sizes.values()), True)


def _spread(things: list[T], wanted: int) -> list[T]:
    return [things[index * len(things) // wanted] for index in range(wanted)] if len(things) > wanted else things


def _containers(path: Path) -> list[Path]:
    """The containers that PATH is or holds; none for a folder with photos in it."""
    if path.is_file():
        if container_kind(path.name) is None:
            raise InputError(f"{path}: is a file; give the folder that holds the photos, or a .tar, .parquet or .jsonl")
        return [path]
    found: list[Path] = []
    for parent, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if any(Path(name).suffix.lower() in PHOTO_SUFFIXES for name in names):
            return []
        found += [Path(parent, n) for n in names if container_kind(n) in READERS and not n.startswith(".")]
    return sorted(found)


def _fingerprint(path: Path) -> list[Any]:
    """Name, size, and a hash of both ends: containers are too large to be read once more on every run."""
    size = path.stat().st_size
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        digest.update(file.read(_END))
        file.seek(max(0, size - _END))
        digest.update(file.read(_END))
    return [path.name, size, digest.hexdigest()[:16]]


def _listed(path: Path, out: Path) -> Inputs:
    """The photos that a .jsonl names, where they are; its cameras go to OUT/cameras.json."""
    root = path.parent
    cameras: dict[str, Any] = {}
    paths: dict[Path, None] = {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    for number, name, camera in read_jsonl(text, str(path)):
        try:
            paths[safe_join(root, name)] = None
        except InputError as error:
            mend = "keep the list in the folder that holds its photos, and paths relative to that"
            raise InputError(f"{path}: line {number}: {error}; {mend}") from error
        if camera is not None:
            cameras[name] = camera
    if not paths:
        raise InputError(f"{path}: names no photos")
    target = out / _CAMERAS
    if cameras:
        write_atomic(target, json.dumps(cameras, indent=1).encode())
    ordered = sorted(paths, key=lambda p: os.fsencode(p.relative_to(root).as_posix()))
    return Inputs(root, ordered, target if cameras else None)


def _local(containers: list[Path], base: Path) -> Iterator[tuple[str, Entry]]:
    for path in containers:
        folder = path.relative_to(base).as_posix()
        folder = folder[: -len(path.name)] + path.name.partition(".")[0]
        with open(path, "rb") as file:
            for entry in READERS[container_kind(path.name) or ""](file, str(path)):
                yield folder, entry


def _unpack(entries: Any, mark: dict[str, Any], root: Path, quiet: bool) -> None:
    """Write every entry below `root`; the mark, written last, says that all are there."""
    there = _read_mark(root)
    if there is not None:
        if there.get("from") != mark:
            raise InputError(
                f"{root}: holds photos unpacked from {there.get('from', {}).get('source')} as it was then; "
                "choose another --out or delete that folder"
            )
        return
    cameras: dict[str, Any] = {}
    names: dict[str, str] = {}
    left_out: list[str] = []
    with track("unpack", None, quiet=quiet) as bar:
        for folder, entry in entries():
            key = f"{folder}/{entry.key}"
            if not entry.name:
                cameras[key] = entry.camera
                continue
            name = f"{folder}/{entry.name}".lstrip("/")
            try:
                if entry.reason:
                    raise InputError(f"{name}: {entry.reason}")
                path = safe_join(root, name)
            except InputError as error:
                left_out.append(str(error))
                continue
            _put(path, entry.data)
            names[name] = key
            if entry.camera is not None:
                cameras[key] = entry.camera
            bar.advance()
    if left_out and not names:
        raise InputError(f"none of {len(left_out):,} entries can be used; the first: {left_out[0]}")
    if left_out:
        notice(f"warning: {len(left_out)} entries were left out: {left_out[0]}", quiet)
    found = {name: cameras[key] for name, key in names.items() if key in cameras}
    if found:
        write_atomic(root / _CAMERAS, json.dumps(found, indent=1).encode())
    write_atomic(root / _MARK, json.dumps({"from": mark, "photos": len(names)}, indent=1).encode())


def _put(path: Path, data: bytes) -> None:
    """Write a photo unless it is there. Not flushed to the disk one by one: the mark is missing until all are there."""
    if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.part")
        aside.write_bytes(data)
        os.replace(aside, path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); make room and run the same command again"
        ) from error


def _read_mark(root: Path) -> dict[str, Any] | None:
    try:
        return json.loads((root / _MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None

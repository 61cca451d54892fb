"""Photos and containers at addresses of any file system that fsspec knows (s3://, gs://, hf:// ...)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pseudogd.errors import InputError
from pseudogd.store.containers import READERS, Entry, container_kind
from pseudogd.store.photos import PHOTO_SUFFIXES


def entries_at(url: str) -> Iterator[tuple[str, Entry]]:
    """(folder, entry) of every photo at or below the address, and of those in its containers, in order of names."""
    fs, root = _file_system(url)
    for name in _found(fs, root, url):
        below, kind = _below(name, root), container_kind(name)
        try:
            with fs.open(name, "rb") as file:
                if kind in READERS:
                    folder = below.rpartition("/")[0] + "/" if "/" in below else ""
                    stem = folder + below.rpartition("/")[2].partition(".")[0]
                    yield from ((stem, entry) for entry in READERS[kind](file, f"{url} {below}"))
                else:
                    yield "", Entry(below, file.read())
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"{url}: {below} cannot be read ({error})") from error


def photo_sizes_at(url: str) -> dict[str, int]:
    """Bytes of every photo at or below the address, by name, from the listing alone: nothing is fetched.

    InputError where a container is among them, which would have to be fetched to be counted.
    """
    fs, root = _file_system(url)
    found = _found(fs, root, url)
    for name in found:
        if container_kind(name) in READERS:
            raise InputError(
                f"{url}: {_below(name, root)} would have to be fetched to count its photos; "
                "give a dry run a folder or a tar of some of them"
            )
    return {name: int(info.get("size") or 0) for name, info in found.items()}


def fetch(url: str, name: str) -> tuple[str, bytes]:
    """One of the names of `photo_sizes_at`: its path below the address, and its bytes."""
    fs, root = _file_system(url)
    below = _below(name, root)
    try:
        return below, fs.cat_file(name)
    except Exception as error:
        raise InputError(f"{url}: {below} cannot be read ({error})") from error


def _found(fs: Any, root: str, url: str) -> dict[str, Any]:
    """What the file system says of every photo and container, in order of names."""
    try:
        found = {root: fs.info(root)} if fs.isfile(root) else fs.find(root, detail=True)
    except Exception as error:  # every file system has errors of its own
        raise InputError(f"{url}: cannot be listed ({error})") from error
    if not found:
        raise InputError(f"{url}: nothing is there")
    fit = [n for n in found if container_kind(n) in READERS or Path(n).suffix.lower() in PHOTO_SUFFIXES]
    return {name: found[name] for name in sorted(fit)}


def _below(name: str, root: str) -> str:
    return name[len(root) :].lstrip("/") or name.rpartition("/")[2]


def _file_system(url: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError as error:
        raise InputError(f"{url}: addresses need the package fsspec; pip install fsspec") from error
    try:
        return fsspec.core.url_to_fs(url)
    except (ImportError, ValueError, OSError) as error:
        raise InputError(f"{url}: cannot be opened ({error})") from error

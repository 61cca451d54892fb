"""Copies of photos with marks drawn on them, beside the data: DATA/marked/ab/ab12….png, named by their SHA-256.

Only questions that speak of a mark have one (column `picture`, relative to the data folder). A name that is the
content's own digest makes the same picture the same file, whoever writes it and however often.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pyarrow.compute as pc
import pyarrow.parquet as pq

from pseudogd.errors import InputError
from pseudogd.store.photos import safe_join
from pseudogd.store.shards import write_atomic

FOLDER = "marked"
_BETWEEN = "#"


def keep_picture(root: Path, data: bytes, suffix: str) -> str:
    """Write a picture's bytes unless they are there; its path relative to ROOT, with forward slashes."""
    digest = hashlib.sha256(data).hexdigest()
    name = f"{FOLDER}/{digest[:2]}/{digest}{suffix}"
    path = root / name
    if not path.is_file() or path.read_bytes() != data:
        write_atomic(path, data)
    return name


def flaw_of(root: Path, name: str) -> str | None:
    """What is wrong with a picture that a question names, or None."""
    try:
        data = safe_join(root, name).read_bytes()
    except InputError as error:
        return str(error)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if hashlib.sha256(data).hexdigest() != PurePosixPath(name).stem:
        return "is damaged: its bytes are not those that were written"
    return None


def pictures_of(shard: Path) -> list[str]:
    """The pictures that the questions of a shard name, each once; none of a shard without such questions."""
    if "picture" not in pq.read_schema(shard).names:
        return []
    table = pq.read_table(shard, columns=["picture"], use_threads=False)
    return sorted(name for name in pc.unique(table["picture"]).to_pylist() if name is not None)


def damaged(root: Path, shard: Path) -> Iterator[str]:
    """A line for each picture of a shard that is not as it was written."""
    for name in pictures_of(shard):
        reason = flaw_of(root, name)
        if reason is not None:
            yield f"{root / name}: {reason}"


def folders(root: Path) -> list[Path]:
    """The folders that hold pictures."""
    home = root / FOLDER
    return sorted(path for path in home.iterdir() if path.is_dir()) if home.is_dir() else []


def picture_key(image_id: str, picture: str | None) -> str:
    """One text for what is looked at: the photo's id, with the picture behind it where it is not the photo itself."""
    return image_id if picture is None else f"{image_id}{_BETWEEN}{picture}"


def from_key(key: str) -> tuple[str, str | None]:
    """image_id and picture (None is the photo itself) of `picture_key`."""
    image_id, _, picture = key.partition(_BETWEEN)
    return image_id, picture or None

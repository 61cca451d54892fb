"""The names that a detector is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pseudogd.errors import InputError
from pseudogd.objects.naming import clean, unusable

MAX_CLASSES = 2000
_APART = "write commas between names, or one a line in a file"


def read_vocabulary(path: str | Path) -> list[str]:
    """Classes from a text file: one a line; empty lines and those that begin with # do not count."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise InputError(f"{path}: no such vocabulary file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error})") from None
    return checked((line for line in lines if not line.lstrip().startswith("#")), str(path))


def parse_classes(classes: str | Sequence[str]) -> list[str]:
    """Classes from text with commas between, or from a list."""
    return checked(classes.split(",") if isinstance(classes, str) else classes, "classes")


def checked(names: Iterable[str], where: str) -> list[str]:
    """The names as one reads them in a question, each once. Raises `InputError` for none, or one that is no name."""
    found: dict[str, None] = {}
    for number, name in enumerate(names, 1):
        if not name.strip():
            continue
        if "." in name.strip(" ."):  # Grounding DINO reads a full stop as the end of a name
            raise InputError(f"{where}, name {number} ({name.strip()[:40]!r}): holds a full stop; {_APART}")
        if reason := unusable(name.strip()):
            raise InputError(f"{where}, name {number} ({name.strip()[:40]!r}): {reason}; write plain nouns")
        found[clean(name.strip())] = None
    if not found:
        raise InputError(f"{where}: no names; write such as chair, table, lamp")
    if len(found) > MAX_CLASSES:
        raise InputError(f"{where}: {len(found):,} names, at most {MAX_CLASSES:,}")
    return list(found)

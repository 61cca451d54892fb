"""manifest.json: which stages a data folder holds, with which settings they were made, and how far they are."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pseudogd.errors import InputError, SettingsMismatch
from pseudogd.store.schemas import SCHEMA_VERSION, STAGES
from pseudogd.store.shards import write_atomic

NAME = "manifest.json"


@dataclass
class StageEntry:
    """One stage: its settings and their hash, whether it ran to its end, and its counts then."""

    settings: dict[str, Any]
    complete: bool = False
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def settings_hash(self) -> str:
        return settings_hash(self.settings)


@dataclass
class Manifest:
    """The manifest of a data folder. `photos` is the folder that photo paths are relative to, as (absolute, from here).

    The second form lets a data folder and its photos move together.
    """

    photos: tuple[str, str] | None = None
    stages: dict[str, StageEntry] = field(default_factory=dict)

    @classmethod
    def load(cls, root: Path) -> Manifest:
        """Read ROOT/manifest.json; InputError when it is missing, broken or of a newer schema."""
        path = root / NAME
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            version = raw["schema_version"]
        except FileNotFoundError as error:
            raise InputError(
                f"{root}: holds no {NAME}; make the data with `pseudogd label PHOTOS --out {root}`"
            ) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: cannot be read ({error}); make the data again in a new folder") from error
        if version != SCHEMA_VERSION:
            raise InputError(f"{path}: schema version {version}, this version of pseudogd reads {SCHEMA_VERSION}")
        photos = raw.get("photos")
        stages = {
            name: StageEntry(entry["settings"], entry["complete"], entry["counts"])
            for name, entry in raw["stages"].items()
        }
        return cls((photos["root"], photos["relative"]) if photos else None, stages)

    @classmethod
    def load_or_new(cls, root: Path) -> Manifest:
        return cls.load(root) if (root / NAME).exists() else cls()

    def save(self, root: Path) -> None:
        """Write ROOT/manifest.json in one step; nothing in it depends on time or machine but the photos' folder."""
        stages = {
            name: {
                "settings": entry.settings,
                "settings_hash": entry.settings_hash,
                "complete": entry.complete,
                "counts": entry.counts,
            }
            for name in STAGES
            if (entry := self.stages.get(name)) is not None
        }
        photos = {"root": self.photos[0], "relative": self.photos[1]} if self.photos else None
        content = {"schema_version": SCHEMA_VERSION, "photos": photos, "stages": stages}
        write_atomic(root / NAME, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())

    def set_photos(self, folder: Path, root: Path) -> None:
        """Record the photos' folder; SettingsMismatch when the data was made from another one that still exists."""
        new = str(folder.resolve())
        if self.photos and self.photos[0] != new and Path(self.photos[0]).is_dir() and self.stages.get("geometry"):
            raise SettingsMismatch(
                f"{root}: was made from the photos in {self.photos[0]}, not {new}; choose another --out or --overwrite"
            )
        self.photos = (new, Path(os.path.relpath(new, root.resolve())).as_posix())

    def photos_folder(self, root: Path) -> Path:
        """Where the photos are now; InputError when in neither of the two places."""
        if self.photos is None:
            raise InputError(f"{root / NAME}: names no folder of photos")
        for folder in (Path(self.photos[0]), root / self.photos[1]):
            if folder.is_dir():
                return folder
        raise InputError(f"{self.photos[0]}: the photos of {root} are no longer there; move them back")


def plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they come back from JSON, so that old and new ones compare equal."""
    return json.loads(json.dumps(dict(settings), allow_nan=False))


def settings_hash(settings: Mapping[str, Any]) -> str:
    """First 16 hex digits of the SHA-256 of the settings' sorted JSON."""
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


_TOLD = 6


def check_settings(root: Path, stage: str, there: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise SettingsMismatch naming each setting that differs from those the stage was made with."""
    old, new = dict(_flatten(there)), dict(_flatten(now))
    absent = object()
    differing = [key for key in sorted({*old, *new}) if old.get(key, absent) != new.get(key, absent)]
    if differing:
        differing.sort(key=lambda key: key not in old or key not in new)  # what changed tells most
        said = "; ".join(f"{key} is {_say(old, key)} there, {_say(new, key)} now" for key in differing[:_TOLD])
        more = f"; and {len(differing) - _TOLD} more" if len(differing) > _TOLD else ""
        mend = "choose another --out or --overwrite" if stage == "geometry" else "--overwrite makes them anew"
        raise SettingsMismatch(f"{root}: holds {stage} made with other settings: {said}{more}; {mend}")


def _flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def _say(settings: Mapping[str, Any], key: str) -> str:
    return json.dumps(settings[key], ensure_ascii=False) if key in settings else "not set"

"""Where a photo's camera comes from: a cameras.json, else the photo's EXIF tags, else it is unknown."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pseudogd.errors import InputError
from pseudogd.geometry.camera import Camera

_ASPECT_TOLERANCE = 0.01


class CameraFile:
    """{NAME: {fx, fy, cx, cy, width, height} or null}, in pixels.

    NAME is the photo's path relative to its folder, or its file name, each with or without the extension. null means
    unknown. cx, cy default to the centre and width, height to the photo's own.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """InputError when the file is missing, no JSON, or no such table."""
        self.path = Path(path)
        try:
            self._entries = json.loads(self.path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise InputError(f"{path}: is not JSON ({error})") from error
        if not isinstance(self._entries, dict):
            raise InputError(f"{path}: must hold one object {{NAME: camera or null}}, not a {_kind(self._entries)}")

    def entry(self, name: str) -> Any:
        """What the file says of a photo, unchecked; None when nothing."""
        for key in _keys(name):
            if key in self._entries:
                return self._entries[key]
        return None

    def has(self, name: str) -> bool:
        """Whether the file speaks of the photo, be it to say null."""
        return any(key in self._entries for key in _keys(name))

    def camera(self, name: str, width: int, height: int) -> Camera | None:
        """Camera of a photo of this size; None when unknown. InputError for numbers that cannot be."""
        entry = self.entry(name)
        if entry is None:
            return None
        try:
            return _camera(entry, width, height)
        except ValueError as error:
            raise InputError(f"{self.path.name}: camera of {name}: {error}; correct it or write null") from error


def camera_of(
    name: str, width: int, height: int, file: CameraFile | None = None, exif: Mapping[Any, Any] | None = None
) -> Camera | None:
    """The file's camera if it speaks of the photo, else the one from EXIF, else None. InputError as above."""
    return camera_and_source(name, width, height, file, exif)[0]


def camera_and_source(
    name: str, width: int, height: int, file: CameraFile | None = None, exif: Mapping[Any, Any] | None = None
) -> tuple[Camera | None, str]:
    """As `camera_of`, and who says so (`geometry.types.CAMERA_SOURCES`); "unknown" without a camera."""
    if file is not None and file.has(name):
        camera, source = file.camera(name, width, height), "file"
    else:
        camera, source = (Camera.from_exif(exif, width, height) if exif else None), "exif"
    return camera, "unknown" if camera is None else source


def source_of(found: Camera | None, given: Camera | None, source: str) -> str:
    """Who says what the camera ``found`` in a teacher's answer is; it was ``given`` one by ``source``, or none."""
    if found is None:
        return "unknown"
    return source if found == given else "teacher"


def _camera(entry: Any, width: int, height: int) -> Camera:
    if not isinstance(entry, dict):
        raise ValueError(f"must be an object or null, not a {_kind(entry)}")
    own = {"width": entry.get("width", width), "height": entry.get("height", height)}
    values = {**entry, **own}
    for key, side in (("cx", "width"), ("cy", "height")):
        if key not in entry and isinstance(values[side], (int, float)):
            values[key] = (values[side] - 1) / 2
    camera = Camera.from_dict(values)
    if abs(camera.width * height / (camera.height * width) - 1) > _ASPECT_TOLERANCE:
        raise ValueError(f"is for {camera.width} x {camera.height} pixels, the photo has {width} x {height}")
    return camera.resized(width, height)


def _keys(name: str) -> list[str]:
    path = PurePosixPath(name)
    return list(dict.fromkeys([name, str(path.with_suffix("")), path.name, path.stem]))


def _kind(value: Any) -> str:
    return {list: "list", str: "text", dict: "object", type(None): "null", bool: "truth value"}.get(
        type(value), "number"
    )

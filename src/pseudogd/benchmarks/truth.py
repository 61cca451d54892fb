"""Photos with measured truth: a folder of images/, depth/NAME.png, cameras.json and, maybe, annotations.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pseudogd.errors import InputError
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.normals import normals_from_depth
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo, Up
from pseudogd.objects.rows import ObjectRow

TRUTH = TeacherInfo(name="truth", revision="measured", settings_hash="", licence="as the folder's own")


@dataclass(frozen=True)
class TruePhoto:
    """One photo with its true geometry (metric, never a teacher's) and its annotated objects."""

    name: str
    path: Path
    geometry: Geometry
    objects: list[ObjectRow]


def true_photos(folder: str | Path, with_objects: bool = True, normals: bool = True) -> Iterator[TruePhoto]:
    """Photos of a folder that have depth and a camera, by name. ``up_camera`` of an annotated image gives gravity.

    Depth is 16-bit millimetres, 0 unknown. Raises ``InputError`` (one line) where the folder has no such photo, or a
    depth map or camera cannot be used.
    """
    from pseudogd.store.photos import list_photos, photo_name, photos_root

    folder = Path(folder)
    cameras = _read_object(folder / "cameras.json")
    annotations = folder / "annotations.json"
    source, ups = None, {}
    if annotations.is_file():
        ups = {str(image.get("file_name")): image.get("up_camera") for image in _read_object(annotations)["images"]}
        if with_objects:
            from pseudogd.objects.coco import CocoSource

            source = CocoSource(annotations)
    root, found = photos_root(folder), 0
    for path in list_photos(folder):
        name = photo_name(path, root)
        stem = name[: len(name) - len(path.suffix)]
        depth_file, camera = folder / "depth" / f"{stem}.png", cameras.get(name, cameras.get(stem))
        if camera is None or not depth_file.is_file():
            continue
        found += 1
        geometry = _geometry(depth_file, camera, ups.get(name), normals)
        size = geometry.camera
        objects = source.objects_for(name, size.width, size.height) if source is not None and size is not None else []
        yield TruePhoto(name, path, geometry, objects)
    if not found:
        raise InputError(f"{folder}: no photo here has both depth/NAME.png and a camera in cameras.json")


def _geometry(depth_file: Path, camera_row: dict[str, Any], up: Any, normals: bool) -> Geometry:
    from PIL import Image

    try:
        camera = Camera.from_dict(camera_row)
        with Image.open(depth_file, formats=["PNG"]) as image:
            raw = np.asarray(image)
    except (OSError, ValueError) as error:
        raise InputError(f"{depth_file}: cannot be used ({error})") from error
    if raw.ndim != 2 or raw.dtype.kind not in "ui":
        raise InputError(f"{depth_file}: must be a 16-bit grey PNG of millimetres")
    depth = np.where(raw > 0, raw / np.float32(1000), np.float32(np.nan)).astype(np.float32)
    direction = None if up is None else Up(np.asarray(up, dtype=np.float64), 1.0)
    surface = normals_from_depth(depth, camera) if normals else None
    return Geometry(depth, camera, normals=surface, up=direction, scale=Scale.METRIC, teacher=TRUTH)


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected an object, found {type(value).__name__}")
    return value

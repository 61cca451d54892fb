"""One photo's geometry as a row of the geometry stage, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pseudogd.geometry.camera import Camera
from pseudogd.geometry.normals import normals_from_depth
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo, Up
from pseudogd.store import codec, compact


def geometry_row(
    geometry: Geometry,
    *,
    image_id: str,
    path: str,
    width: int,
    height: int,
    aliases: Sequence[str] = (),
    compact_maps: bool | None = None,
    derived_normals: bool = False,
) -> dict[str, Any]:
    """Row of a photo of `width` x `height` pixels at `path`; `aliases` are other files with the same bytes.

    With `compact_maps` the maps take less room, by default those of `compact.LARGE` pixels or more; normals that were
    computed from depth (`derived_normals`) are then not stored but computed again on reading.
    """
    camera, up, teacher = geometry.camera, geometry.up, geometry.teacher
    if compact_maps is None:
        compact_maps = geometry.depth.size >= compact.LARGE
    return {
        "image_id": image_id,
        "path": path,
        "aliases": list(aliases),
        "width": width,
        "height": height,
        **(_compact_maps(geometry, derived_normals) if compact_maps else _maps(geometry)),
        "camera": None if camera is None else camera.to_dict(),
        "up": None if up is None else {"vector": [float(x) for x in up.vector], "confidence": float(up.confidence)},
        "scale": geometry.scale.value,
        "teacher": {
            "name": teacher.name,
            "revision": teacher.revision,
            "settings_hash": teacher.settings_hash,
            "licence": teacher.licence,
        },
        "camera_source": geometry.camera_source,
    }


def _maps(geometry: Geometry) -> dict[str, bytes | None]:
    return {
        "depth": codec.encode_depth(geometry.depth),
        "normals": None if geometry.normals is None else codec.encode_normals(geometry.normals),
        "confidence": None if geometry.confidence is None else codec.encode_confidence(geometry.confidence),
    }


def _compact_maps(geometry: Geometry, derived: bool) -> dict[str, bytes | None]:
    normals, confidence = geometry.normals, geometry.confidence
    derived = derived and normals is not None
    return {
        "depth": compact.encode_depth(geometry.depth, derive_normals=derived),
        "normals": None if normals is None or derived else codec.encode_normals(normals),
        "confidence": None if confidence is None else compact.encode_confidence(confidence),
    }


def row_geometry(row: Mapping[str, Any]) -> Geometry:
    """Geometry of a row that was read from disk (JSON columns as text)."""
    up = json.loads(row["up"]) if row["up"] is not None else None
    camera = None if row["camera"] is None else Camera.from_dict(json.loads(row["camera"]))
    normals = None if row["normals"] is None else codec.decode_normals(row["normals"])
    if compact.is_compact(row["depth"]):
        depth, derive = compact.decode_depth(row["depth"])
        normals = normals_from_depth(depth, camera) if derive and camera is not None else normals
    else:
        depth = codec.decode_depth(row["depth"])
    return Geometry(
        depth=depth,
        camera=camera,
        normals=normals,
        confidence=None if row["confidence"] is None else _confidence(row["confidence"]),
        up=None if up is None else Up(up["vector"], up["confidence"]),
        scale=Scale(row["scale"]),
        teacher=TeacherInfo(**json.loads(row["teacher"])),
        camera_source=row.get("camera_source"),
    )


def _confidence(data: bytes) -> np.ndarray:
    return compact.decode_confidence(data) if compact.is_compact(data) else codec.decode_confidence(data)

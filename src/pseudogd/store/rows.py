"""One photo's geometry as a row of the geometry stage, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo, Up
from pseudogd.store import codec


def geometry_row(
    geometry: Geometry, *, image_id: str, path: str, width: int, height: int, aliases: Sequence[str] = ()
) -> dict[str, Any]:
    """Row of a photo of `width` x `height` pixels at `path`; `aliases` are other files with the same bytes."""
    camera, up, teacher = geometry.camera, geometry.up, geometry.teacher
    return {
        "image_id": image_id,
        "path": path,
        "aliases": list(aliases),
        "width": width,
        "height": height,
        "depth": codec.encode_depth(geometry.depth),
        "normals": None if geometry.normals is None else codec.encode_normals(geometry.normals),
        "confidence": None if geometry.confidence is None else codec.encode_confidence(geometry.confidence),
        "camera": None if camera is None else camera.to_dict(),
        "up": None if up is None else {"vector": [float(x) for x in up.vector], "confidence": float(up.confidence)},
        "scale": geometry.scale.value,
        "teacher": {
            "name": teacher.name,
            "revision": teacher.revision,
            "settings_hash": teacher.settings_hash,
            "licence": teacher.licence,
        },
    }


def row_geometry(row: Mapping[str, Any]) -> Geometry:
    """Geometry of a row that was read from disk (JSON columns as text)."""
    up = json.loads(row["up"]) if row["up"] is not None else None
    return Geometry(
        depth=codec.decode_depth(row["depth"]),
        camera=None if row["camera"] is None else Camera.from_dict(json.loads(row["camera"])),
        normals=None if row["normals"] is None else codec.decode_normals(row["normals"]),
        confidence=None if row["confidence"] is None else codec.decode_confidence(row["confidence"]),
        up=None if up is None else Up(up["vector"], up["confidence"]),
        scale=Scale(row["scale"]),
        teacher=TeacherInfo(**json.loads(row["teacher"])),
    )

"""The row that says what one named object is and where in the photo it lies."""

from __future__ import annotations

from typing import Any, TypedDict


class _Known(TypedDict):
    object_id: str
    name: str
    category: str
    bbox: list[float]
    rle: dict[str, Any] | None
    score: float
    source: str
    attributes: dict[str, Any]


class ObjectRow(_Known, total=False):
    """One object of one photo. ``bbox``: x, y, width, height in pixels of the upright photo.

    ``rle``: compressed COCO run lengths of the photo's size, or None if only the box is known.
    Only where it is known: ``front``, unit vector in camera axes (x right, y down, z forward) that the object's own
    front faces, and ``front_confidence``, 0 to 1.
    """

    front: list[float]
    front_confidence: float

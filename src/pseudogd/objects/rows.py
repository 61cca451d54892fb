"""The row that says what one named object is and where in the photo it lies."""

from __future__ import annotations

from typing import Any, TypedDict


class ObjectRow(TypedDict):
    """One object of one photo. ``bbox``: x, y, width, height in pixels of the upright photo.

    ``rle``: compressed COCO run lengths of the photo's size, or None if only the box is known.
    """

    object_id: str
    name: str
    category: str
    bbox: list[float]
    rle: dict[str, Any] | None
    score: float
    source: str
    attributes: dict[str, Any]

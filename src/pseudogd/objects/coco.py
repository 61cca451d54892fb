"""Named objects from a COCO annotation file: polygons, run lengths (compressed or not), or boxes alone."""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from pseudogd.errors import InputError
from pseudogd.objects import masks
from pseudogd.objects.naming import Described, unique_names
from pseudogd.objects.rows import ObjectRow

MIN_PIXELS = 4


@dataclass(frozen=True)
class Annotated:
    """Objects of one photo; a line for each annotation that is damaged; a line for each that was left out."""

    rows: list[ObjectRow] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


class CocoSource:
    """A COCO file, indexed by photo. Raises `InputError` if the file cannot be read as COCO.

    ``problems`` lists (image, reason) of entries that belong to no photo at all: a ``file_name`` that is missing,
    climbs out of the folder, or stands twice. Extra keys of an annotation that are read: ``name`` (a unique referring
    expression), ``color`` or ``attributes`` with ``color``, ``score``.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        document = _load(self.path)
        self.problems: list[tuple[str, str]] = []
        self._categories = self._read_categories(document)
        self._images = self._read_images(document)
        self._annotations: dict[Any, list[dict[str, Any]]] = {}
        for annotation in _list_of_dicts(document, "annotations", self.path):
            self._annotations.setdefault(_key(annotation.get("image_id")), []).append(annotation)
        tails = Counter(PurePosixPath(name).name for name in self._images)
        self._by_tail = {
            PurePosixPath(name).name: name for name in self._images if tails[PurePosixPath(name).name] == 1
        }
        self._warn_about_boxes()

    def objects_for(self, photo_name: str, width: int, height: int) -> list[ObjectRow]:
        """Objects of the photo with this name; see `read`."""
        return self.read(photo_name, width, height).rows

    def read(self, photo_name: str, width: int, height: int) -> Annotated:
        """Objects of a photo (name or path relative to the photo folder, size of the upright photo in pixels).

        Raises `InputError` if the file's size of this photo is not the photo's size. A photo without annotations has
        no objects; annotations that are damaged, or that no words point at alone, are left out and say why.
        """
        entry = self._entry(photo_name)
        if entry is None:
            return Annotated(left_out=[f"{self.path.name} has no entry for this photo"])
        stated = (entry.get("width"), entry.get("height"))
        if None not in stated and stated != (width, height):
            raise InputError(
                f"{self.path.name}: {entry['file_name']} is annotated as {stated[0]} x {stated[1]}, "
                f"the upright photo is {width} x {height}; annotate the photo as it is shown"
            )
        found = Annotated()
        kept: list[tuple[dict[str, Any], Described, list[float], np.ndarray | None]] = []
        for annotation in self._annotations_of(entry):
            label = f"annotation {annotation.get('id', '?')}"
            if annotation.get("iscrowd") == 1 and not annotation.get("name"):
                found.left_out.append(f"{label}: a crowd, not one object")
                continue
            try:
                mask, box = self._outline(annotation, width, height)
            except InputError as error:
                found.failures.append(f"{label}: {error}")
                continue
            kept.append((annotation, self._describe(annotation), box, mask))
        names = unique_names([described for _, described, _, _ in kept])
        for (annotation, described, box, mask), name in zip(kept, names):
            if name is None:
                found.left_out.append(f"annotation {annotation.get('id', '?')}: no words point at this object alone")
                continue
            found.rows.append(self._row(annotation, described, name, box, mask))
        return found

    def unmatched(self, photo_names: Iterable[str]) -> list[str]:
        """``file_name`` of entries that no given photo answers to, sorted."""
        matched = {self._match(name) for name in photo_names}
        return sorted(name for name in self._images if name not in matched)

    def knows(self, photo_name: str) -> bool:
        """Whether the file has an entry for this photo."""
        return self._match(photo_name) is not None

    def count(self, photo_name: str) -> int:
        """Annotations of this photo, good or bad."""
        return len(self._annotations_of(self._entry(photo_name)))

    def fingerprint(self, photo_name: str) -> str:
        """Changes whenever anything that the file says about this photo changes."""
        entry = self._entry(photo_name)
        said = [self.path.name, entry, self._annotations_of(entry), sorted(map(repr, self._categories.items()))]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    # ------------------------------------------------------------ reading
    def _read_categories(self, document: dict[str, Any]) -> dict[Any, str]:
        categories = _list_of_dicts(document, "categories", self.path)
        return {_key(c.get("id")): str(c["name"]) for c in categories if isinstance(c.get("name"), str)}

    def _read_images(self, document: dict[str, Any]) -> dict[str, dict[str, Any]]:
        images: dict[str, dict[str, Any]] = {}
        twice = set()
        for entry in _list_of_dicts(document, "images", self.path):
            name = entry.get("file_name")
            label = f"{self.path.name} image {entry.get('id', '?')}"
            if not isinstance(name, str) or not name:
                self.problems.append((label, "no file_name"))
                continue
            safe = _inside(name)
            if safe is None:
                self.problems.append((label, f"file_name {name!r} leaves the photo folder"))
            elif safe in images:
                twice.add(safe)
                self.problems.append((label, f"file_name {name!r} stands twice; neither entry is used"))
            else:
                images[safe] = entry
        return {name: entry for name, entry in images.items() if name not in twice}

    def _warn_about_boxes(self) -> None:
        boxes = sum(not a.get("segmentation") for group in self._annotations.values() for a in group)
        if boxes:
            warnings.warn(
                f"{self.path.name}: {boxes} annotations are boxes without a mask; their distances and sizes are asked "
                "with wider margins or not at all",
                stacklevel=3,
            )

    def _match(self, photo_name: str) -> str | None:
        name = PurePosixPath(photo_name.replace("\\", "/"))
        exact = _inside(str(name))
        if exact in self._images:
            return exact
        # "images/a.png" in one place is often "a.png" in the other; only a tail that is unique may decide.
        return self._by_tail.get(name.name)

    def _entry(self, photo_name: str) -> dict[str, Any] | None:
        name = self._match(photo_name)
        return None if name is None else self._images[name]

    def _annotations_of(self, entry: dict[str, Any] | None) -> list[dict[str, Any]]:
        return [] if entry is None else self._annotations.get(_key(entry.get("id")), [])

    # ------------------------------------------------------------ one annotation
    def _describe(self, annotation: dict[str, Any]) -> Described:
        attributes = annotation.get("attributes")
        color = annotation.get("color") or (attributes.get("color") if isinstance(attributes, dict) else None)
        category = self._categories.get(_key(annotation.get("category_id")), "")
        return Described(category=category, name=annotation.get("name"), color=color)

    def _outline(self, annotation: dict[str, Any], width: int, height: int) -> tuple[np.ndarray | None, list[float]]:
        segmentation = annotation.get("segmentation")
        if not segmentation:
            return None, _checked_box(annotation.get("bbox"), width, height)
        if isinstance(segmentation, dict):
            mask = masks.decode(segmentation)
            if mask.shape != (height, width):
                raise InputError(f"mask is {mask.shape[1]} x {mask.shape[0]}, the photo is {width} x {height}")
        elif isinstance(segmentation, list):
            mask = masks.from_polygons(segmentation, width, height)
        else:
            raise InputError("segmentation is neither polygons nor run lengths")
        if int(mask.sum()) < MIN_PIXELS:
            raise InputError(f"mask has fewer than {MIN_PIXELS} pixels")
        return mask, masks.box_of(mask)

    def _row(
        self, annotation: dict[str, Any], described: Described, name: str, box: list[float], mask: np.ndarray | None
    ) -> ObjectRow:
        score = annotation.get("score", 1.0)
        return ObjectRow(
            object_id=str(annotation.get("id", f"{name}")),
            name=name,
            category=described.category.strip().lower() or name.split()[-1],
            bbox=box,
            rle=None if mask is None else masks.encode(mask),
            score=float(score) if isinstance(score, (int, float)) and math.isfinite(score) else 1.0,
            source=f"coco:{self.path.name}",
            attributes={"color": described.color} if isinstance(described.color, str) else {},
        )


def _load(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such annotation file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not a JSON file ({error})") from None
    if not isinstance(document, dict) or "images" not in document or "annotations" not in document:
        raise InputError(f"{path}: not a COCO file, it needs 'images', 'annotations' and 'categories'")
    return document


def _list_of_dicts(document: dict[str, Any], key: str, path: Path) -> list[dict[str, Any]]:
    rows = document.get(key) or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path}: '{key}' is not a list of objects")
    return rows


def _key(value: Any) -> Any:
    """Ids are numbers or texts; anything else (a list, say) would not even hash."""
    return value if isinstance(value, (int, str)) else repr(value)


def _inside(name: str) -> str | None:
    """The name as a relative path with forward slashes, or None if it is absolute or leaves its folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or "\0" in name or (path.parts and path.parts[0].endswith(":")):
        return None
    return str(path)


def _checked_box(box: Any, width: int, height: int) -> list[float]:
    try:
        x, y, w, h = (float(n) for n in box)
    except (TypeError, ValueError):
        raise InputError("neither a mask nor a box of four numbers") from None
    if not all(map(math.isfinite, (x, y, w, h))):
        raise InputError("the box holds a number that is not finite")
    x0, y0, x1, y1 = max(x, 0.0), max(y, 0.0), min(x + w, float(width)), min(y + h, float(height))
    if x1 - x0 < 1 or y1 - y0 < 1:
        raise InputError("the box lies outside the photo or is empty")
    return [x0, y0, x1 - x0, y1 - y0]

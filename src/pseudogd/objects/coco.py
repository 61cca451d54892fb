"""Named objects from a COCO annotation file: polygons, run lengths (compressed or not), or boxes alone."""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pseudogd.errors import InputError
from pseudogd.objects import masks
from pseudogd.objects.coco_file import CocoFile, divided, key_of, reduced_by
from pseudogd.objects.colors import ANY, measure
from pseudogd.objects.naming import Described, unique_names, unusable
from pseudogd.objects.rows import ObjectRow

MIN_PIXELS = 4
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Annotated:
    """Objects of one photo; a line for each annotation that is damaged; a line for each that was left out.

    ``unnamed``: those of them that no words point at alone, with empty names: a mark may be drawn on them.
    """

    rows: list[ObjectRow] = field(default_factory=list)
    unnamed: list[ObjectRow] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Kept:
    """An annotation with a sound outline."""

    annotation: dict[str, Any]
    described: Described
    box: list[float]
    mask: np.ndarray | None
    front: tuple[list[float], float] | None


class CocoSource:
    """A COCO file, indexed by photo. Raises `InputError` if the file cannot be read as COCO.

    ``problems`` lists (image, reason) of entries that belong to no photo at all: a ``file_name`` that is missing,
    climbs out of the folder, or stands twice. Extra keys of an annotation that are read: ``name`` (a unique referring
    expression), ``color`` or ``attributes`` with ``color``, ``score``, ``front`` (unit vector in camera axes that the
    thing's own front faces) with ``front_confidence``.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._file = CocoFile(path)
        self.problems: list[tuple[str, str]] = []
        self._categories = {
            key_of(c.get("id")): str(c["name"]) for c in self._file.categories if isinstance(c.get("name"), str)
        }
        self._images = self._read_images()
        tails = Counter(PurePosixPath(name).name for name in self._images)
        self._by_tail = {
            PurePosixPath(name).name: name for name in self._images if tails[PurePosixPath(name).name] == 1
        }
        self._warn_about_boxes()

    def objects_for(self, photo_name: str, width: int, height: int) -> list[ObjectRow]:
        """Objects of the photo with this name; see `read`."""
        return self.read(photo_name, width, height).rows

    def read(
        self, photo_name: str, width: int, height: int, pixels: Callable[[], Pixels | None] | None = None
    ) -> Annotated:
        """Objects of a photo (name or path relative to the photo folder, size of the upright photo in pixels).

        ``pixels`` gives the picture, (H, W, 3) sRGB; it is asked for only if words alone do not tell things apart.
        Without it no colours are measured.

        Raises `InputError` if the file's size of this photo is not the photo's size. A photo without annotations has
        no objects; annotations that are damaged, or that no words point at alone, are left out and say why.
        """
        entry = self._entry(photo_name)
        if entry is None:
            return Annotated(left_out=[f"{self.path.name} has no entry for this photo"])
        stated = (entry.get("width"), entry.get("height"))
        factor = reduced_by(stated, width, height)
        if factor is None:
            raise InputError(
                f"{self.path.name}: {entry['file_name']} is annotated as {stated[0]} x {stated[1]}, "
                f"the upright photo is {width} x {height}; annotate the photo as it is shown"
            )
        found = Annotated()
        kept: list[_Kept] = []
        rivals: list[Described] = []
        for annotation in self._annotations_of(entry):
            label = f"annotation {annotation.get('id', '?')}"
            described = self._describe(annotation)
            if annotation.get("iscrowd") == 1 and not annotation.get("name"):
                found.left_out.append(f"{label}: a crowd, not one object")
                rivals.append(replace(described, measured=ANY))
                continue
            try:
                front = _front(annotation)
                mask, box = self._outline(annotation, width, height, factor)
            except InputError as error:
                found.failures.append(f"{label}: {error}")
                rivals.append(replace(described, measured=ANY))
                continue
            extent = (box[0], box[1], box[0] + box[2], box[1] + box[3])
            kept.append(_Kept(annotation, replace(described, extent=extent), box, mask, front))
        for one, name in zip(kept, _names(kept, rivals, pixels)):
            if name is None:
                found.left_out.append(f"annotation {one.annotation.get('id', '?')}: {_why_nameless(one.described)}")
                found.unnamed.append(self._row(one, ""))
                continue
            found.rows.append(self._row(one, name))
        return found

    def nameless(self, photo_name: str) -> bool:
        """Whether the file's own words leave a thing of this photo without a name, so that the photo is looked at."""
        annotations = self._annotations_of(self._entry(photo_name))
        things = [self._describe(a) for a in annotations if a.get("iscrowd") != 1 or a.get("name")]
        return len(things) < len(annotations) or None in unique_names(things)

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
    def _read_images(self) -> dict[str, dict[str, Any]]:
        images: dict[str, dict[str, Any]] = {}
        twice = set()
        for entry in self._file.images:
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
        if boxes := self._file.without_outline:
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
        return [] if entry is None else self._file.annotations_of(entry.get("id"))

    # ------------------------------------------------------------ one annotation
    def _describe(self, annotation: dict[str, Any]) -> Described:
        attributes = annotation.get("attributes")
        color = annotation.get("color") or (attributes.get("color") if isinstance(attributes, dict) else None)
        category = self._categories.get(key_of(annotation.get("category_id")), "")
        return Described(category=category, name=annotation.get("name"), color=color)

    def _outline(
        self, annotation: dict[str, Any], width: int, height: int, factor: int = 1
    ) -> tuple[np.ndarray | None, list[float]]:
        """Of a photo of this size as it is read, from an outline in pixels of one `factor` times as large."""
        segmentation = annotation.get("segmentation")
        if not segmentation:
            return None, _checked_box(divided(annotation.get("bbox"), factor), width, height)
        if isinstance(segmentation, dict):
            mask = masks.decode(segmentation)[::factor, ::factor]
            if mask.shape != (height, width):
                raise InputError(f"mask is {mask.shape[1]} x {mask.shape[0]}, the photo is {width} x {height}")
        elif isinstance(segmentation, list):
            mask = masks.from_polygons(divided(segmentation, factor), width, height)
        else:
            raise InputError("segmentation is neither polygons nor run lengths")
        if int(mask.sum()) < MIN_PIXELS:
            raise InputError(f"mask has fewer than {MIN_PIXELS} pixels")
        return mask, masks.box_of(mask)

    def _row(self, one: _Kept, name: str) -> ObjectRow:
        score, color = one.annotation.get("score", 1.0), one.described.color
        row = ObjectRow(
            object_id=str(one.annotation.get("id", f"{name or one.box}")),
            name=name,
            category=_category(one.described.category) or (name.split() or ["object"])[-1],
            bbox=one.box,
            rle=None if one.mask is None else masks.encode(one.mask),
            score=float(score) if isinstance(score, (int, float)) and math.isfinite(score) else 1.0,
            source=f"coco:{self.path.name}",
            attributes={"color": color} if isinstance(color, str) else {},
        )
        if one.front is not None:
            row["front"], row["front_confidence"] = one.front
        return row


def _names(
    kept: Sequence[_Kept], rivals: Sequence[Described], pixels: Callable[[], Pixels | None] | None
) -> list[str | None]:
    """By the file's own words; what those leave without a name by its measured colour and its place in a row."""
    things = [one.described for one in kept]
    names = unique_names([replace(thing, extent=None) for thing in things], rivals)
    if None not in names:
        return names
    picture = None if pixels is None else pixels()
    if picture is not None:
        colors = [ANY if one.mask is None else measure(picture, one.mask) for one in kept]
        things = [replace(thing, measured=color) for thing, color in zip(things, colors)]
    return [name or other for name, other in zip(names, unique_names(things, rivals))]


def _category(text: str) -> str:
    return "" if unusable(text) else text.strip().lower()


def _why_nameless(described: Described) -> str:
    own = described.name
    if isinstance(own, str) and (reason := unusable(own)):
        return f"its name {reason}, and no other words point at it alone"
    return "no words point at this object alone"


def _front(annotation: dict[str, Any]) -> tuple[list[float], float] | None:
    """The stated facing direction as a unit vector, and how sure it is (1 unless stated)."""
    stated = annotation.get("front")
    if stated is None:
        return None
    sure = annotation.get("front_confidence", 1.0)
    try:
        vector = np.array([float(n) for n in stated])
        length, sure = float(np.linalg.norm(vector)), float(sure)
    except (TypeError, ValueError):
        length, sure = math.nan, 0.0
    if not (math.isfinite(length) and length > 0 and len(vector) == 3):
        raise InputError(f"front {stated!r} is no direction; write [x, y, z] in camera axes")
    if not 0 <= sure <= 1:
        raise InputError(f"front_confidence {sure!r} is not between 0 and 1")
    return [round(float(n), 6) for n in vector / length], sure


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

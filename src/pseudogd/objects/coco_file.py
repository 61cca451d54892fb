"""The text of a COCO file and where in it each annotation stands: a file of any size costs little more than its text.

Outlines are by far the most of such a file, and as Python lists they take ten times the room. Every annotation is
parsed once to see that it is sound, then let go; whoever asks for a photo's annotations has those parsed again.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pseudogd.errors import InputError
from pseudogd.store.reduced import reduced_size, reduction

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


class CocoFile:
    """``images`` and ``categories`` of a COCO file as they stand in it, and its annotations by image.

    Raises `InputError`, with the place in the file, if it is no JSON; also if it is no COCO file.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._text = _text(self.path)
        self._places: dict[Any, array[int]] = {}
        self.without_outline = 0
        found: dict[str, Any] = {}
        try:
            for key, place in _members(self._text):
                if key == "annotations":
                    self._index(place)
                    found[key] = None
                else:
                    found[key] = place.value()
        except (json.JSONDecodeError, RecursionError) as error:
            raise InputError(f"{self.path}: not a JSON file ({error}){_cut_off(error, len(self._text))}") from None
        if "images" not in found or "annotations" not in found:
            raise InputError(f"{self.path}: not a COCO file, it needs 'images', 'annotations' and 'categories'")
        self.images = _list_of_dicts(found, "images", self.path)
        self.categories = _list_of_dicts(found, "categories", self.path)

    def annotations_of(self, image_id: Any) -> list[dict[str, Any]]:
        """The annotations of an image (its ``id``), in the order of the file."""
        places = self._places.get(key_of(image_id), ())
        return [_DECODER.raw_decode(self._text, place)[0] for place in places]

    def _index(self, place: _Place) -> None:
        """Note where each annotation begins, under its image. The last of several lists counts, as in `json`."""
        self._places, self.without_outline = {}, 0
        if not place.opens("["):
            if place.value():
                raise InputError(f"{self.path}: 'annotations' is not a list of objects")
            return
        for start, annotation in place.items():
            if not isinstance(annotation, dict):
                raise InputError(f"{self.path}: 'annotations' is not a list of objects")
            self.without_outline += not annotation.get("segmentation")
            self._places.setdefault(key_of(annotation.get("image_id")), array("q")).append(start)


def key_of(value: Any) -> Any:
    """Ids are numbers or texts; anything else (a list, say) would not even hash."""
    return value if isinstance(value, (int, str)) else repr(value)


class _Place:
    """A value of a JSON text that has not been parsed yet; `end` is where it ends, once it has been."""

    def __init__(self, text: str, start: int):
        self._text, self._start, self.end = text, start, -1

    def opens(self, bracket: str) -> bool:
        return self._text.startswith(bracket, self._start)

    def value(self) -> Any:
        value, self.end = _DECODER.raw_decode(self._text, self._start)
        return value

    def items(self) -> Iterator[tuple[int, Any]]:
        """(where it begins, value) of each item of a list."""
        text, place = self._text, _after_space(self._text, self._start + 1)
        if text.startswith("]", place):
            self.end = place + 1
            return
        while True:
            value, end = _DECODER.raw_decode(text, place)
            yield place, value
            end = _after_space(text, end)
            if text.startswith("]", end):
                self.end = end + 1
                return
            place = _after_space(text, _expect(text, end, ","))


def _members(text: str) -> Iterator[tuple[str, _Place]]:
    """Names and places of what the outermost object holds; each has to be parsed before the next is asked for."""
    at = _after_space(text, 0)
    if not text.startswith("{", at):
        value = _DECODER.raw_decode(text, at)  # raises where it is no JSON at all
        _end(text, value[1])
        return
    at = _after_space(text, at + 1)
    if text.startswith("}", at):
        _end(text, at + 1)
        return
    while True:
        if not text.startswith('"', at):
            raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
        key, at = _DECODER.raw_decode(text, at)
        place = _Place(text, _after_space(text, _expect(text, _after_space(text, at), ":")))
        yield key, place
        at = _after_space(text, place.end)
        if text.startswith("}", at):
            _end(text, at + 1)
            return
        at = _after_space(text, _expect(text, at, ","))


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _expect(text: str, at: int, mark: str) -> int:
    if not text.startswith(mark, at):
        raise json.JSONDecodeError(f"Expecting {mark!r} delimiter", text, at)
    return at + 1


def _end(text: str, at: int) -> None:
    at = _after_space(text, at)
    if at != len(text):
        raise json.JSONDecodeError("Extra data", text, at)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such annotation file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a JSON file ({error})") from None


def _cut_off(error: Exception, length: int) -> str:
    """What to do where the text ends too early: an unfinished download is the usual cause."""
    if isinstance(error, json.JSONDecodeError) and ("Unterminated" in error.msg or error.pos >= length):
        return "; it ends before it is complete, copy or download it again"
    return ""


def _list_of_dicts(document: dict[str, Any], key: str, path: Path) -> list[dict[str, Any]]:
    rows = document.get(key) or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path}: '{key}' is not a list of objects")
    return rows


def reduced_by(stated: tuple[Any, Any], width: int, height: int) -> int | None:
    """How many times as large as the photo is read the file has it; None where it speaks of another size."""
    if None in stated or stated == (width, height):
        return 1
    if not all(isinstance(side, int) and side > 0 for side in stated):
        return None
    return reduction(*stated) if reduced_size(*stated) == (width, height) else None


def divided(values: Any, factor: int) -> Any:
    """Numbers, in lists of lists, over `factor`; what is no number stays, for those that check it."""
    if factor == 1:
        return values
    if isinstance(values, list):
        return [divided(value, factor) for value in values]
    return values / factor if isinstance(values, (int, float)) and not isinstance(values, bool) else values

"""Things that no words tell apart get a number: which ones, which number, and where in the picture it can stand.

A mark is a thin box round the thing and a tag with its number. The tag stands on the thing where that hides little of
it, else at an edge of its box where it hides nothing that is marked and no other box is as near. Whether the tag points
at its thing and no other is read back (`meant`) before the mark is used. Numbers go to things by lot: that one's number
is lower says nothing about where it stands. Marks on a picture as references in its questions: set-of-mark prompting
(Yang et al. 2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pseudogd.objects import masks
from pseudogd.objects.naming import clean
from pseudogd.objects.rows import ObjectRow

Mask = NDArray[np.bool_]
Rect = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are outside."""

MOST = 6
"""Things marked in one photo: with more the picture is of boxes."""
TAG = 0.06
TAG_LEAST = 13
"""Side of a tag: share of the photo's shorter side, and pixels."""
HIDES = 0.12
"""A tag hides at most this share of what is seen of any thing."""
SMALLEST = 0.04
"""Share of the photo's shorter side from which both sides of a thing are large enough for a box."""
OVERLAP = 0.5
"""Boxes without a tag inside share at most so much of the smaller one."""
_WORK_SIDE = 512


@dataclass(frozen=True)
class Mark:
    """``box``: of the thing; ``tag``: where its number stands."""

    object_id: str
    number: int
    box: Rect
    tag: Rect


@dataclass(frozen=True)
class Marked:
    """``rows``: the things that are marked, with their names; ``marks``: the same, to be drawn; ``left_out``: (object
    id, reason) of the others."""

    rows: list[ObjectRow]
    marks: list[Mark]
    left_out: list[tuple[str, str]]


def marked_name(category: str, number: int) -> str:
    """What a marked thing is called."""
    return f"{clean(category) or 'object'} marked {number}"


def mark_things(
    unnamed: Sequence[ObjectRow], named: Sequence[ObjectRow], size: tuple[int, int], rng: np.random.Generator
) -> Marked:
    """Marks for things that have no name, beside those that have one. ``size``: width, height of the photo in pixels.

    The same things and random numbers give the same marks; no pixel is looked at.
    """
    scene = _Layout(unnamed, named, size)
    placed: list[tuple[int, Rect, Rect]] = []
    left_out: list[tuple[str, str]] = []
    for k in sorted(range(len(unnamed)), key=lambda k: (-scene.areas[k], k)):
        reason = f"{MOST} others are marked" if len(placed) == MOST else scene.too_small(k)
        tag = None if reason else scene.place(k, [tag for _, _, tag in placed])
        if tag is None:
            left_out.append((unnamed[k]["object_id"], reason or "there is no clear place for its mark"))
        else:
            placed.append((k, scene.boxes[k], tag))
    clear = [one for one in placed if scene.meant(one[2], [k for k, *_ in placed]) == one[0]]
    left_out += [
        (unnamed[k]["object_id"], "its mark could be another's") for k, *one in placed if (k, *one) not in clear
    ]
    placed = clear
    taken = {row["name"] for row in named}
    free = [n for n in range(1, MOST + len(taken) + 1) if not any(name.endswith(f"marked {n}") for name in taken)]
    numbers = [free[n] for n in rng.permutation(len(placed))]
    found = Marked([], [], left_out)
    for number, (k, box, tag) in sorted(zip(numbers, placed)):
        row = unnamed[k].copy()
        row["name"] = marked_name(row["category"], number)
        found.rows.append(row)
        found.marks.append(Mark(row["object_id"], number, box, tag))
    return found


def lot(image_id: str, seed: int) -> np.random.Generator:
    """The random numbers of a photo's marks."""
    return np.random.default_rng([seed, int(image_id[:12], 16)])


def tag_side(size: tuple[int, int]) -> int:
    """Pixels of a tag's side in a photo of this size."""
    return max(TAG_LEAST, round(TAG * min(size)))


class _Layout:
    """Where everything lies, on a grid no finer than it must be. ``seen``: masks without what lies before them."""

    def __init__(self, unnamed: Sequence[ObjectRow], named: Sequence[ObjectRow], size: tuple[int, int]) -> None:
        self.size, self.side = size, tag_side(size)
        self.step = max(1, -(-max(size) // _WORK_SIDE))
        self.reach = -(-self.side // self.step)
        everything = [*unnamed, *named]
        self.boxes = [_rect(row["bbox"]) for row in everything]
        self.count = len(unnamed)
        whole = [self._mask(row) for row in everything]
        self.areas = [int(mask.sum()) for mask in whole]
        self.has_mask = [row.get("rle") is not None for row in everything]
        self.seen = [self._in_front(k, whole) for k in range(len(everything))]

    def _mask(self, row: ObjectRow) -> Mask:
        if row["rle"] is not None:
            return masks.decode(row["rle"])[:: self.step, :: self.step]
        mask = np.zeros((-(-self.size[1] // self.step), -(-self.size[0] // self.step)), bool)
        left, top, right, bottom = (edge // self.step for edge in _rect(row["bbox"]))
        mask[top : bottom + 1, left : right + 1] = True
        return mask

    def _in_front(self, k: int, whole: Sequence[Mask]) -> Mask:
        """What is of this thing alone: of two outlines that overlap the smaller one is taken to lie in front."""
        own = whole[k].copy()
        for other, mask in enumerate(whole):
            if other != k and (self.areas[other], other) < (self.areas[k], k) and self.has_mask[other]:
                own &= ~mask
        return own

    def too_small(self, k: int) -> str:
        left, top, right, bottom = self.boxes[k]
        if min(right - left, bottom - top) < SMALLEST * min(self.size):
            return "it is too small for a mark"
        return ""

    def meant(self, tag: Rect, marked: Sequence[int]) -> int | None:
        """Which of the marked things a tag is read as: the one it stands on, else the one whose box is nearest."""
        x, y = (tag[0] + tag[2]) / 2, (tag[1] + tag[3]) / 2
        row, column = int(y) // self.step, int(x) // self.step
        on = [k for k in marked if self.has_mask[k] and self.seen[k][row, column]]
        if on:
            return on[0] if len(on) == 1 else None
        away = [max(box[0] - x, x - box[2], box[1] - y, y - box[3], 0.0) for box in (self.boxes[k] for k in marked)]
        nearest = [k for k, far in zip(marked, away) if far == min(away)]
        return nearest[0] if len(nearest) == 1 else None

    def place(self, k: int, tags: Sequence[Rect]) -> Rect | None:
        """The tag of thing ``k`` beside ``tags`` that are there, or None where none would be clear."""
        inside = self._on_it(k, tags) if self.has_mask[k] else None
        if inside is not None:
            return inside
        return next((tag for tag in self._at_its_box(k) if self._is_clear(k, tag, tags)), None)

    def _on_it(self, k: int, tags: Sequence[Rect]) -> Rect | None:
        """In the middle of the widest part of this thing alone, in no other box or off their lines if there is room."""
        free = self.seen[k].copy()
        if (self.reach + 1) ** 2 > HIDES * free.sum():
            return None
        for other in range(self.count):
            if other != k and self.has_mask[other]:
                free &= ~self.seen[other]
        for tag in tags:
            free[self._window(tag)] = False
        boxes, lines = self._boxes_beside(k)
        return self._widest(free & ~boxes) or self._widest(free & ~lines) or self._widest(free)

    def _boxes_beside(self, k: int) -> tuple[Mask, Mask]:
        """The boxes of the unnamed things but ``k``, and their lines."""
        boxes, lines = np.zeros(self.seen[k].shape, bool), np.zeros(self.seen[k].shape, bool)
        far = line_width(self.size) + 2
        for left, top, right, bottom in (self.boxes[other] for other in range(self.count) if other != k):
            whole = self._window((max(left - far, 0), max(top - far, 0), right + far, bottom + far))
            inside = self._window((left, top, right, bottom))
            kept = lines[inside].copy()
            lines[whole] = True
            lines[inside] = kept
            boxes[whole] = True
        return boxes, lines

    def _widest(self, free: Mask) -> Rect | None:
        """The tag in the middle of the widest part of ``free``, if it lies in it as a whole."""
        from scipy.ndimage import distance_transform_cdt, distance_transform_edt

        free = np.pad(free, 1)
        room = distance_transform_cdt(free, "chessboard")
        fits = 2 * room - 1 >= self.reach + 2
        if not fits.any():
            return None
        row, column = np.unravel_index(int(np.where(fits, distance_transform_edt(free), -1.0).argmax()), free.shape)
        middle = (int(column) - 1 + 0.5) * self.step, (int(row) - 1 + 0.5) * self.step
        return self._tag_at(middle[0] - self.side / 2, middle[1] - self.side / 2)

    def _at_its_box(self, k: int) -> list[Rect]:
        left, top, right, bottom = self.boxes[k]
        side, gap = self.side, line_width(self.size) + 1
        across, along = (
            (left, right - side, (left + right - side) // 2),
            (top, bottom - side, (top + bottom - side) // 2),
        )
        places = [(x, y) for y in (top - side - gap, bottom + gap) for x in across]
        places += [(x, y) for x in (left - side - gap, right + gap) for y in along]
        width, height = self.size
        inside = [(x, y) for x, y in places if 0 <= x <= width - side and 0 <= y <= height - side]
        return [self._tag_at(x, y) for x, y in inside]

    def _is_clear(self, k: int, tag: Rect, tags: Sequence[Rect]) -> bool:
        """Whether a tag at the edge of a box hides nothing that is marked, and can be that box's alone."""
        if any(_shared(tag, other) for other in tags):
            return False
        room = tuple(edge + sign * self.side // 2 for edge, sign in zip(tag, (-1, -1, 1, 1)))
        for other, box in enumerate(self.boxes):
            if other < self.count and other != k:
                if _shared(room, box) or _shared(self.boxes[k], box) > OVERLAP * min(_area(self.boxes[k]), _area(box)):
                    return False
            elif self.has_mask[other] or other == k:
                hidden = int(self.seen[other][self._window(tag)].sum())
                if hidden > HIDES * self.seen[other].sum():
                    return False
        return True

    def _tag_at(self, x: float, y: float) -> Rect:
        left, top = round(min(max(x, 0), self.size[0] - self.side)), round(min(max(y, 0), self.size[1] - self.side))
        return left, top, left + self.side, top + self.side

    def _window(self, rect: Rect) -> tuple[slice, slice]:
        left, top, right, bottom = rect
        step = self.step
        return slice(top // step, -(-bottom // step)), slice(left // step, -(-right // step))


def line_width(size: tuple[int, int]) -> int:
    """Pixels of a box's coloured line."""
    return max(1, round(min(size) / 240))


def _rect(bbox: Sequence[float]) -> Rect:
    x, y, w, h = bbox
    return int(np.floor(x)), int(np.floor(y)), int(np.ceil(x + w)), int(np.ceil(y + h))


def _area(rect: Sequence[int]) -> int:
    return max(rect[2] - rect[0], 0) * max(rect[3] - rect[1], 0)


def _shared(a: Sequence[int], b: Sequence[int]) -> int:
    return _area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))

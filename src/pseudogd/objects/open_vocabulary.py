"""Named things of a photo by a detector's boxes and a segmenter's masks, filtered, and named so that each is alone."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.objects import boxes as box
from pseudogd.objects import masks
from pseudogd.objects.checkpoints import OutOfMemory
from pseudogd.objects.coco import Annotated
from pseudogd.objects.colors import ANY, Colors, measure, says_color
from pseudogd.objects.detectors.base import Detections, Detector, Prepared
from pseudogd.objects.naming import Described, unique_names
from pseudogd.objects.rows import ObjectRow
from pseudogd.objects.segmenters import Framed, Segmenter


@dataclass(frozen=True)
class Filters:
    """Which boxes and masks count as things.

    ``nms``, ``nms_any``: overlap (intersection over union) from which the lesser of two boxes of one class, of any two
    classes goes. ``contained``: share of a box inside a larger one of its class from which it goes; a box that holds
    two or more others of its class so is a group and goes instead. ``min_area``, ``max_area``: of the box, as share of
    the photo; ``max_aspect``: longer over shorter side. ``max_objects``: the best so many. Of masks: ``min_fill``:
    least share of the box that the mask fills; ``min_inside``: least share of the mask inside the box;
    ``min_mask_score``: the segmenter's own.
    """

    nms: float = 0.5
    nms_any: float = 0.8
    contained: float = 0.9
    min_area: float = 0.001
    max_area: float = 0.8
    max_aspect: float = 12.0
    max_objects: int = 30
    min_fill: float = 0.15
    min_inside: float = 0.8
    min_mask_score: float = 0.5

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            top = float("inf") if each.name in ("max_aspect", "max_objects") else 1.0
            if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= top:
                raise InputError(f"{each.name} = {value!r}: must be a number from 0" + (" to 1" if top == 1 else ""))


@dataclass(frozen=True, eq=False)
class Ready:
    """A photo prepared for both networks."""

    image: Image.Image
    detector: Prepared
    segmenter: Framed | None


@dataclass(eq=False)
class _Thing:
    place: NDArray[np.float64]
    score: float
    category: str
    rle: dict[str, Any] | None = None
    bbox: list[float] | None = None
    color: Colors = ANY


@dataclass(eq=False)
class _Chosen:
    """Things; what else may be there; boxes inside of larger ones of their class; why something is no thing."""

    things: list[_Thing] = field(default_factory=list)
    rivals: list[_Thing] = field(default_factory=list)
    parts: list[_Thing] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class OpenVocabulary:
    """A detector with or without a segmenter. ``settings`` says all that the rows depend on besides the photo."""

    def __init__(self, detector: Detector, segmenter: Segmenter | None, filters: Filters, label: str):
        self.detector, self.segmenter, self.filters, self.label = detector, segmenter, filters, label
        self.settings = {
            "source": label,
            "classes": list(detector.classes),
            **detector.settings,
            "segmenter": None if segmenter is None else segmenter.settings,
            "filters": asdict(filters),
        }

    def prepare(self, image: Image.Image) -> Ready:
        """Network inputs of an upright RGB photo. Safe to call from several threads."""
        framed = None if self.segmenter is None else self.segmenter.prepare(image)
        return Ready(image, self.detector.prepare(image), framed)

    def bucket(self, ready: Ready) -> Hashable:
        """Photos of one bucket share a batch."""
        return self.detector.bucket(ready.detector)

    def infer(self, batch: Sequence[Ready]) -> list[Annotated | Exception]:
        """What is in each photo of one bucket, or what went wrong with that photo. Raises `OutOfMemory`."""
        found = _each(lambda part: self.detector.detect([one.detector for one in part]), batch)
        chosen: list[Any] = [
            out if isinstance(out, Exception) else self._chosen(out, one.image.size) for out, one in zip(found, batch)
        ]
        features: dict[int, Any] = {}
        if self.segmenter is not None:
            asked = [i for i, out in enumerate(chosen) if not isinstance(out, Exception) and out.things]
            inputs = [batch[i].segmenter for i in asked]
            features = dict(zip(asked, _each(self.segmenter.features, inputs) if asked else ()))
        return [
            out if isinstance(out, Exception) else self._finished(one, out, features.get(i))
            for i, (one, out) in enumerate(zip(batch, chosen))
        ]

    def _chosen(self, found: Detections, size: tuple[int, int]) -> _Chosen:
        """The things among raw boxes, and what else may be there."""
        f, names = self.filters, self.detector.classes
        kept = box.suppressed(found.boxes, found.scores, found.classes, f.nms, f.nms_any)
        groups = box.holds_others(found.boxes[kept], found.classes[kept], f.contained, 2)
        kept = [i for i, group in zip(kept, groups) if not group]
        boxes, classes, sure = found.boxes[kept], found.classes[kept], found.scores[kept] >= self.detector.threshold
        inside = box.contained(boxes, classes, f.contained, sure)
        # A doubtful box round a sure one of its class is that one, seen loosely.
        loose = box.holds_others(boxes, classes, f.contained, 1, sure) & ~sure
        chosen = _Chosen()
        things, rivals, notes = chosen.things, chosen.rivals, chosen.notes
        for i, part, double in zip(kept, inside, loose):
            thing = _Thing(found.boxes[i], float(found.scores[i]), names[found.classes[i]])
            if double:
                continue
            if part:
                chosen.parts.append(thing)
                continue
            if thing.score < self.detector.threshold:
                rivals.append(thing)
                continue
            w, h = thing.place[2:] - thing.place[:2]
            share = w * h / (size[0] * size[1])
            reason = ""
            if not f.min_area <= share <= f.max_area:
                reason = f"its box covers {100 * share:.2g} % of the photo"
            elif max(w, h) > f.max_aspect * min(w, h):
                reason = f"its box is {max(w, h) / min(w, h):.0f} times as long as wide"
            elif len(things) >= f.max_objects:
                reason = f"{f.max_objects} better ones are there"
            if reason:
                rivals.append(thing)
                notes.append(_note(thing, reason))
            else:
                things.append(thing)
        return chosen

    def _finished(self, one: Ready, chosen: _Chosen, features: Any) -> Annotated | Exception:
        if isinstance(features, Exception):
            return features
        try:
            if features is not None:
                chosen = self._with_masks(one, chosen, features)
            return self._named(chosen)
        except OutOfMemory:
            raise
        except Exception as error:  # one bad photo stops no other
            return error

    def _with_masks(self, one: Ready, chosen: _Chosen, features: Any) -> _Chosen:
        """The things with good masks; those without, and parts that are things of their own, may be there all the same.

        A box inside a larger one of its class is a part of that thing, or another thing before it (a child before its
        mother): it is another if most of its mask is not of the larger one's.
        """
        assert self.segmenter is not None and one.segmenter is not None
        pixels, good = np.asarray(one.image), _Chosen(rivals=chosen.rivals, notes=chosen.notes)
        places = np.array([thing.place for thing in (*chosen.things, *chosen.parts)])
        found = self.segmenter.masks(features, one.segmenter.frame, places)
        for thing, (mask, score) in zip((*chosen.things, *chosen.parts), found):
            if any(thing is part for part in chosen.parts):
                if not _covered(mask, thing.category, good.things):
                    good.rivals.append(thing)
            elif reason := self._flaw(mask, score, thing.place):
                good.rivals.append(thing)
                good.notes.append(_note(thing, reason))
            else:
                thing.rle, thing.bbox = masks.encode(mask), masks.box_of(mask)
                if says_color(thing.category.split()[-1]):
                    thing.color = measure(pixels, mask)
                good.things.append(thing)
        return good

    def _flaw(self, mask: NDArray[np.bool_], score: float, place: NDArray[np.float64]) -> str:
        f, total = self.filters, int(mask.sum())
        left, top = (int(n) for n in np.floor(place[:2]))
        right, bottom = (int(n) for n in np.ceil(place[2:]))
        within = int(mask[top:bottom, left:right].sum())
        if score < f.min_mask_score:
            return f"the segmenter is not sure of its mask ({score:.2f})"
        if total < 4 or within < f.min_fill * (right - left) * (bottom - top):
            return f"its mask fills {100 * within / max(1, (right - left) * (bottom - top)):.0f} % of its box"
        if within < f.min_inside * total:
            return f"{100 * (1 - within / total):.0f} % of its mask lies outside of its box"
        return ""

    def _named(self, chosen: _Chosen) -> Annotated:
        things, rivals = chosen.things, chosen.rivals
        found = Annotated(left_out=list(chosen.notes))
        names = unique_names([_described(thing) for thing in things], [_described(thing) for thing in rivals])
        for number, (thing, name) in enumerate(zip(things, names)):
            if name is None:
                found.left_out.append(_note(thing, "no words point at it alone"))
            x0, y0, x1, y1 = (round(float(n), 2) for n in thing.place)
            row = ObjectRow(
                object_id=str(number),
                name=name or "",
                category=thing.category,
                bbox=thing.bbox or [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)],
                rle=thing.rle,
                score=round(thing.score, 4),
                source=self.label,
                attributes={"color": thing.color.said} if thing.color.said else {},
            )
            (found.unnamed if name is None else found.rows).append(row)
        return found


def _covered(mask: NDArray[np.bool_], category: str, things: Sequence[_Thing]) -> bool:
    """Whether at least half of a mask is of things of this category that have one."""
    rest = mask.copy()
    for thing in things:
        if thing.category == category and thing.rle is not None:
            rest &= ~masks.decode(thing.rle)
    return bool(2 * rest.sum() <= mask.sum())


def _described(thing: _Thing) -> Described:
    x0, y0, x1, y1 = (float(n) for n in thing.place)
    return Described(category=thing.category, measured=thing.color, extent=(x0, y0, x1, y1))


def _note(thing: _Thing, reason: str) -> str:
    x0, y0, x1, y1 = (round(float(n)) for n in thing.place)
    return f"{thing.category} at {x0},{y0} to {x1},{y1} ({thing.score:.2f}): {reason}"


def _each(call: Any, batch: Sequence[Any]) -> list[Any]:
    """`call(batch)`; if that fails, each of the batch alone, so that one bad photo fails only itself."""
    try:
        return list(call(batch))
    except OutOfMemory:
        raise
    except Exception as error:
        if len(batch) == 1:
            return [error]
    return [out for one in batch for out in _each(call, [one])]

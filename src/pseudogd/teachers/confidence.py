"""Confidence for teachers that give none: ask again about the mirrored photo, or ask a second teacher.

At every pixel confidence = exp(-r / 0.1), r being the disagreement of two answers after the alignment that their kinds
allow, so an answer that moves by 1 % has .90, by 5 % .61, by 10 % .37.

    both metric                  r = |ln d1 - ln d2|, as they are: a common factor is a disagreement about metres
    one of them up to scale,     r = |ln d1 - ln d2 - m|, m the median of ln d1 - ln d2
    or mirrored by one teacher
    one of them inverse depth    r = |s1 - (a s2 + b)| / (95 % quantile of s1 - 5 % quantile), s = 1 / d,
                                 a >= 0 and b by least squares

Where one of them knows no depth confidence is 0; where both say sky it is 1. A confidence that the teacher gave itself
is multiplied by it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import ImageOps

from pseudogd.errors import InputError
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo
from pseudogd.teachers.base import Photo, Teacher, settings_hash

WIDTH = 0.1
"""Disagreement at which confidence has fallen to 1/e."""


@dataclass(frozen=True)
class _Pair:
    first: Any
    second: Any


class _Twice(Teacher):
    """Two answers for each photo, in batches whose both halves fit together. It takes the first and its confidence."""

    def __init__(self, first: Teacher, second: Teacher, how: dict[str, Any]) -> None:
        self.first, self.second, self.errors = first, second, first.errors
        self.scale, self.looks, self.alone = first.scale, first.looks, first.alone and second.alone
        self.settings = {**first.settings, "confidence": how}
        self.info = replace(first.info, settings_hash=settings_hash(self.settings))

    def bucket(self, prepared: _Pair) -> Hashable:
        """As the two teachers' own."""
        return self.first.bucket(prepared.first), self.second.bucket(prepared.second)

    def fingerprint(self, name: str) -> str:
        """As the two teachers' own."""
        ours, theirs = self.first.fingerprint(name), self.second.fingerprint(name)
        return f"{ours} {theirs}".strip() if self.second is not self.first else ours

    def _believed(self, geometry: Geometry, other: np.ndarray, aligned: Scale) -> Geometry:
        confidence = agreement(geometry.depth, _sampled(other, geometry.depth.shape), aligned)
        if geometry.confidence is not None:
            confidence = confidence * geometry.confidence
        return replace(geometry, confidence=confidence, teacher=self.info)


class FlipConsistency(_Twice):
    """A teacher that is asked about the photo and about its mirror image; the depth is that of the photo."""

    def __init__(self, teacher: Teacher) -> None:
        """InputError for a teacher that does not look at the picture."""
        if not teacher.looks:
            raise InputError(
                f"{teacher.info.name}: reads depth by the photo's name and has no answer for its mirror image; leave "
                "confidence flip out, or use a second teacher"
            )
        super().__init__(teacher, teacher, {"kind": "flip", "width": WIDTH})

    def prepare(self, photo: Photo) -> _Pair:
        """The photo and its mirror image, as the teacher wants them."""
        mirrored = Photo(
            ImageOps.mirror(photo.image), None if photo.camera is None else photo.camera.mirrored(), photo.name
        )
        return _Pair(self.first.prepare(photo), self.first.prepare(mirrored))

    def infer(self, prepared: Sequence[_Pair]) -> list[Geometry]:
        """As the teacher's, with confidence."""
        straight = self.first.infer([pair.first for pair in prepared])
        mirrored = self.first.infer([pair.second for pair in prepared])
        return [
            self._believed(
                one, other.depth[:, ::-1], max((one.scale, other.scale, Scale.UP_TO_SCALE), key=_LOOSE.index)
            )
            for one, other in zip(straight, mirrored, strict=True)
        ]


class Agreement(_Twice):
    """A teacher with the confidence of how far a second one agrees; what the second says is used for nothing else."""

    def __init__(self, first: Teacher, second: Teacher) -> None:
        super().__init__(first, second, {"kind": "second teacher", "width": WIDTH, "teacher": dict(second.settings)})
        inner = first.settings.get("confidence")
        if inner is not None:
            self.settings["confidence"]["and"] = inner  # flip consistency beneath it: the two are multiplied
        self.info = TeacherInfo(
            first.info.name, first.info.revision, settings_hash(self.settings), _both_licences(first.info, second.info)
        )

    def prepare(self, photo: Photo) -> _Pair:
        """The photo as each teacher wants it."""
        return _Pair(self.first.prepare(photo), self.second.prepare(photo))

    def infer(self, prepared: Sequence[_Pair]) -> list[Geometry]:
        """As the first teacher's, with confidence. InputError when the second has nothing to say."""
        ours = self.first.infer([pair.first for pair in prepared])
        theirs = self.second.infer([pair.second for pair in prepared])
        return [
            self._believed(one, other.depth, max((one.scale, other.scale), key=_LOOSE.index))
            for one, other in zip(ours, theirs, strict=True)
        ]


_LOOSE = (Scale.METRIC, Scale.UP_TO_SCALE, Scale.AFFINE_DISPARITY)


def agreement(depth: np.ndarray, other: np.ndarray, scale: Scale) -> np.ndarray:
    """Confidence (H, W) float32 in [0, 1] of `depth` by `other`, both (H, W) z-depth, aligned as `scale` allows."""
    both = np.isfinite(depth) & np.isfinite(other)
    confidence = (np.isposinf(depth) & np.isposinf(other)).astype(np.float32)
    if both.any():
        ours, theirs = depth[both].astype(np.float64), other[both].astype(np.float64)
        apart = _affine(1 / ours, 1 / theirs) if scale is Scale.AFFINE_DISPARITY else _logarithmic(ours, theirs, scale)
        confidence[both] = np.exp(-apart / WIDTH)
    return confidence


def _logarithmic(ours: np.ndarray, theirs: np.ndarray, scale: Scale) -> np.ndarray:
    ratio = np.log(ours) - np.log(theirs)
    return np.abs(ratio if scale is Scale.METRIC else ratio - np.median(ratio))


def _affine(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    low, high = np.quantile(ours, [0.05, 0.95])
    spread = theirs.var()
    slope = 0.0 if spread <= 1e-18 else max(float(np.cov(ours, theirs, bias=True)[0, 1] / spread), 0.0)
    left = np.abs(ours - ours.mean() - slope * (theirs - theirs.mean()))
    if high - low > 1e-9 * max(abs(high), 1e-9):
        return left / (high - low)
    return np.where(left > 1e-9 * max(abs(high), 1e-9), np.inf, 0.0)


def _sampled(other: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The other map at this one's places, by the nearest sample."""
    if other.shape == shape:
        return other
    row, column = (((np.arange(n) + 0.5) * have / n).astype(int) for n, have in zip(shape, other.shape))
    return other[row][:, column]


def _both_licences(first: TeacherInfo, second: TeacherInfo) -> str:
    if first.licence == second.licence:
        return first.licence
    return f"{first.licence}; confidence by {second.name}: {second.licence}"

"""What a teacher says about one photo, and in which unit it says it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from pseudogd.geometry.camera import Camera

_UNIT_TOLERANCE = 0.05  # 8-bit storage and interpolation bend unit vectors by less than this


class Scale(str, Enum):
    """The kind of a depth map: which of its numbers may be believed."""

    METRIC = "metric"
    """Metres."""
    UP_TO_SCALE = "up_to_scale"
    """Metres times one unknown positive factor for the whole photo: ratios, angles and normals hold."""
    AFFINE_DISPARITY = "affine_disparity"
    """Some strictly decreasing function of a disparity with unknown scale and shift: only the order holds."""


CAMERA_SOURCES = ("file", "exif", "teacher", "unknown")
"""Who says what a photo's intrinsics are, the most trusted first: a given file, the photo's EXIF, the teacher."""


@dataclass(frozen=True)
class TeacherInfo:
    """Who made a label: enough to cite it, to make it again and to know whether it may be used.

    ``revision`` identifies the weights (hub revision or content hash), ``settings_hash`` the options it ran with.
    """

    name: str
    revision: str
    settings_hash: str
    licence: str

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a teacher needs a name")


@dataclass(frozen=True, eq=False)
class Up:
    """Direction against gravity: unit ``vector`` (3,) float64 in camera axes, ``confidence`` in [0, 1].

    A vector of any length but zero is accepted and normalised. Raises ValueError on another shape, a zero or
    non-finite vector, or a confidence outside [0, 1].
    """

    vector: NDArray[np.float64]
    confidence: float

    def __post_init__(self) -> None:
        vector = np.array(self.vector, dtype=np.float64)
        if vector.shape != (3,) or not np.isfinite(vector).all():
            raise ValueError(f"up must be 3 finite numbers, got {vector.tolist()}")
        length = float(np.linalg.norm(vector))
        if length < 1e-9:
            raise ValueError("up must not be the zero vector")
        confidence = float(self.confidence)
        if not 0.0 <= confidence <= 1.0:
            raise ValueError(f"confidence of up must lie in [0, 1], got {confidence}")
        vector /= length
        vector.flags.writeable = False
        object.__setattr__(self, "vector", vector)
        object.__setattr__(self, "confidence", confidence)


@dataclass(frozen=True, eq=False)
class Geometry:
    """Pseudo geometry of one upright photo. H and W may be smaller than the photo's.

    depth       (H, W) float32 z-depth (never ray length): > 0, nan = unknown, inf = sky. Metres if ``scale`` is METRIC.
    camera      pinhole intrinsics in pixels of the original photo, or None when the focal length is not known.
    normals     (H, W, 3) float32 unit, camera axes, facing the camera, nan = unknown; or None.
    confidence  (H, W) float32 in [0, 1]; or None.
    up          direction against gravity; or None.
    camera_source  one of `CAMERA_SOURCES`, or None where nobody has written it down.

    Raises ValueError on shapes that do not fit, depth <= 0, normals that are not unit, confidence outside [0, 1].
    """

    depth: NDArray[np.float32]
    camera: Camera | None
    normals: NDArray[np.float32] | None = None
    confidence: NDArray[np.float32] | None = None
    up: Up | None = None
    scale: Scale = field(kw_only=True)  # no default: a number has a unit only if somebody says so
    teacher: TeacherInfo = field(kw_only=True)
    camera_source: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", Scale(self.scale))
        object.__setattr__(self, "depth", _checked_depth(self.depth))
        if self.normals is not None:
            object.__setattr__(self, "normals", _checked_normals(self.normals, self.depth.shape))
        if self.confidence is not None:
            object.__setattr__(self, "confidence", _checked_confidence(self.confidence, self.depth.shape))
        if self.camera is not None and not isinstance(self.camera, Camera):
            raise ValueError(f"camera must be a Camera or None, got {type(self.camera).__name__}")
        if self.up is not None and not isinstance(self.up, Up):
            raise ValueError(f"up must be an Up or None, got {type(self.up).__name__}")
        if self.camera_source not in (None, *CAMERA_SOURCES):
            raise ValueError(f"camera_source {self.camera_source!r}: must be one of {', '.join(CAMERA_SOURCES)}")

    @property
    def known(self) -> NDArray[np.bool_]:
        """(H, W) bool: pixels with a finite depth."""
        return np.isfinite(self.depth)

    @property
    def sky(self) -> NDArray[np.bool_]:
        """(H, W) bool: pixels said to be sky."""
        return np.isposinf(self.depth)


def _checked_depth(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    depth = np.asarray(depth, dtype=np.float32)
    if depth.ndim != 2 or depth.size == 0:
        raise ValueError(f"depth must be a non-empty (H, W) map, got shape {depth.shape}")
    with np.errstate(invalid="ignore"):
        bad = depth <= 0
    if bad.any():
        raise ValueError(f"depth must be > 0, nan (unknown) or inf (sky); {int(bad.sum())} pixels are <= 0")
    return depth


def _checked_normals(normals: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    normals = np.asarray(normals, dtype=np.float32)
    if normals.shape != (*shape, 3):
        raise ValueError(f"normals must have shape {(*shape, 3)}, got {normals.shape}")
    off = normals[..., 0] * normals[..., 0]  # along whole rows: four times as fast as a sum over the short last axis
    for k in (1, 2):
        off += normals[..., k] * normals[..., k]
    off -= np.float32(1.0)
    with np.errstate(invalid="ignore"):
        bad = np.abs(off, out=off) > 2 * _UNIT_TOLERANCE
    if bad.any():
        raise ValueError(f"normals must be unit vectors or nan; {int(bad.sum())} are not")
    return normals


def _checked_confidence(confidence: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    confidence = np.asarray(confidence, dtype=np.float32)
    if confidence.shape != shape:
        raise ValueError(f"confidence must have shape {shape}, got {confidence.shape}")
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise ValueError("confidence must lie in [0, 1] everywhere")
    return confidence

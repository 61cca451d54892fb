"""The pinhole camera: x right, y down, z forward; pixel (row i, column j) has its centre at u = j, v = i."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pseudogd.geometry.exif import focal_from_exif

_MIN_FOCAL_PER_SIDE = 0.01  # a view wider than 177 degrees: almost surely a focal length in units of the image side


@dataclass(frozen=True)
class Camera:
    """Pinhole intrinsics in pixels of a ``width`` x ``height`` image, 0-based pixel-centre coordinates.

    Raises ValueError when a number is missing, not finite, or absurd: focal length or size <= 0, or a focal length so
    short that it must be in other units than pixels.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    def __post_init__(self) -> None:
        for name in ("fx", "fy", "cx", "cy"):
            object.__setattr__(self, name, _finite(name, getattr(self, name)))
        for name in ("width", "height"):
            value = _finite(name, getattr(self, name))
            if value != int(value) or value < 1:
                raise ValueError(f"camera {name} must be a whole number of pixels >= 1, got {value:g}")
            object.__setattr__(self, name, int(value))
        for name, side in (("fx", self.width), ("fy", self.height)):
            focal = getattr(self, name)
            if focal <= 0:
                raise ValueError(f"camera {name} must be > 0 pixels, got {focal:g}")
            if focal < _MIN_FOCAL_PER_SIDE * side:
                raise ValueError(f"camera {name} = {focal:g} is too short for {side} pixels; is it in pixels?")

    @classmethod
    def from_fov(
        cls, width: int, height: int, fov_x_deg: float | None = None, fov_y_deg: float | None = None
    ) -> Camera:
        """Centred camera with square pixels from one full field of view in degrees, outer edge to outer edge.

        f = (side / 2) / tan(fov / 2). Raises ValueError unless exactly one angle in (0, 180) is given.
        """
        if (fov_x_deg is None) == (fov_y_deg is None):
            raise ValueError("give exactly one of fov_x_deg and fov_y_deg")
        side, fov = (width, fov_x_deg) if fov_x_deg is not None else (height, fov_y_deg)
        fov = _finite("field of view", fov)
        if not 0.0 < fov < 180.0:
            raise ValueError(f"field of view must lie between 0 and 180 degrees, got {fov:g}")
        return cls._centred(side / 2.0 / math.tan(math.radians(fov) / 2.0), width, height)

    @classmethod
    def from_exif(cls, exif: Mapping[Any, Any], width: int, height: int) -> Camera | None:
        """Centred camera of an upright ``width`` x ``height`` photo from its EXIF tags; None when they do not say.

        ``exif`` maps tag numbers or names to values, as ``PIL.Image.getexif()`` does. See `geometry.exif`.
        """
        focal = focal_from_exif(exif, width, height)
        return None if focal is None else cls._centred(focal, width, height)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Camera:
        """From {fx, fy, cx, cy, width, height}; other keys are ignored. ValueError names what is missing."""
        names = ("fx", "fy", "cx", "cy", "width", "height")
        missing = [name for name in names if name not in values]
        if missing:
            raise ValueError(f"camera lacks {', '.join(missing)}")
        return cls(**{name: values[name] for name in names})

    @classmethod
    def _centred(cls, focal: float, width: int, height: int) -> Camera:
        return cls(focal, focal, (width - 1) / 2.0, (height - 1) / 2.0, width, height)

    def to_dict(self) -> dict[str, float | int]:
        """{fx, fy, cx, cy, width, height} of plain numbers, ready for JSON."""
        return asdict(self)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(3, 3) calibration matrix K."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    @property
    def fov_x(self) -> float:
        """Horizontal field of view in radians, between the outer edges of the first and last column."""
        return math.atan((self.cx + 0.5) / self.fx) + math.atan((self.width - 0.5 - self.cx) / self.fx)

    @property
    def fov_y(self) -> float:
        """Vertical field of view in radians, between the outer edges of the first and last row."""
        return math.atan((self.cy + 0.5) / self.fy) + math.atan((self.height - 0.5 - self.cy) / self.fy)

    def resized(self, width: int, height: int) -> Camera:
        """The same view sampled on ``width`` x ``height`` pixels."""
        if (width, height) == (self.width, self.height):
            return self
        sx, sy = width / self.width, height / self.height
        cx, cy = (self.cx + 0.5) * sx - 0.5, (self.cy + 0.5) * sy - 0.5
        return Camera(self.fx * sx, self.fy * sy, cx, cy, width, height)

    def cropped(self, x0: float, y0: float, width: int, height: int) -> Camera:
        """The window whose first pixel is (x0, y0); it may reach beyond the image (padding)."""
        return Camera(self.fx, self.fy, self.cx - x0, self.cy - y0, width, height)

    def mirrored(self) -> Camera:
        """The camera of the left-right mirrored image: its points have the opposite x."""
        return Camera(self.fx, self.fy, self.width - 1 - self.cx, self.cy, self.width, self.height)

    def rays(self, height: int | None = None, width: int | None = None) -> NDArray[np.float64]:
        """(H, W, 3) viewing rays with z = 1 through the pixel centres of an H x W sampling (default: the image's)."""
        x, y = self._slopes(height or self.height, width or self.width)
        out = np.ones((y.size, x.size, 3))
        out[..., 0] = x
        out[..., 1] = y[:, None]
        return out

    def unproject(self, depth: ArrayLike) -> NDArray[Any]:
        """(H, W) z-depth -> (H, W, 3) points in camera axes, in the unit of ``depth``.

        The map may be smaller than the photo: the camera is resized to it. Where depth is not finite the point is nan.
        float32 maps give float32 points, all others float64. Raises ValueError unless ``depth`` is two-dimensional.
        """
        z = np.asarray(depth)
        if z.ndim != 2 or z.size == 0:
            raise ValueError(f"depth must be a non-empty (H, W) map, got shape {z.shape}")
        z = z.astype(np.float32 if z.dtype == np.float32 else np.float64)  # a copy: sky becomes nan below
        z[~np.isfinite(z)] = np.nan
        x, y = self._slopes(*z.shape)
        points = np.empty((*z.shape, 3), z.dtype)
        np.multiply(z, x.astype(z.dtype), out=points[..., 0])
        np.multiply(z, y.astype(z.dtype)[:, None], out=points[..., 1])
        points[..., 2] = z
        return points

    def project(self, points: ArrayLike) -> NDArray[np.float64]:
        """(..., 3) points -> (..., 2) pixels (u, v) of this camera; nan for points not in front of it (z <= 0)."""
        p = np.asarray(points, dtype=np.float64)
        if p.shape[-1:] != (3,):
            raise ValueError(f"points must have shape (..., 3), got {p.shape}")
        z = np.where(p[..., 2] > 0, p[..., 2], np.nan)
        return np.stack([self.fx * p[..., 0] / z + self.cx, self.fy * p[..., 1] / z + self.cy], axis=-1)

    def _slopes(self, height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """x/z of every column and y/z of every row of an H x W sampling of the view."""
        camera = self.resized(width, height)
        u, v = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)
        return (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy


def _finite(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"camera {name} must be a number, got {value!r}")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"camera {name} must be finite, got {number}")
    return number

"""Depth that any other program made: a folder of depth maps with the photos' names."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo
from pseudogd.teachers.base import Photo, Teacher, settings_hash

_MAX_PIXELS = 89_478_485
_ASPECT_TOLERANCE = 0.02


class DepthFiles(Teacher):
    """DEPTH_FOLDER/NAME.png, 16-bit z-depth in millimetres with 0 = unknown; or NAME.npz with a float array in metres.

    NAME is the photo's path without extension, relative to the folder of photos, or its bare file name. The map may
    have another size than the photo if it has the same aspect ratio.
    """

    looks = False

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        scale: Scale | str = Scale.METRIC,
        metres_per_unit: float = 0.001,
        name: str | None = None,
        licence: str = "unknown",
    ) -> None:
        """`metres_per_unit` of PNG values; `name` and `licence` of what made the depth are noted in every row.

        Raises InputError when the folder is missing or a value cannot be.
        """
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise InputError(f"{folder}: no such folder of depth maps")
        if not 0 < metres_per_unit < 1e3:
            raise InputError(f"metres_per_unit = {metres_per_unit}: must be a positive number, 0.001 for millimetres")
        if scale not in (Scale.METRIC, Scale.UP_TO_SCALE):
            raise InputError(f"scale = {scale!r}: depth files are {Scale.METRIC.value} or {Scale.UP_TO_SCALE.value}")
        self.scale, self._metres = Scale(scale), metres_per_unit
        self.settings = {
            "kind": "files",
            "name": name or f"files:{self.folder.resolve().name}",
            "scale": self.scale.value,
            "metres_per_unit": metres_per_unit,
            "licence": licence,
        }
        self.info = TeacherInfo(self.settings["name"], "", settings_hash(self.settings), licence)

    def find(self, name: str) -> Path | None:
        """The depth file of a photo; None when there is none."""
        bare = PurePosixPath(name).with_suffix("")
        for candidate in (str(bare), bare.name):
            for suffix in (".png", ".npz"):
                path = self.folder / f"{candidate}{suffix}"
                if path.is_file() and path.resolve().is_relative_to(self.folder.resolve()):
                    return path
        return None

    def fingerprint(self, name: str) -> str:
        """SHA-256 of the depth file."""
        path = self.find(name)
        return hashlib.sha256(path.read_bytes()).hexdigest() if path else "missing"

    def prepare(self, photo: Photo) -> Geometry:
        """Read the photo's depth. InputError when there is none, or it says nothing, or does not fit the photo."""
        path = self.find(photo.name)
        if path is None:
            raise InputError(f"{self.folder.name}: no depth map {PurePosixPath(photo.name).stem}.png")
        shown = f"{self.folder.name}/{path.relative_to(self.folder).as_posix()}"
        depth = self._read_npz(path, shown) if path.suffix == ".npz" else self._read_png(path, shown)
        with np.errstate(invalid="ignore"):
            depth[~(depth > 0)] = np.nan
        if not np.isfinite(depth).any():
            raise InputError(f"{shown}: holds no known depth (all zero or nan)")
        depth = _fitted(depth, photo.image.size, shown)
        return Geometry(depth, photo.camera, scale=self.scale, teacher=self.info)

    def infer(self, prepared: Sequence[Geometry]) -> list[Geometry]:
        """Nothing is left to do."""
        return list(prepared)

    def _read_png(self, path: Path, shown: str) -> np.ndarray:
        try:
            with Image.open(path, formats=("PNG",)) as image:
                if image.width * image.height > _MAX_PIXELS:
                    raise InputError(f"{shown}: has more than {_MAX_PIXELS:,} pixels")
                values = np.asarray(image)
        except Image.DecompressionBombError as error:
            raise InputError(f"{shown}: has more than {_MAX_PIXELS:,} pixels") from error
        except (OSError, SyntaxError, ValueError) as error:
            raise InputError(f"{shown}: cannot be read as PNG ({error})") from error
        if values.ndim != 2 or values.dtype.itemsize < 2:
            raise InputError(f"{shown}: is {image.mode}, not 16-bit grey; write millimetres as 16-bit PNG")
        return (values * self._metres).astype(np.float32)

    def _read_npz(self, path: Path, shown: str) -> np.ndarray:
        try:
            with zipfile.ZipFile(path) as archive:
                if sum(info.file_size for info in archive.infolist()) > 8 * _MAX_PIXELS:
                    raise InputError(f"{shown}: has more than {_MAX_PIXELS:,} pixels")
            with np.load(path, allow_pickle=False) as arrays:
                if not arrays.files:
                    raise InputError(f"{shown}: holds no array")
                values = arrays["depth" if "depth" in arrays.files else arrays.files[0]]
        except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
            raise InputError(f"{shown}: cannot be read as npz ({error})") from error
        if values.ndim != 2 or values.size == 0 or values.dtype.kind != "f":
            raise InputError(f"{shown}: needs one float array (H, W) in metres, not {values.dtype} {values.shape}")
        return values.astype(np.float32)


def _fitted(depth: np.ndarray, size: tuple[int, int], shown: str) -> np.ndarray:
    """The map as it is, or sampled down to the photo where it is larger. InputError on another aspect ratio."""
    (width, height), (rows, columns) = size, depth.shape
    if abs(columns * height / (rows * width) - 1) > _ASPECT_TOLERANCE:
        raise InputError(f"{shown}: is {columns} x {rows}, the photo is {width} x {height}: another aspect ratio")
    if columns <= width and rows <= height:
        return depth
    # Nearest sample: a mean across an edge would be a depth where nothing is.
    row = ((np.arange(min(rows, height)) + 0.5) * rows / min(rows, height)).astype(int)
    column = ((np.arange(min(columns, width)) + 0.5) * columns / min(columns, width)).astype(int)
    return depth[row][:, column]

"""What every teacher is: a frozen function from an upright photo to its geometry."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from PIL import Image

from pseudogd.errors import PseudoGDError
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Geometry, Scale, TeacherInfo
from pseudogd.teachers.complete import complete, edges_of


class OutOfMemory(PseudoGDError):
    """So many photos at a time do not fit in the memory of the device."""


@dataclass(frozen=True)
class Photo:
    """An upright RGB photo, its camera if known, and its name (path relative to the folder of photos)."""

    image: Image.Image
    camera: Camera | None = None
    name: str = ""


class Teacher(ABC):
    """Answers in two steps, so that reading and resizing run beside the network.

    `info` goes into every row, `settings` (plain JSON values) into the manifest; `scale` is the best kind of depth that
    the teacher gives.
    """

    info: TeacherInfo
    settings: Mapping[str, Any]
    scale: Scale
    errors: Mapping[str, float] = MappingProxyType({})
    """What the teacher says of its own depth errors, as shares of depth in two photos of three: ``own`` of each thing
    apart from the others, ``shared`` by all of a photo. `pseudogd calibrate` measures them. Empty when unknown."""
    looks: bool = True
    """Whether it looks at the picture: only then may it be asked again about a changed one."""

    alone: bool = False
    """Whether it takes photos one at a time anyway, so that asking for several would only lose more when one fails."""

    @abstractmethod
    def prepare(self, photo: Photo) -> Any:
        """What the network needs of one photo; small, so that many can wait. Raises InputError for a photo without."""

    @abstractmethod
    def infer(self, prepared: Sequence[Any]) -> list[Geometry]:
        """Depth, camera and scale of prepared photos that share a `bucket`. Raises InputError."""

    def bucket(self, prepared: Any) -> Hashable:
        """Photos with equal buckets can go through the network together."""
        return None

    def fingerprint(self, name: str) -> str:
        """Stands for whatever the answer for this photo depends on besides the photo, the camera and the settings."""
        return ""

    def predict_batch(self, photos: Sequence[Photo]) -> list[Geometry]:
        """Geometry of photos of any sizes, with normals and up where they can be known. Raises InputError."""
        prepared = [self.prepare(photo) for photo in photos]
        buckets: dict[Hashable, list[int]] = {}
        for index, item in enumerate(prepared):
            buckets.setdefault(self.bucket(item), []).append(index)
        found: dict[int, Geometry] = {}
        for indices in buckets.values():
            found.update(zip(indices, self.infer([prepared[index] for index in indices])))
        return [complete(found[index], edges_of(photo.image)) for index, photo in enumerate(photos)]

    def predict(self, image: Image.Image, camera: Camera | None = None, name: str = "") -> Geometry:
        """Geometry of one upright RGB photo; see `predict_batch`."""
        return self.predict_batch([Photo(image, camera, name)])[0]


def settings_hash(settings: Mapping[str, Any]) -> str:
    """First 16 hex digits of the SHA-256 of the settings' sorted JSON."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, allow_nan=False).encode()).hexdigest()[:16]

"""Any Python function as a teacher."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Geometry, TeacherInfo
from pseudogd.teachers.answer import best_scale, camera_of_matrix, geometry_of
from pseudogd.teachers.base import Photo, Teacher, settings_hash
from pseudogd.teachers.licences import Accepted, check_licence, check_terms
from pseudogd.teachers.units import Output, Unit

_SIDE = 1024
"""Longest side of the photo that is handed in: maps are as large, and few networks look closer."""
_KEYS = {"depth", "unit", "intrinsics", "normals", "confidence"}
_UNITS = {"metres": Output.METRIC_DEPTH, **{output.value: output for output in Output}}


@dataclass(frozen=True)
class _Prepared:
    image: np.ndarray
    camera: Camera | None
    size: tuple[int, int]


class CallableTeacher(Teacher):
    """`function(image, camera)` with its unit declared, for a network that nobody has written an adapter for.

    It gets the upright photo, (H, W, 3) uint8 RGB, no longer than `size` pixels, and its `Camera` (pixels of what it
    gets) or None, and returns either a depth map (h, w) or a dict of

        depth       (h, w), of the photo's aspect ratio; nan = unknown, inf = sky
        unit        instead of the declared one, for this photo
        intrinsics  3 x 3 in pixels of what it got, or a Camera; used only when the photo's own camera is unknown
        normals     (h, w, 3) in camera axes x right, y down, z forward, pointing either way
        confidence  (h, w) in [0, 1]

    Attributes of the function say what its numbers are, since no number is metric by default:

        unit             metres, scale-free depth, inverse depth, canonical depth or canonical inverse depth
        canonical_focal  of canonical depth, in pixels of the map that is returned
        licence          of its weights; name: of the model, for rows and the licence table; revision: of its weights
    """

    alone = True

    def __init__(
        self, function: Callable[..., Any], name: str, unit: Unit, info: TeacherInfo, settings: dict[str, Any]
    ) -> None:
        self.function, self.name, self.unit, self.info, self.settings = function, name, unit, info, settings
        self.scale = best_scale(unit)

    @classmethod
    def load(
        cls,
        place: str,
        *,
        size: int = _SIDE,
        name: str | None = None,
        licence: str | None = None,
        revision: str | None = None,
        accept_licence: Accepted = False,
        device: str | None = None,
    ) -> CallableTeacher:
        """The function at `place` (MODULE:FUNCTION), looked for in the working directory too.

        `device` is handed on where the function has such an attribute. Raises InputError when there is no such
        function, it declares no unit, or its licence has to be accepted first.
        """
        if size < 1:
            raise InputError(f"size = {size}: must be a positive number of pixels")
        function = _find(place)
        unit = _unit(getattr(function, "unit", None), place, getattr(function, "canonical_focal", None))
        model = name or getattr(function, "name", None) or place
        row = check_licence(model, accept_licence)
        licence = licence or getattr(function, "licence", None) or (row.licence if row else "unknown")
        if row is None:
            check_terms(model, licence, accept_licence)
        if device is not None and hasattr(function, "device"):
            function.device = device
        version = str(revision or getattr(function, "revision", "") or _source_hash(function))
        settings = {
            "kind": "call",
            "name": model,
            "place": place,
            "revision": version,
            "output": unit.output.value,
            "canonical_focal": unit.canonical_focal,
            "size": size,
        }
        info = TeacherInfo(model, version, settings_hash(settings), licence)
        return cls(function, place, unit, info, settings)

    def prepare(self, photo: Photo) -> _Prepared:
        """The photo as an array, shrunk where it is longer than `size`."""
        width, height = photo.image.size
        shrink = min(1.0, self.settings["size"] / max(width, height))
        seen = (max(round(width * shrink), 1), max(round(height * shrink), 1))
        image = photo.image.convert("RGB")
        if seen != image.size:
            image = image.resize(seen, Image.Resampling.LANCZOS)
        return _Prepared(np.array(image), photo.camera, photo.image.size)

    def bucket(self, prepared: _Prepared) -> Hashable:
        """All photos alike: the function sees one at a time."""
        return "any"

    def infer(self, prepared: Sequence[_Prepared]) -> list[Geometry]:
        """The function's answer for each photo in turn; what it raises goes up. InputError for what is no answer."""
        return [self._one(item) for item in prepared]

    def _one(self, item: _Prepared) -> Geometry:
        seen = (item.image.shape[1], item.image.shape[0])
        answer = self.function(item.image, None if item.camera is None else item.camera.resized(*seen))
        if not isinstance(answer, Mapping):
            answer = {"depth": answer}
        if unknown := set(answer) - _KEYS:
            raise InputError(
                f"{self.name}: answers {sorted(map(str, unknown))[0]!r}; known are {', '.join(sorted(_KEYS))}"
            )
        if answer.get("depth") is None:
            raise InputError(f"{self.name}: answers no depth")
        unit = self.unit
        if answer.get("unit") is not None:
            unit = _unit(answer["unit"], self.name, getattr(self.function, "canonical_focal", None))
        estimated = camera_of_matrix(answer.get("intrinsics"), seen, self.name)
        camera = item.camera or (None if estimated is None else estimated.resized(*item.size))
        return geometry_of(
            answer["depth"],
            unit,
            camera,
            item.size,
            self.info,
            shown=self.name,
            normals=answer.get("normals"),
            confidence=answer.get("confidence"),
        )


def _find(place: str) -> Callable[..., Any]:
    module_name, colon, function_name = place.partition(":")
    if not (module_name and colon and function_name):
        raise InputError(f"teacher call:{place}: give call:MODULE:FUNCTION")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # the console command has its own folder there instead
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if module_name == missing or module_name.startswith(missing + "."):
            raise InputError(
                f"teacher {place!r}: unknown kind, and no Python module {module_name!r} (looked in the working "
                "directory too)"
            ) from error
        raise InputError(f"teacher {place!r}: {module_name} needs the module {missing!r}; install it") from error
    except Exception as error:  # whatever a module does when it is imported
        raise InputError(f"teacher {place!r}: {module_name} cannot be imported ({_line(error)})") from error
    for part in function_name.split("."):
        if not hasattr(found, part):
            raise InputError(f"teacher {place!r}: {module_name} has no {function_name!r}")
        found = getattr(found, part)
    if not callable(found):
        raise InputError(f"teacher {place!r}: {function_name} is a {type(found).__name__}, no function")
    return found


def _unit(name: Any, place: str, focal: Any) -> Unit:
    choices = ", ".join(_UNITS)
    if name is None:
        raise InputError(f"{place}: does not say its unit; set its attribute unit to one of {choices}")
    name = name.value if isinstance(name, Output) else name
    if name not in _UNITS:
        raise InputError(f"{place}: unit {name!r} is none of {choices}")
    output = _UNITS[name]
    if output is Output.CANONICAL_DEPTH and not (isinstance(focal, (int, float)) and focal > 0):
        raise InputError(f"{place}: canonical depth needs the attribute canonical_focal, in pixels")
    return Unit("", output, "given", canonical_focal=float(focal) if output is Output.CANONICAL_DEPTH else None)


def _source_hash(function: Any) -> str:
    """Of the module's source: other code is another teacher."""
    try:
        file = inspect.getsourcefile(inspect.unwrap(function) if inspect.isroutine(function) else type(function))
        with open(str(file), "rb") as source:
            return hashlib.sha256(source.read()).hexdigest()[:16]
    except (OSError, TypeError):
        return ""


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

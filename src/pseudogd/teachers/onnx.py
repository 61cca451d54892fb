"""Any depth network as an ONNX file, with a small YAML that states its pre-processing and its unit (extra `onnx`)."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Geometry, TeacherInfo
from pseudogd.teachers.answer import best_scale, geometry_of
from pseudogd.teachers.base import Photo, Teacher, settings_hash
from pseudogd.teachers.licences import Accepted, check_licence, check_terms
from pseudogd.teachers.onnx_card import OnnxCard, read_card
from pseudogd.teachers.preprocess import Preprocessing

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


@dataclass(frozen=True)
class _Prepared:
    pixels: np.ndarray
    camera: Camera | None
    size: tuple[int, int]


class OnnxTeacher(Teacher):
    """An ONNX file run by onnxruntime as its card (a YAML file, `OnnxCard`) says."""

    def __init__(self, session: Any, card: OnnxCard, info: TeacherInfo, settings: dict[str, Any]) -> None:
        self.session, self.card, self.info, self.settings = session, card, info, settings
        self.unit, self.preprocessing = card.unit(), card.preprocessing()
        self.scale = best_scale(self.unit)
        inputs = session.get_inputs()
        named = {one.name: one for one in inputs}
        self._input = named[card.input.name or inputs[0].name]
        self._type = _TYPES[self._input.type]
        self._one_by_one = isinstance(self._input.shape[0], int)

    @classmethod
    def load(
        cls,
        file: str | os.PathLike[str],
        *,
        size: int | None = None,
        device: str | None = None,
        name: str | None = None,
        licence: str | None = None,
        accept_licence: Accepted = False,
    ) -> OnnxTeacher:
        """Read the card `file` and the network that it names, beside it.

        `size` overrides the card's side; `device` may be cpu or, where onnxruntime is built for it, cuda. Raises
        InputError when onnxruntime is missing, the card or network cannot be read or do not fit each other, or the
        licence has to be accepted first.
        """
        card, model = read_card(Path(file), size)
        called = name or card.name or model.stem
        row = check_licence(called, accept_licence)
        licence = licence or card.licence or (row.licence if row else "unknown")
        if row is None:
            check_terms(called, licence, accept_licence)
        session = _session(model, device)
        _check_fit(session, card, f"{Path(file).name} and {model.name}")
        revision = _hash(model)
        settings = {
            "kind": "onnx",
            "name": called,
            "revision": revision,
            "card": card.model_dump(mode="json", exclude={"licence", "name", "model"}),
        }
        info = TeacherInfo(called, revision, settings_hash(settings), licence)
        return cls(session, card, info, settings)

    def prepare(self, photo: Photo) -> _Prepared:
        """Resize and normalise one photo."""
        image = photo.image.convert("RGB")
        if self.card.input.channels == "BGR":
            image = Image.merge("RGB", image.split()[::-1])
        pixels = self.preprocessing.pixels(image)
        if self.card.input.layout == "NHWC":
            pixels = np.ascontiguousarray(pixels.transpose(1, 2, 0))
        return _Prepared(pixels.astype(self._type), photo.camera, photo.image.size)

    def bucket(self, prepared: _Prepared) -> Hashable:
        """Network inputs of one size share a batch."""
        return prepared.pixels.shape

    def infer(self, prepared: Sequence[_Prepared]) -> list[Geometry]:
        """One run of the network, or one for each photo where the file has a fixed batch of one."""
        if self._one_by_one:
            return [self._run([item])[0] for item in prepared]
        return self._run(prepared)

    def _run(self, prepared: Sequence[_Prepared]) -> list[Geometry]:
        wanted = self.card.output.named(self.session.get_outputs()[0].name)
        batch = np.stack([item.pixels for item in prepared])
        said = dict(zip(wanted, self.session.run(list(wanted.values()), {self._input.name: batch})))
        for what, values in said.items():
            if len(values) != len(prepared):
                raise InputError(f"{self.info.name}: {len(values)} results in {what} for {len(prepared)} photos")
        return [self._geometry({key: value[i] for key, value in said.items()}, item) for i, item in enumerate(prepared)]

    def _geometry(self, said: dict[str, np.ndarray], item: _Prepared) -> Geometry:
        if "normals" in said and said["normals"].shape[0] == 3:
            said["normals"] = said["normals"].transpose(1, 2, 0)
        return geometry_of(
            _flat(said["depth"]),
            self.unit,
            item.camera or self._estimated(said, item),
            item.size,
            self.info,
            shown=self.info.name,
            stretched=not self.card.input.keep_aspect_ratio,
            normals=said.get("normals"),
            confidence=_flat(said["confidence"]) if "confidence" in said else None,
        )

    def _estimated(self, said: dict[str, np.ndarray], item: _Prepared) -> Camera | None:
        """The camera by the network's field of view or focal length; None when it gives none that can be."""
        seen_width = item.pixels.shape[1 if self.card.input.layout == "NHWC" else 2]
        try:
            if "field_of_view" in said:
                return Camera.from_fov(*item.size, fov_x_deg=float(np.squeeze(said["field_of_view"])))
            if "focal" in said:
                view = 2 * math.degrees(math.atan(seen_width / 2 / float(np.squeeze(said["focal"]))))
                return Camera.from_fov(*item.size, fov_x_deg=view)
        except (ValueError, TypeError, ZeroDivisionError):
            return None
        return None


def _flat(values: np.ndarray) -> np.ndarray:
    """(H, W) of (1, H, W), (H, W, 1) or (H, W)."""
    if values.ndim == 3 and 1 in (values.shape[0], values.shape[-1]):
        return values[0] if values.shape[0] == 1 else values[..., 0]
    return values


def _session(model: Path, device: str | None) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError(f"{model.name}: needs onnxruntime: pip install 'pseudogd[onnx]'") from error
    wanted = "CUDAExecutionProvider" if (device or "").startswith("cuda") else "CPUExecutionProvider"
    available = onnxruntime.get_available_providers()
    if device is None and "CUDAExecutionProvider" in available:
        wanted = "CUDAExecutionProvider"
    if wanted not in available or (device or "cpu").split(":")[0] not in ("cpu", "cuda"):
        raise InputError(f"device {device!r}: this onnxruntime runs on {', '.join(available)}")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if (threads := os.environ.get("OMP_NUM_THREADS", "")).isdigit():
        options.intra_op_num_threads = int(threads)
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=[wanted])
    except Exception as error:  # onnxruntime has a kind of its own for every flaw of a file
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"{model.name}: onnxruntime cannot load it ({first})") from error


def _check_fit(session: Any, card: OnnxCard, shown: str) -> None:
    inputs, outputs = session.get_inputs(), [one.name for one in session.get_outputs()]
    names = [one.name for one in inputs]
    if card.input.name is not None and card.input.name not in names:
        raise InputError(f"{shown}: no input {card.input.name!r}; there are {', '.join(names)}")
    if len(names) > 1:
        raise InputError(f"{shown}: the network wants {', '.join(names)}; a teacher has one input, the photo")
    missing = [name for name in card.output.named(outputs[0]).values() if name not in outputs]
    if missing:
        raise InputError(f"{shown}: no output {missing[0]!r}; there are {', '.join(outputs)}")
    if inputs[0].type not in _TYPES:
        raise InputError(f"{shown}: input of type {inputs[0].type}; can be {', '.join(_TYPES)}")
    if len(inputs[0].shape) != 4:
        raise InputError(f"{shown}: the input has {len(inputs[0].shape)} axes; a photo needs four")
    if isinstance(inputs[0].shape[0], int) and inputs[0].shape[0] != 1:
        raise InputError(f"{shown}: a fixed batch of {inputs[0].shape[0]}; export it with one photo or any number")
    _check_size(inputs[0].shape, card, card.preprocessing(), shown)


def _check_size(shape: Sequence[Any], card: OnnxCard, wanted: Preprocessing, shown: str) -> None:
    axes = (1, 2) if card.input.layout == "NHWC" else (2, 3)
    channels, other = (shape[3], shape[1]) if card.input.layout == "NHWC" else (shape[1], shape[3])
    if channels != 3 and (isinstance(channels, int) or other == 3):
        raise InputError(f"{shown}: {channels} channels in layout {card.input.layout}; is the layout right?")
    fixed = [shape[axis] for axis in axes]
    if not any(isinstance(side, int) for side in fixed):
        return
    if card.input.keep_aspect_ratio or fixed != [wanted.height, wanted.width]:
        raise InputError(
            f"{shown}: the network takes {fixed[0]} x {fixed[1]} (height x width) only; "
            f"write size: [{fixed[0]}, {fixed[1]}] and keep_aspect_ratio: false"
        )


def _hash(model: Path) -> str:
    """Of the network's file and the weights that stand beside it."""
    digest = hashlib.sha256()
    for path in (model, *(model.with_name(model.name + end) for end in (".data", "_data"))):
        if path.is_file():
            with open(path, "rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()[:16]

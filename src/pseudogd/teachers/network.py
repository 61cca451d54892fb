"""Depth networks of transformers, of every family: one loader, one forward pass, our own pre- and post-processing."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate

from pseudogd.geometry.camera import Camera
from pseudogd.geometry.types import Geometry, TeacherInfo
from pseudogd.teachers import checkpoint
from pseudogd.teachers.answer import best_scale, focal_of
from pseudogd.teachers.base import OutOfMemory, Photo, Teacher, settings_hash
from pseudogd.teachers.families import family_of
from pseudogd.teachers.families.base import Family, Preprocessor
from pseudogd.teachers.licences import Accepted, check_licence, check_terms
from pseudogd.teachers.units import Unit, to_depth


@dataclass(frozen=True)
class _Prepared:
    pixels: np.ndarray
    camera: Camera | None
    size: tuple[int, int]


class NetworkTeacher(Teacher):
    """A network of `AutoModelForDepthEstimation` behind the pre- and post-processing of its family."""

    def __init__(
        self,
        model: torch.nn.Module,
        family: Family,
        preprocessing: Preprocessor,
        unit: Unit,
        info: TeacherInfo,
        settings: dict[str, Any],
    ) -> None:
        self.model, self.family, self.preprocessing, self.unit = model.eval(), family, preprocessing, unit
        self.info, self.settings = info, settings
        self.scale = best_scale(unit)

    @classmethod
    def load(
        cls,
        path: str,
        *,
        size: int | None = None,
        device: str | None = None,
        dtype: str = "float32",
        revision: str | None = None,
        name: str | None = None,
        licence: str | None = None,
        accept_licence: Accepted = False,
        output: str | None = None,
        kind: str | None = None,
    ) -> NetworkTeacher:
        """Load a checkpoint from a folder or hub id; only safetensors, and no code of the checkpoint is run.

        Args:
            path: folder or hub id. Its config.json says the family (`model_type`).
            size: overrides the side that photos are resized to.
            device: a GPU if there is one, else the CPU.
            dtype: float32, bfloat16 or float16.
            revision, name, licence: of the checkpoint, noted in every row.
            accept_licence: see `licences.check_licence`.
            output: what the numbers are ("inverse depth", "metric depth"), for a checkpoint that does not say.
            kind: the family that it has to be; any by default.

        Raises InputError when it cannot be loaded, says no unit, or its licence has to be accepted first.
        """
        row = check_licence(path, accept_licence)
        if row is None and (told := licence or checkpoint.card_licence(path)):
            check_terms(path, told, accept_licence)
            licence = told
        checkpoint.check_dtype(dtype)
        config = checkpoint.load_config(path, revision)
        family = family_of(config.model_type, path, kind)
        unit = family.unit(config, path, output)
        model = checkpoint.load_model(path, revision, config)
        preprocessing = family.preprocessing(config, checkpoint.load_preprocessor(path, revision), size)
        settings = {
            "kind": family.model_type,
            "name": name or checkpoint.checkpoint_name(path),
            "revision": checkpoint.weights_hash(model),
            "output": unit.output.value,
            "canonical_focal": unit.canonical_focal,
            "dtype": dtype,
            "preprocessing": {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(preprocessing).items()},
        }
        info = TeacherInfo(
            str(settings["name"]),
            str(settings["revision"]),
            settings_hash(settings),
            licence or (row.licence if row else "unknown"),
        )
        teacher = cls(checkpoint.move(model, device, dtype), family, preprocessing, unit, info, settings)
        teacher.errors = checkpoint.stated_errors(config, path)
        return teacher

    def prepare(self, photo: Photo) -> _Prepared:
        """Resize and normalise one photo."""
        return _Prepared(self.preprocessing.pixels(photo.image), photo.camera, photo.image.size)

    def bucket(self, prepared: _Prepared) -> Hashable:
        """Network inputs of one size share a batch."""
        return prepared.pixels.shape

    def infer(self, prepared: Sequence[_Prepared]) -> list[Geometry]:
        """One forward pass for photos whose inputs have the same size. OutOfMemory when the GPU's does not suffice."""
        if self.family.one_by_one(self.model.config) and len(prepared) > 1:
            return [self._forward([item])[0] for item in prepared]
        return self._forward(prepared)

    @torch.inference_mode()
    def _forward(self, prepared: Sequence[_Prepared]) -> list[Geometry]:
        parameter = next(self.model.parameters())
        batch = torch.from_numpy(np.stack([item.pixels for item in prepared]))
        try:
            said = self.model(pixel_values=batch.to(parameter.device, parameter.dtype))
            raw = said.predicted_depth.float()
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(
                f"{self.info.name}: {len(prepared)} photos do not fit in the GPU's memory; use a smaller --batch-size"
            ) from error
        views = self.family.fields_of_view(said)
        return [
            self._geometry(one, None if views is None else views[i], item)
            for i, (one, item) in enumerate(zip(raw, prepared, strict=True))
        ]

    def _geometry(self, raw: torch.Tensor, view: float | None, item: _Prepared) -> Geometry:
        camera = item.camera or _estimated(view, item.size)
        seen = (raw.shape[1], raw.shape[0])
        raw = self.family.over_photo(raw, item.size, self.preprocessing)
        width, height = self.family.map_size((raw.shape[1], raw.shape[0]), item.size)
        if (height, width) != tuple(raw.shape):
            raw = interpolate(raw[None, None], (height, width), mode="nearest-exact")[0, 0]  # a mean is no depth
        depth, scale = to_depth(raw.cpu().numpy(), self.unit, focal_of(self.unit, camera, seen, width))
        return Geometry(depth, camera, scale=scale, teacher=self.info)


def _estimated(view: float | None, size: tuple[int, int]) -> Camera | None:
    """The camera of a photo by the network's horizontal field of view in degrees; None when that cannot be one."""
    try:
        return None if view is None else Camera.from_fov(*size, fov_x_deg=view)
    except ValueError:
        return None

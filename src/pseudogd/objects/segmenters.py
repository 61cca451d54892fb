"""SAM and SAM2: a mask for each box. One photo's features are computed once, whatever the number of boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn.functional import interpolate
from transformers import Sam2Model, SamModel

from pseudogd.errors import InputError
from pseudogd.objects.checkpoints import json_file, load_model, memory_said, model_type

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BOXES_AT_ONCE = 64


@dataclass(frozen=True)
class Frame:
    """How a photo lies in the network's square input: resized to (width, height), top left; the rest is padding."""

    photo: tuple[int, int]
    resized: tuple[int, int]
    side: tuple[int, int]

    def boxes(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, 4) boxes of the photo in pixels of the input."""
        across, down = self.resized[0] / self.photo[0], self.resized[1] / self.photo[1]
        return boxes * np.array([across, down, across, down])

    def mask(self, logits: torch.Tensor) -> torch.Tensor:
        """(H, W) bool of the photo's size from (h, w) logits of the whole input: enlarged, padding cut off, above 0."""
        values = logits[None, None].float()
        if self.resized != self.side:
            values = interpolate(values, self.side[::-1], mode="bilinear", align_corners=False)
            values = values[..., : self.resized[1], : self.resized[0]]
        return interpolate(values, self.photo[::-1], mode="bilinear", align_corners=False)[0, 0] > 0


@dataclass(frozen=True, eq=False)
class Framed:
    """Network input (3, H, W) of a photo and how the photo lies in it."""

    pixels: NDArray[np.float32]
    frame: Frame


class Segmenter:
    """A SAM or SAM2 checkpoint. ``settings`` says all that its masks depend on."""

    def __init__(
        self,
        path: str,
        family: str = "",
        *,
        device: str | None = None,
        dtype: str = "float32",
        revision: str | None = None,
    ):
        kind = model_type(path, revision)
        if kind not in FAMILIES or (family and FAMILIES[kind] != family):
            raise InputError(
                f"{path}: is a {kind!r} model; segmenters are sam and sam2"
                + (f", write --segmenter {FAMILIES[kind]}:{path}" if kind in FAMILIES else "")
            )
        self.kind = FAMILIES[kind]
        self.model, weights = load_model(SamModel if self.kind == "sam" else Sam2Model, path, revision, device, dtype)
        own = json_file(path, "preprocessor_config.json", revision) or {}
        own = own or (json_file(path, "processor_config.json", revision) or {}).get("image_processor") or {}
        side = self.model.config.prompt_encoder_config.image_size
        self.side: tuple[int, int] = (side, side) if isinstance(side, int) else (int(side[1]), int(side[0]))
        self.mean, self.std = (
            np.array(own.get(key) or default, np.float32)
            for key, default in (("image_mean", IMAGENET_MEAN), ("image_std", IMAGENET_STD))
        )
        self.settings = {"segmenter": self.kind, "weights": weights, "dtype": dtype}

    def prepare(self, image: Image.Image) -> Framed:
        """SAM keeps the photo's proportions and pads; SAM2 stretches it to the square."""
        resized = self.side
        if self.kind == "sam":
            scale = max(self.side) / max(image.size)
            resized = (max(1, int(image.size[0] * scale + 0.5)), max(1, int(image.size[1] * scale + 0.5)))
        values = np.asarray(image.resize(resized, Image.Resampling.BILINEAR)).astype(np.float32) / np.float32(255)
        values = ((values - self.mean) / self.std).transpose(2, 0, 1)
        pixels = np.zeros((3, self.side[1], self.side[0]), np.float32)
        pixels[:, : resized[1], : resized[0]] = values
        return Framed(pixels, Frame(image.size, resized, self.side))

    @torch.inference_mode()
    def features(self, batch: Sequence[Framed]) -> list[Any]:
        """What `masks` needs of each photo. Raises `OutOfMemory` if the device's memory runs out."""
        parameter = next(self.model.parameters())
        with memory_said("segmenter"):
            pixels = torch.from_numpy(np.stack([one.pixels for one in batch])).to(parameter.device, parameter.dtype)
            found = self.model.get_image_embeddings(pixels)
        if self.kind == "sam":
            return [found[i : i + 1] for i in range(len(batch))]
        return [[level[i : i + 1] for level in found] for i in range(len(batch))]

    @torch.inference_mode()
    def masks(
        self, features: Any, frame: Frame, boxes: NDArray[np.float64]
    ) -> Iterator[tuple[NDArray[np.bool_], float]]:
        """For each box of the photo (pixels, left, top, right, bottom) its mask (H, W) and how good it is, 0 to 1."""
        parameter = next(self.model.parameters())
        for start in range(0, len(boxes), BOXES_AT_ONCE):
            asked = torch.from_numpy(frame.boxes(boxes[start : start + BOXES_AT_ONCE])[None]).to(
                parameter.device, parameter.dtype
            )
            with memory_said("segmenter"):
                out = self.model(image_embeddings=features, input_boxes=asked, multimask_output=False)
            for logits, score in zip(out.pred_masks[0, :, 0], out.iou_scores[0, :, 0]):
                yield frame.mask(logits).cpu().numpy(), min(max(float(score), 0.0), 1.0)


FAMILIES = {"sam": "sam", "sam2": "sam2", "sam2_video": "sam2"}
"""``model_type`` in config.json -> family. SAM2 is published as the video model, whose picture part is used."""


def load_segmenter(segmenter: str, **options: Any) -> Segmenter:
    """The segmenter of ``sam:`` or ``sam2:FOLDER_OR_HUB_ID``. Raises `InputError`."""
    family, _, path = segmenter.partition(":")
    if family not in ("sam", "sam2") or not path:
        raise InputError(f"segmenter {segmenter!r}: write sam:FOLDER_OR_HUB_ID or sam2:FOLDER_OR_HUB_ID")
    return Segmenter(path, family, **options)

"""What every open-vocabulary detector can do: prepare a photo, and say which named boxes are in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True, eq=False)
class Prepared:
    """Network input of one photo and the photo's own size (width, height) in pixels."""

    pixels: NDArray[np.float32]
    size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Detections:
    """Of one photo, unsuppressed: ``boxes`` (n, 4) left, top, right, bottom in pixels of the photo, inside of it;
    ``scores`` (n,) 0 to 1; ``classes`` (n,) places in the vocabulary."""

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    classes: NDArray[np.int64]


class Detector(ABC):
    """A network that finds the things of a vocabulary. ``settings`` says all that its answers depend on, as JSON.

    ``model``: the network, a torch module. ``threshold``: the least score that makes a thing; boxes from ``doubt`` on
    are returned too, because what may be there makes names ambiguous.
    """

    classes: list[str]
    model: Any
    settings: dict[str, Any]
    threshold: float
    doubt: float

    @abstractmethod
    def prepare(self, image: Image.Image) -> Prepared:
        """Resize and normalise an upright RGB photo. Safe to call from several threads."""

    def bucket(self, prepared: Prepared) -> Hashable:
        """Inputs of one size share a batch, so that no photo is padded and none changes another's answer."""
        return prepared.pixels.shape

    @abstractmethod
    def detect(self, batch: Sequence[Prepared]) -> list[Detections]:
        """Boxes of photos of one bucket. Raises `OutOfMemory` if the device's memory runs out."""


def to_detections(
    boxes: NDArray[np.float64],
    scores: NDArray[np.float64],
    classes: NDArray[np.int64],
    scale: tuple[float, float],
    size: tuple[int, int],
    least: float,
) -> Detections:
    """From relative boxes (n, 4) of centre x, centre y, width, height to pixels.

    ``scale``: pixels of the photo that the relative length 1 stands for, across and down; ``size``: the photo's; boxes
    are cut at its border. Boxes below the score ``least``, without a finite number or without inside are dropped.
    """
    across, down = scale
    x, y, w, h = boxes.T * np.array([[across], [down], [across], [down]])
    corners = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1)
    corners = np.clip(corners, 0.0, [size[0], size[1], size[0], size[1]])
    with np.errstate(invalid="ignore"):
        sound = np.isfinite(corners).all(axis=1) & np.isfinite(scores)
        keep = sound & (scores >= least) & (corners[:, 2] - corners[:, 0] >= 1) & (corners[:, 3] - corners[:, 1] >= 1)
    return Detections(corners[keep], scores[keep], classes[keep])

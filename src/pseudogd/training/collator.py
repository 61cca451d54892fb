"""Rows to batches: padded tokens, labels on answers alone, pixels, geometry targets; what each token may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pseudogd.student.joint import GeometryBatch
from pseudogd.training.photos import PhotoInput, PhotoInputs
from pseudogd.training.rows import Row

IGNORED = -100
LENGTH_STEP = 32
"""Rows are filled to a multiple of this many tokens. The kernel library of a CPU keeps code and buffers for the shapes
that it has met, hundreds of them: with lengths at will memory grew by 8 MB a step over 60 steps, with these by 2."""


class JointCollator:
    """Makes `{"inputs", "geometry", "dummy_photo", "kinds"}` of rows.

    `inputs` is what the model reads, with labels; `geometry` the targets (`GeometryBatch`) or None; `kinds` those of
    the rows that were taken. Rows that have nothing of what is wanted cost nothing: they are not taken. Where no row
    has a photo, the pixels are those of one that no token stands for, and `dummy_photo` is True: the tower must run on
    every rank of a data-parallel run, or the others wait for it.

    Args:
        photos: gives pixels and targets.
        pad_id: token that fills shorter rows.
        isolated: turns see the photo and themselves alone: a 4-D additive mask and restarted positions.
        geometry: whether targets are wanted.
        mask_dtype: type of the additive mask, the one that attention runs in.
        words: whether labels are wanted.
    """

    def __init__(
        self,
        photos: PhotoInputs,
        pad_id: int,
        isolated: bool,
        geometry: bool,
        mask_dtype: torch.dtype = torch.float32,
        words: bool = True,
    ):
        self.photos, self.pad_id, self.isolated, self.geometry = photos, pad_id, isolated, geometry
        self.mask_dtype, self.words = mask_dtype, words

    def __call__(self, rows: Sequence[Row]) -> dict[str, Any]:
        taken = [row for row in rows if (self.words and row.has_words) or (self.geometry and row.has_geometry)]
        inputs = self.text(taken or [self._nothing()])
        # pixels in the order of their placeholders
        prepared = [(photo, row.has_geometry) for row in taken for photo in self._photos_of(row)]
        family = self.photos.family
        pixels = [photo.pixels for photo, _ in prepared] or [self.photos.blank]
        inputs |= family.text_extras(inputs) | family.collate_pixels(pixels)
        targets = None
        if self.geometry:
            seen = [photo.targets if wanted else replace(photo.targets, views=[]) for photo, wanted in prepared]
            targets = GeometryBatch.collate(seen)
        kinds = [row.kind for row in taken]
        return {"inputs": inputs, "geometry": targets, "dummy_photo": not prepared, "kinds": kinds}

    def _photos_of(self, row: Row) -> list[PhotoInput]:
        if len(row.photos) == 1:
            return [self.photos[row.photos[0]]]
        return [self.photos.in_row(name, len(row.photos)) for name in row.photos]

    def _nothing(self) -> Row:
        """A row of one token that nothing is learnt from."""
        return Row((), np.array([self.pad_id]), np.zeros(1, np.bool_), np.zeros(1, np.int16))

    def text(self, rows: Sequence[Row]) -> dict[str, Tensor]:
        """input_ids, labels, attention_mask (and position_ids) of rows, filled on the right.

        Shapes: (B, L); the mask of isolated turns is (B, 1, L, L), 0 where a token may look and -inf elsewhere.
        """
        length = -(-max(len(row.ids) for row in rows) // LENGTH_STEP) * LENGTH_STEP
        ids = _filled([row.ids for row in rows], length, self.pad_id)
        learn = _filled([row.learn for row in rows], length, False)
        inputs = {"input_ids": torch.from_numpy(ids), "labels": torch.from_numpy(np.where(learn, ids, IGNORED))}
        if self.isolated:
            turn = _filled([row.turn for row in rows], length, -1)
            inputs["attention_mask"] = turn_mask(torch.from_numpy(turn), self.mask_dtype)
            positions = _filled([turn_positions(row.turn) for row in rows], length, 0)
            inputs["position_ids"] = torch.from_numpy(positions)
        else:
            real = _filled([np.ones(len(row.ids), np.int64) for row in rows], length, 0)
            inputs["attention_mask"] = torch.from_numpy(real)
        return inputs


def turn_mask(turn: Tensor, dtype: torch.dtype) -> Tensor:
    """(B, 1, L, L) additive mask: a token sees earlier tokens of turn 0 and of its own turn. Filling (-1) sees filling.

    Every token sees itself, so that no softmax is over nothing.
    """
    length = turn.shape[1]
    seen = (turn[:, :, None] == turn[:, None, :]) | (turn == 0)[:, None, :]
    seen &= torch.ones(length, length, dtype=torch.bool).tril()
    return torch.zeros(seen.shape, dtype=dtype).masked_fill_(~seen, float("-inf"))[:, None]


def turn_positions(turn: NDArray[np.int16]) -> NDArray[np.int64]:
    """(T,) positions: turn 0 counts from 0, every other turn goes on where turn 0 ended."""
    index = np.arange(len(turn))
    begins = np.diff(turn, prepend=turn[:1] - 1) != 0
    begin = np.maximum.accumulate(np.where(begins, index, 0))
    shared = int((turn == 0).sum())
    return np.where(turn == 0, index, index - begin + shared).astype(np.int64)


def _filled(arrays: Sequence[NDArray[Any]], length: int, value: Any) -> NDArray[Any]:
    """(B, length), short arrays filled with `value` on the right."""
    out = np.full((len(arrays), length), value, arrays[0].dtype)
    for row, array in zip(out, arrays):
        row[: len(array)] = array
    return out

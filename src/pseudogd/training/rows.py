"""Rows of training, held as flat arrays: photos with questions, geometry or neither, and words without photos."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pseudogd.store.conversations import PREFIX
from pseudogd.store.pictures import from_key
from pseudogd.training.order import MixedSampler, StepSampler, epoch_rows
from pseudogd.training.sections import KINDS
from pseudogd.training.tokens import PhotoTokens, Tokens, with_photos

Size = tuple[int, int]


@dataclass(frozen=True)
class LeftOut:
    """What is not trained on, and why: questions of a photo or of the whole data folder.

    `questions` is 0 for a photo or a conversation that is not among them; `image` says then which it is.
    """

    image: str
    questions: int
    reason: str


@dataclass(frozen=True)
class Row:
    """Tokens, those of the photos written out, and the photos in the order in which they stand there.

    Attributes:
        photos: the photos' ids (see `picture_key`), or names of pictures of conversations; none for words alone.
        ids: (T,) int64; learn: (T,) bool; turn: (T,) int16: see `turns.Tokens`.
        kind: one of `recipe.KINDS`.
    """

    photos: tuple[str, ...]
    ids: NDArray[np.int64]
    learn: NDArray[np.bool_]
    turn: NDArray[np.int16]
    kind: str = "both"

    @property
    def has_geometry(self) -> bool:
        """Whether the geometry of its photo is to be learnt."""
        return self.kind in ("both", "geometry")

    @property
    def has_words(self) -> bool:
        """Whether any of its tokens is to be learnt."""
        return self.kind != "geometry"


class WrittenPhotos:
    """The tokens that photos become, asked for once.

    Args:
        write: (size, together) -> what a photo of (width, height) becomes in a row of 1 photo, or of 2 and more.
    """

    def __init__(self, write: Callable[[Size, int], PhotoTokens]):
        self._write = write
        self._known: dict[tuple[Size, bool], PhotoTokens] = {}

    def of(self, sizes: Sequence[Size]) -> tuple[PhotoTokens, ...]:
        """The tokens of every photo of one row."""
        return tuple(self._one(size, len(sizes) > 1) for size in sizes)

    def _one(self, size: Size, several: bool) -> PhotoTokens:
        if (size, several) not in self._known:
            self._known[size, several] = self._write(size, 1 + several)
        return self._known[size, several]

    def longer(self, sizes: Sequence[Size]) -> int:
        """By how many tokens the photos of a row make it longer."""
        return sum(photo.longer for photo in self.of(sizes))


@dataclass(frozen=True)
class Piece:
    """One row before it is held.

    Attributes:
        photos: the placeholders among `tokens`, in order. sizes: their (width, height).
        kind: one of `recipe.KINDS`. questions: of the data folder, how many it holds.
        whole: whether the photos are written out in `tokens` already.
    """

    photos: tuple[str, ...]
    sizes: tuple[Size, ...]
    tokens: Tokens
    kind: str = "both"
    questions: int = 0
    whole: bool = False


class Rows(torch.utils.data.Dataset[Row]):
    """All rows, as flat arrays: a row is a slice of them.

    Args:
        pieces: the rows.
        written: the tokens that their photos become.
        image_token: the placeholder.
        left_out: what was not taken.
        shares: of the kinds; None takes all rows in plain passes.

    Attributes:
        photos: of every row. kinds: (rows,) index into `recipe.KINDS`. questions: how many the rows hold.
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        written: WrittenPhotos,
        image_token: int,
        left_out: list[LeftOut],
        shares: tuple[float, ...] | None = None,
    ):
        self.photos = [piece.photos for piece in pieces]
        self.kinds = np.array([KINDS.index(piece.kind) for piece in pieces], np.int8)
        self.questions = sum(piece.questions for piece in pieces)
        self.image_token, self.left_out, self.shares = image_token, left_out, shares
        self._photo_tokens = [() if piece.whole else written.of(piece.sizes) for piece in pieces]
        tokens = [piece.tokens for piece in pieces]
        self._offsets = np.concatenate([[0], np.cumsum([len(t.ids) for t in tokens], dtype=np.int64)])
        self._ids = np.concatenate([t.ids for t in tokens] or [np.zeros(0, np.int32)])
        self._learn = np.concatenate([t.learn for t in tokens] or [np.zeros(0, np.bool_)])
        self._turn = np.concatenate([t.turn for t in tokens] or [np.zeros(0, np.int16)])

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> Row:
        part = slice(self._offsets[index], self._offsets[index + 1])
        photos = self.photos[index]
        short = Tokens(self._ids[part], self._learn[part], self._turn[part])
        whole = with_photos(short, self.image_token, self._photo_tokens[index])
        return Row(photos, whole.ids, whole.learn, whole.turn, KINDS[self.kinds[index]])

    @property
    def image_ids(self) -> list[str]:
        """The photo of every row of the data folder, marked or not; conversations are passed over."""
        return [from_key(names[0])[0] for names in self.photos if names and not names[0].startswith(PREFIX)]

    @property
    def geometry_ids(self) -> list[str]:
        """The photo of every row whose geometry is to be learnt."""
        taught = np.isin(self.kinds, [KINDS.index("both"), KINDS.index("geometry")])
        return [from_key(names[0])[0] for names, wanted in zip(self.photos, taught) if wanted]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(rows,) tokens of every row, those of the photos too."""
        photos = [sum(photo.longer for photo in photos) for photos in self._photo_tokens]
        return np.diff(self._offsets) + np.array(photos, np.int64)

    @property
    def epoch(self) -> int:
        """How many rows are drawn in a pass: all of them, or with shares see `epoch_rows`."""
        return len(self) if self.shares is None else epoch_rows(self.shares, list(self.by_kind().values()))

    def by_kind(self) -> dict[str, int]:
        """Rows of every kind."""
        return self.count(self.kinds)

    @staticmethod
    def count(kinds: NDArray[np.int8]) -> dict[str, int]:
        """How often each kind is among `kinds`."""
        return dict(zip(KINDS, np.bincount(kinds, minlength=len(KINDS)).tolist()))

    def order(self, total: int, seed: int, batch: int, by_length: bool) -> StepSampler:
        """The numbers of `total` rows, as they are drawn."""
        lengths = self.lengths if by_length else None
        if self.shares is None:
            return StepSampler(len(self), total, seed, lengths, batch)
        return MixedSampler(self.kinds, self.shares, total, seed, lengths, batch)

    def fingerprint(self) -> str:
        """Hash of every token that is trained on, in order."""
        digest = hashlib.sha256(
            "\n".join("\t".join(names) for names in self.photos).encode("utf-8", "backslashreplace")
        )
        for array in (self._offsets, self._ids, self._learn, self._turn):
            digest.update(array.tobytes())
        if self.shares is not None:
            digest.update(self.kinds.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Limits:
    """What a row may not be longer than.

    Attributes:
        max_length: tokens.
        positions: of the language model; None if it does not say.
        max_turns: answers that one conversation may hold (`FamilyAdapter.max_turns`); None for any number.
    """

    max_length: int
    positions: int | None = None
    max_turns: int | None = None

    def broken_by(self, tokens: Tokens, longer: int) -> str | None:
        """Why a row cannot be trained on without cutting it, or None; `longer` is what its photos add."""
        length = len(tokens.ids) + longer
        if length > self.max_length:
            return f"the row has {length} tokens, more than data.max_length={self.max_length}"
        shared = int((tokens.turn == 0).sum())
        longest = int(np.bincount(tokens.turn)[1:].max(initial=0)) + shared + longer
        if self.positions is not None and longest > self.positions:
            return (
                f"a conversation has {longest} tokens, more than the {self.positions} positions of the language model"
            )
        return None

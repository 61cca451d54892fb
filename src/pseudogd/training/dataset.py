"""Rows of training: one photo with some of its questions, from a data folder; and the order in which they come."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from pseudogd.errors import InputError
from pseudogd.store.dataset import Store
from pseudogd.training.balance import shortcuts_to_drop
from pseudogd.training.recipe import DataSection
from pseudogd.training.turns import Exchange, PhotoTokens, Tokens, TurnEncoder

_ENCODED_TOGETHER = 4096
Size = tuple[int, int]


@dataclass(frozen=True)
class LeftOut:
    """Questions that are not trained on, and why: those of a photo, or of the whole data folder."""

    image: str
    questions: int
    reason: str


@dataclass(frozen=True)
class Row:
    """One photo and its tokens, the photo's own tokens written out.

    Attributes:
        image_id: the photo.
        ids: (T,) int64; learn: (T,) bool; turn: (T,) int16: see `turns.Tokens`.
    """

    image_id: str
    ids: NDArray[np.int64]
    learn: NDArray[np.bool_]
    turn: NDArray[np.int16]


@dataclass
class Rows(torch.utils.data.Dataset[Row]):
    """All rows, as flat arrays: a row is a slice of them.

    Attributes:
        image_ids: photo of every row. left_out: what was not taken. questions: how many were.
        size_of: (width, height) of a photo. photo_tokens: the tokens a photo of a size becomes.
    """

    image_ids: list[str]
    size_of: dict[str, Size]
    photo_tokens: dict[Size, PhotoTokens]
    image_token: int
    tokens: Sequence[Tokens]
    left_out: list[LeftOut]
    questions: int
    _offsets: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        lengths = [len(t.ids) for t in self.tokens]
        self._offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        self._ids = np.concatenate([t.ids for t in self.tokens]) if self.tokens else np.zeros(0, np.int32)
        self._learn = np.concatenate([t.learn for t in self.tokens]) if self.tokens else np.zeros(0, np.bool_)
        self._turn = np.concatenate([t.turn for t in self.tokens]) if self.tokens else np.zeros(0, np.int16)
        self.tokens = ()  # a million small arrays would cost more than what they hold

    def __len__(self) -> int:
        return len(self.image_ids)

    def __getitem__(self, index: int) -> Row:
        part = slice(self._offsets[index], self._offsets[index + 1])
        image_id = self.image_ids[index]
        ids, learn, turn = self._ids[part], self._learn[part], self._turn[part]
        photo = self.photo_tokens[self.size_of[image_id]]
        at = int(np.argmax(ids == self.image_token))
        begin, after = at - photo.before, slice(at + 1, None)
        return Row(
            image_id,
            np.concatenate([ids[:begin], photo.ids, ids[after]]).astype(np.int64),
            np.concatenate([learn[:begin], np.zeros(len(photo.ids), np.bool_), learn[after]]),
            np.concatenate([turn[:begin], np.full(len(photo.ids), turn[at]), turn[after]]),
        )

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(rows,) tokens of every row, those of the photo too."""
        photos = [self.photo_tokens[self.size_of[image_id]].longer for image_id in self.image_ids]
        return np.diff(self._offsets) + np.array(photos, np.int64)

    def fingerprint(self) -> str:
        """Hash of every token that is trained on, in order."""
        digest = hashlib.sha256("\n".join(self.image_ids).encode())
        for array in (self._offsets, self._ids, self._learn, self._turn):
            digest.update(array.tobytes())
        return digest.hexdigest()


def build_rows(
    store: Store,
    encoder: TurnEncoder,
    data: DataSection,
    seed: int,
    photo_tokens: Callable[[Size], PhotoTokens],
    positions: int | None = None,
    max_turns: int | None = None,
) -> Rows:
    """Read the questions, shuffle them within each photo and cut them into rows.

    Args:
        store: a data folder with questions.
        encoder: writes the tokens.
        data: the recipe's section.
        seed: of the shuffle; the rows depend on nothing else but the data.
        photo_tokens: the tokens that a photo of (width, height) becomes.
        positions: how many positions the language model has; None if it does not say.
        max_turns: questions that the family can have in a row, whatever `data.turns_per_row` says; None for any number.

    Raises:
        InputError: an unknown task, or nothing is left to train on.
    """
    by_photo, left_out = _questions(store, data)
    chunks: list[tuple[str, list[Exchange]]] = []
    most = min(data.turns_per_row, max_turns or data.turns_per_row)
    for image_id, exchanges in by_photo.items():
        path = store.photo_path(image_id)
        if not path.is_file():
            left_out.append(LeftOut(str(path), len(exchanges), "the photo is no longer there"))
            continue
        order = np.random.default_rng([seed, int(image_id[:12], 16)]).permutation(len(exchanges))
        # as few rows as the limit allows, of like length: a short rest would be filled up to the others' length
        for part in np.array_split(order, -(-len(order) // most)):
            chunks.append((image_id, [exchanges[i] for i in part]))
    sizes = store.photos().select(["image_id", "width", "height"]).to_pydict()
    size_of = {i: (w, h) for i, w, h in zip(sizes["image_id"], sizes["width"], sizes["height"])}
    written = {size: photo_tokens(size) for size in dict.fromkeys(size_of[i] for i, _ in chunks)}
    kept: list[tuple[str, Tokens]] = []
    questions = 0
    for (image_id, exchanges), tokens in zip(chunks, _encode(encoder, [e for _, e in chunks], data.turns)):
        reason = _too_long(tokens, written[size_of[image_id]].longer, data.max_length, positions)
        if reason:
            left_out.append(LeftOut(str(store.photo_path(image_id)), len(exchanges), reason))
        else:
            kept.append((image_id, tokens))
            questions += len(exchanges)
    if not kept:
        why = f": {left_out[0].image}: {left_out[0].reason}" if left_out else ""
        raise InputError(f"{store.root}: no questions left to train on{why}")
    used = {image_id for image_id, _ in kept}
    return Rows(
        [image_id for image_id, _ in kept],
        {image_id: size_of[image_id] for image_id in used},
        written,
        encoder.image_id,
        [tokens for _, tokens in kept],
        left_out,
        questions,
    )


def _questions(store: Store, data: DataSection) -> tuple[dict[str, list[Exchange]], list[LeftOut]]:
    """image_id -> its questions, both in the data folder's order; and what balance left out."""
    table = store.questions(["question_id", "image_id", "task", "messages", *(["evidence"] if data.balance else [])])
    if data.tasks is not None:
        known = sorted(set(table["task"].to_pylist()))
        if unknown := [task for task in data.tasks if task not in known]:
            raise InputError(
                f"{store.root}: data.tasks names {unknown[0]!r}; the questions there are: {', '.join(known)}"
            )
        table = table.filter(pc.is_in(table["task"], pa.array(data.tasks)))
    if data.photos is not None:
        table = table.filter(pc.is_in(table["image_id"], table["image_id"].unique()[: data.photos]))
    thinned: set[str] = set()
    if data.balance:  # one at a time: the evidence of a million questions would not fit
        told = (json.loads(each.as_py()) for each in table["evidence"])
        thinned = shortcuts_to_drop(zip(table["question_id"].to_pylist(), told))
    by_photo: dict[str, list[Exchange]] = {}
    columns = (table[name].to_pylist() for name in ("question_id", "image_id", "messages"))
    for question_id, image_id, messages in zip(*columns):
        if question_id not in thinned:
            by_photo.setdefault(image_id, []).append(_exchange(json.loads(messages), question_id))
    if not thinned:
        return by_photo, []
    return by_photo, [LeftOut(str(store.root), len(thinned), "a rule in the flat picture answers them (data.balance)")]


def _exchange(messages: list[dict[str, Any]], question_id: str) -> Exchange:
    if [m.get("role") for m in messages] != ["user", "assistant"]:
        raise InputError(f"question {question_id}: messages must be one question of the user and one answer")
    return messages[0], messages[1]


def _encode(encoder: TurnEncoder, rows: Sequence[Sequence[Exchange]], turns: str) -> Iterator[Tokens]:
    if turns == "chat":
        yield from map(encoder.chat, rows)
        return
    per_call = max(1, _ENCODED_TOGETHER // max((len(r) for r in rows), default=1))
    for start in range(0, len(rows), per_call):
        part = rows[start : start + per_call]
        singles = iter(encoder.single([exchange for row in part for exchange in row]))
        for row in part:
            yield encoder.pack([next(singles) for _ in row])


def _too_long(tokens: Tokens, longer: int, max_length: int, positions: int | None) -> str | None:
    """Why a row cannot be trained on without cutting it, or None."""
    length = len(tokens.ids) + longer
    if length > max_length:
        return f"the row has {length} tokens, more than data.max_length={max_length}"
    shared = int((tokens.turn == 0).sum())
    longest = int(np.bincount(tokens.turn)[1:].max(initial=0)) + shared + longer
    if positions is not None and longest > positions:
        return f"a conversation has {longest} tokens, more than the {positions} positions of the language model"
    return None


class StepSampler(torch.utils.data.Sampler[int]):
    """`total` row numbers: one shuffle of all rows after another, each decided by the seed and its number alone.

    One long stream instead of epochs, so that every batch is full, and the k-th batch is the same whatever the arm.

    Args:
        rows: how many there are.
        total: how many are drawn.
        seed: of the shuffles.
        lengths: (rows,) tokens of every row. With it, rows of like length come in one batch: within every `WINDOW`
            batches rows are sorted into batches by length, and the batches are shuffled. Without it shorter rows are
            filled up to the longest of a random batch, which makes a seventh of all work useless.
        batch: rows of a batch.
    """

    WINDOW = 8

    def __init__(self, rows: int, total: int, seed: int, lengths: NDArray[np.int64] | None = None, batch: int = 1):
        self.rows, self.total, self.seed, self.lengths, self.batch = rows, total, seed, lengths, batch

    def __len__(self) -> int:
        return self.total

    def __iter__(self) -> Iterator[int]:
        stream = self._stream()
        if self.lengths is None:
            yield from stream
            return
        number = 0
        while window := list(islice(stream, self.WINDOW * self.batch)):
            window.sort(key=self.lengths.__getitem__)
            batches = [window[i : i + self.batch] for i in range(0, len(window), self.batch)]
            for index in np.random.default_rng([self.seed, number, 1]).permutation(len(batches)):
                yield from batches[index]
            number += 1

    def _stream(self) -> Iterator[int]:
        for start in range(0, self.total, self.rows):
            order = np.random.default_rng([self.seed, start // self.rows]).permutation(self.rows)
            yield from order[: self.total - start].tolist()

"""Rows of training from a data folder: one photo with some of its questions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pseudogd.errors import InputError
from pseudogd.store.dataset import Store
from pseudogd.store.pictures import from_key, picture_key
from pseudogd.training.balance import balance_of
from pseudogd.training.messages import Exchange
from pseudogd.training.rows import LeftOut, Limits, Piece, Rows, Size, WrittenPhotos
from pseudogd.training.sections import DataSection
from pseudogd.training.tokens import PhotoTokens, Tokens
from pseudogd.training.turns import TurnEncoder

_ENCODED_TOGETHER = 4096


def build_rows(
    store: Store,
    encoder: TurnEncoder,
    data: DataSection,
    seed: int,
    photo_tokens: Callable[[Size, int], PhotoTokens],
    positions: int | None = None,
    max_turns: int | None = None,
) -> Rows:
    """Rows without a mix: every question, with the geometry of its photo.

    Args:
        store: a data folder with questions.
        encoder: writes the tokens.
        data: the recipe's section.
        seed: of the shuffle; the rows depend on nothing else but the data.
        photo_tokens: (size, together) -> the tokens that a photo of (width, height) becomes, see `WrittenPhotos`.
        positions: how many positions the language model has; None if it does not say.
        max_turns: questions that the family can have in a row, whatever `data.turns_per_row` says; None for any number.

    Raises:
        InputError: an unknown task, or nothing is left to train on.
    """
    sizes, written = photo_sizes(store), WrittenPhotos(photo_tokens)
    limits = Limits(data.max_length, positions, max_turns)
    rows, left_out = question_rows(store, encoder, data, seed, sizes, written, limits)
    return Rows(rows, written, encoder.image_id, left_out)


def photo_sizes(store: Store) -> dict[str, Size]:
    """(width, height) of every photo with geometry, in the data folder's order."""
    sizes = store.photos().select(["image_id", "width", "height"]).to_pydict()
    return {i: (w, h) for i, w, h in zip(sizes["image_id"], sizes["width"], sizes["height"])}


def question_rows(
    store: Store,
    encoder: TurnEncoder,
    data: DataSection,
    seed: int,
    sizes: dict[str, Size],
    written: WrittenPhotos,
    limits: Limits,
) -> tuple[list[Piece], list[LeftOut]]:
    """Read the questions, shuffle them within each photo and cut them into rows.

    Raises:
        InputError: an unknown task, or no question is left.
    """
    by_photo, left_out = _questions(store, data)
    chunks: list[tuple[str, list[Exchange]]] = []
    pictures: dict[str, Path] = {}
    most = min(data.turns_per_row, limits.max_turns or data.turns_per_row)
    for key, exchanges in by_photo.items():
        image_id, picture = from_key(key)
        pictures[key] = path = store.picture_path(image_id, picture)
        if not path.is_file():
            gone = "the photo is no longer there" if picture is None else "the marked picture is no longer there"
            left_out.append(LeftOut(str(path), len(exchanges), gone))
            continue
        order = np.random.default_rng([seed, int(image_id[:12], 16)]).permutation(len(exchanges))
        # as few rows as the limit allows, of like length: a short rest would be filled up to the others' length
        for part in np.array_split(order, -(-len(order) // most)):
            chunks.append((key, [exchanges[i] for i in part]))
    kept: list[Piece] = []
    for (key, exchanges), tokens in zip(chunks, _encode(encoder, [e for _, e in chunks], data.turns)):
        size = sizes[from_key(key)[0]]
        try:
            reason = limits.broken_by(tokens, written.longer([size]))
        except InputError as error:  # the processor does not take every shape
            reason = str(error)
        if reason:
            left_out.append(LeftOut(str(pictures[key]), len(exchanges), reason))
        else:
            kept.append(Piece((key,), (size,), tokens, "both", len(exchanges)))
    if not kept:
        why = f": {left_out[0].image}: {left_out[0].reason}" if left_out else ""
        raise InputError(f"{store.root}: no questions left to train on{why}")
    return kept, left_out


def _questions(store: Store, data: DataSection) -> tuple[dict[str, list[Exchange]], list[LeftOut]]:
    """What is looked at -> its questions, both in the data folder's order; and what balance left out.

    What is looked at is a photo, or a copy of it with marks (`picture_key`): a row has one picture.
    """
    table = store.questions(
        ["question_id", "image_id", "picture", "task", "messages", *(["evidence"] if data.balance else [])]
    )
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
        thinned = balance_of(store)(zip(table["question_id"].to_pylist(), told))
        thinned &= set(table["question_id"].to_pylist())
    by_photo: dict[str, list[Exchange]] = {}
    columns = (table[name].to_pylist() for name in ("question_id", "image_id", "picture", "messages"))
    for question_id, image_id, picture, messages in zip(*columns):
        if question_id not in thinned:
            by_photo.setdefault(picture_key(image_id, picture), []).append(_exchange(json.loads(messages), question_id))
    if not thinned:
        return by_photo, []
    return by_photo, [LeftOut(str(store.root), len(thinned), "they can be answered without looking (data.balance)")]


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

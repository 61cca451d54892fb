"""Rows of several kinds in fixed shares: which photos give which kind of row, and how many conversations are needed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

from pseudogd.errors import InputError
from pseudogd.store.conversations import Conversations
from pseudogd.store.dataset import Store
from pseudogd.store.pictures import from_key
from pseudogd.training import ranks
from pseudogd.training.arms import total_steps
from pseudogd.training.dataset import photo_sizes, question_rows
from pseudogd.training.general import GeneralEncoder
from pseudogd.training.order import epoch_rows
from pseudogd.training.recipe import Recipe
from pseudogd.training.rows import LeftOut, Limits, Piece, Rows, Size, WrittenPhotos
from pseudogd.training.sections import KINDS, DataSection, MixSection
from pseudogd.training.tokens import PhotoTokens
from pseudogd.training.turns import TurnEncoder


@dataclass(frozen=True)
class Reader:
    """The student as far as rows depend on it.

    Attributes:
        encoder: writes the tokens. photo_tokens: those that a photo becomes, see `WrittenPhotos`.
        positions, max_turns: see `Limits`.
    """

    encoder: TurnEncoder
    photo_tokens: Callable[[Size, int], PhotoTokens]
    positions: int | None = None
    max_turns: int | None = None


def mixed_rows(recipe: Recipe, store: Store, reader: Reader, general: Conversations | None) -> Rows:
    """The rows of a recipe with `data.mix`.

    Photos with questions are split between `both` and `vqa` so that both last equally long (`split_photos`).
    `geometry` has every photo that gives no question here, and others where those are too few (`geometry_photos`).
    Of `general` as many conversations are read as the run will draw.

    Raises:
        InputError: a kind that is asked for has no rows.
    """
    mix = recipe.data.mix
    assert mix is not None
    written = WrittenPhotos(reader.photo_tokens)
    limits = Limits(recipe.data.max_length, reader.positions, reader.max_turns)
    pieces: list[Piece] = []
    left_out: list[LeftOut] = []
    if recipe.uses_questions:
        sizes = photo_sizes(store)
        pieces, left_out = question_rows(store, reader.encoder, recipe.data, recipe.seed, sizes, written, limits)
        kind_of = split_photos([_photo_of(piece) for piece in pieces], mix, recipe.seed)
        pieces = [replace(piece, kind=kind_of[_photo_of(piece)]) for piece in pieces]
    if mix.geometry:
        alone, missing = _geometry_rows(recipe, store, reader.encoder, pieces, written, limits)
        known = {item.image for item in left_out}
        pieces, left_out = pieces + alone, left_out + [item for item in missing if item.image not in known]
    if general is not None:
        maker = GeneralEncoder(reader.encoder, written, limits)
        spoken, refused = maker.rows(general, _draws(recipe, pieces), recipe.seed)
        pieces, left_out = pieces + spoken, left_out + refused
    _check_kinds(recipe, pieces, left_out)
    return Rows(pieces, written, reader.encoder.image_id, left_out, mix.shares)


def _geometry_rows(
    recipe: Recipe, store: Store, encoder: TurnEncoder, asked: Sequence[Piece], written: WrittenPhotos, limits: Limits
) -> tuple[list[Piece], list[LeftOut]]:
    """Rows with geometry alone, beside the rows with questions `asked`; and photos that cannot be used."""
    only, sizes = encoder.only_photo(), photo_sizes(store)
    usable, left_out = [], []
    for image_id, size in sizes.items():
        path = store.photo_path(image_id)
        try:
            gone = None if path.is_file() else "the photo is no longer there"
            reason = gone or limits.broken_by(only, written.longer([size]))
        except InputError as error:  # the processor does not take every shape
            reason = str(error)
        if reason:
            left_out.append(LeftOut(str(path), 0, reason))
        else:
            usable.append(image_id)
    chosen = geometry_photos(usable, asked, recipe.data, recipe.seed)
    return [Piece((image_id,), (sizes[image_id],), only, "geometry") for image_id in chosen], left_out


def split_photos(image_ids: Sequence[str], mix: MixSection, seed: int) -> dict[str, str]:
    """image_id -> "both" or "vqa", given the photo of every row with questions.

    Photos come in the order of `shuffled`, and each goes with all of its rows to the kind that is furthest behind its
    share of rows.
    """
    share = {kind: Fraction(str(getattr(mix, kind))) for kind in ("both", "vqa")}
    rows, behind, kind_of = Counter(image_ids), dict.fromkeys(share, Fraction(0)), {}
    for image_id in shuffled(rows, seed):
        for kind in share:
            behind[kind] += share[kind] * rows[image_id]
        kind_of[image_id] = max(behind, key=behind.__getitem__)
        behind[kind_of[image_id]] -= sum(share.values()) * rows[image_id]
    return kind_of


def geometry_photos(usable: Sequence[str], asked: Sequence[Piece], data: DataSection, seed: int) -> list[str]:
    """The photos of rows with geometry alone.

    First all photos that no row asks about (the first `data.photos` of them). Where those are fewer than geometry's
    share of one pass over the rows with questions: photos of `vqa`, whose geometry nothing else teaches, then those of
    `both`.

    Args:
        usable: photos that can be read, in the data folder's order.
        asked: the rows with questions.
    """
    mix = data.mix
    assert mix is not None
    kind_of = {_photo_of(piece): piece.kind for piece in asked}
    chosen = [image_id for image_id in usable if image_id not in kind_of][: data.photos]
    if not asked:
        return chosen
    wanted = ceil(len(asked) * Fraction(str(mix.geometry)) / (Fraction(str(mix.both)) + Fraction(str(mix.vqa))))
    for kind in ("vqa", "both"):
        spare = shuffled([image_id for image_id in usable if kind_of.get(image_id) == kind], seed)
        chosen += spare[: max(0, wanted - len(chosen))]
    return chosen


def _photo_of(piece: Piece) -> str:
    """The photo of a row with questions, also of one that shows a marked copy of it."""
    return from_key(piece.photos[0])[0]


def shuffled(image_ids: Iterable[str], seed: int) -> list[str]:
    """Ids in an order that they and the seed decide, each for itself: further ids do not change the order of others."""
    return sorted(image_ids, key=lambda image_id: hashlib.sha256(f"{seed} {image_id}".encode()).digest())


def _draws(recipe: Recipe, pieces: Sequence[Piece]) -> int | None:
    """How many conversations the run draws; None (all) where there are no other rows to say how long an epoch is."""
    assert recipe.data.mix is not None
    shares, optim = recipe.data.mix.shares, recipe.optim
    if optim.steps is None and not pieces:
        return None
    counts = Counter(piece.kind for piece in pieces)
    steps = total_steps(recipe, epoch_rows(shares, [counts[kind] for kind in KINDS]) if pieces else 0)
    share = Fraction(str(recipe.data.mix.general)) / sum(Fraction(str(s)) for s in shares)
    return ceil(steps * optim.batch_size * optim.grad_accum * ranks.world() * share)


def _check_kinds(recipe: Recipe, pieces: Sequence[Piece], left_out: Sequence[LeftOut]) -> None:
    found = {piece.kind for piece in pieces}
    for kind, share in zip(KINDS, recipe.data.mix.shares if recipe.data.mix else ()):
        if not share or kind in found:
            continue
        if kind == "general":
            raise InputError(f"{recipe.data.general}: no conversations left to train on{_first(left_out)}")
        if kind == "geometry":
            raise InputError(f"{recipe.data.path}: no photos left to learn geometry from{_first(left_out)}")
        raise InputError(
            f"{recipe.data.path}: data.mix.{kind}={share:g} asks for rows, but photos with questions are too few to "
            "give it any; raise the share, set it to 0, or use more photos"
        )


def _first(left_out: Sequence[LeftOut]) -> str:
    return f" ({left_out[-1].image}: {left_out[-1].reason})" if left_out else ""

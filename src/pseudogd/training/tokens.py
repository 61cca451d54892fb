"""Tokens of a row: what is learnt, what may be seen, and photos put in the place of their placeholders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Tokens:
    """A row of T tokens with every photo as one placeholder.

    Attributes:
        ids: (T,) int32, int64 once photos are written out.
        learn: (T,) bool, tokens of answers.
        turn: (T,) int16. Tokens of turn 0 are seen by every later token; a token of turn k > 0 is seen by its own turn.
    """

    ids: NDArray[np.integer[Any]]
    learn: NDArray[np.bool_]
    turn: NDArray[np.int16]


@dataclass(frozen=True)
class PhotoTokens:
    """The tokens that a processor writes for one photo instead of its placeholder.

    Attributes:
        ids: the tokens.
        before: how many tokens in front of the placeholder they replace too: words that run into one token with the
            photo's first (line breaks, mostly).
    """

    ids: NDArray[np.int64]
    before: int = 0

    @property
    def longer(self) -> int:
        """By how many tokens a row grows when they are put in."""
        return len(self.ids) - 1 - self.before


def with_photos(tokens: Tokens, image_token: int, photos: Sequence[PhotoTokens]) -> Tokens:
    """A row with the tokens of its photos instead of their placeholders, in order; ids are int64 then."""
    places = np.flatnonzero(tokens.ids == image_token)
    ids, learn, turn = [], [], []
    done = 0
    for at, photo in zip(places, photos):
        words = slice(done, at - photo.before)
        ids += [tokens.ids[words], photo.ids]
        learn += [tokens.learn[words], np.zeros(len(photo.ids), np.bool_)]
        turn += [tokens.turn[words], np.full(len(photo.ids), tokens.turn[at])]
        done = at + 1
    parts = ([*ids, tokens.ids[done:]], [*learn, tokens.learn[done:]], [*turn, tokens.turn[done:]])
    whole = [np.concatenate(part) for part in parts]
    return Tokens(whole[0].astype(np.int64), *whole[1:])

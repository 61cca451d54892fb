"""Conversations of any content as rows, by the checkpoint's own chat template: against forgetting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jinja2 import TemplateError
from PIL import Image

from pseudogd.errors import InputError
from pseudogd.store.conversations import Conversation, Conversations, Unusable
from pseudogd.training.rows import LeftOut, Limits, Piece, Size, WrittenPhotos
from pseudogd.training.tokens import PhotoTokens, Tokens
from pseudogd.training.turns import TurnEncoder

_READ_TOGETHER = 4096


@dataclass
class GeneralEncoder:
    """Makes rows of conversations.

    Attributes:
        encoder: writes the tokens. written: those of photos. limits: of a row.
    """

    encoder: TurnEncoder
    written: WrittenPhotos
    limits: Limits
    _alone: dict[tuple[int, ...], bool] = field(default_factory=lambda: {(): True})

    def rows(self, conversations: Conversations, wanted: int | None, seed: int) -> tuple[list[Piece], list[LeftOut]]:
        """Conversations in an order that the seed decides, until there are `wanted` (None: all); and the unusable."""
        order = np.random.default_rng([seed, len(conversations), 3]).permutation(len(conversations))
        kept: list[Piece] = []
        left_out: list[LeftOut] = []
        done = 0
        while done < len(order) and (wanted is None or len(kept) < wanted):
            room = _READ_TOGETHER if wanted is None else min(_READ_TOGETHER, wanted - len(kept))
            part = sorted(order[done : done + room].tolist())  # neighbours are read together
            done += len(part)
            for row in conversations.rows(part):
                made = row if isinstance(row, Unusable) else self._row(row)
                if isinstance(made, Unusable):
                    left_out.append(LeftOut(made.where, 0, made.reason))
                else:
                    kept.append(made)
        return kept, left_out

    def _row(self, row: Conversation) -> Piece | Unusable:
        answers = sum(message["role"] == "assistant" for message in row.messages)
        most = self.limits.max_turns
        if most is not None and answers > most:
            return Unusable(row.where, f"has {answers} answers, and this family of models reads {most} in one row")
        try:
            return self._encoded(row)
        except TemplateError as error:
            return Unusable(row.where, f"the chat template refuses it ({error})")
        except (InputError, TypeError) as error:
            return Unusable(row.where, str(error))

    def _encoded(self, row: Conversation) -> Piece:
        tokens = self.encoder.conversation(row.messages)
        count = int((tokens.ids == self.encoder.image_id).sum())
        pictures, sizes = row.pictures[:count], row.sizes[:count]  # those after the last answer are gone
        photos = self._as_alone(row, tokens, sizes)
        if photos is None:
            tokens = self.encoder.with_images(row.messages, tokens, _blank(sizes))
        if reason := self.limits.broken_by(tokens, sum(photo.longer for photo in photos or ())):
            raise InputError(reason)
        return Piece(pictures, sizes, tokens, "general", whole=photos is None)

    def _as_alone(self, row: Conversation, tokens: Tokens, sizes: Sequence[Size]) -> tuple[PhotoTokens, ...] | None:
        """What each picture becomes, if it is the same as alone in a question.

        Whether it is depends on the tokens around the pictures, and the processor is asked once for each such.
        """
        places = np.flatnonzero(tokens.ids == self.encoder.image_id)
        around = tuple(int(t) for at in places for t in tokens.ids[max(at - 2, 0) : at + 2])
        if not self._alone.get(around, True):
            return None
        try:
            photos = self.written.of(sizes)
            if around not in self._alone:
                self._alone[around] = self.encoder.written_as_alone(row.messages, _blank(sizes), photos)
        except InputError:  # the row itself may still be written
            return None
        return photos if self._alone[around] else None


def _blank(sizes: Sequence[Size]) -> list[Image.Image]:
    return [Image.new("RGB", size) for size in sizes]

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
    _alone: dict[tuple[int, ...], bool] = field(default_factory=dict)

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
            tokens = self.encoder.conversation(row.messages)
            count = int((tokens.ids == self.encoder.image_id).sum())
            pictures, sizes = row.pictures[:count], row.sizes[:count]  # those after the last answer are gone
            photos = self.written.of(sizes)
            if reason := self.limits.broken_by(tokens, sum(photo.longer for photo in photos)):
                return Unusable(row.where, reason)
            if photos and not self._as_alone(row, tokens, sizes, photos):
                return Unusable(
                    row.where, "the processor writes these pictures otherwise than each alone in a question"
                )
        except (TemplateError, TypeError) as error:
            return Unusable(row.where, f"the chat template refuses it ({error})")
        except InputError as error:
            return Unusable(row.where, str(error))
        return Piece(pictures, sizes, tokens, "general")

    def _as_alone(
        self, row: Conversation, tokens: Tokens, sizes: Sequence[Size], photos: Sequence[PhotoTokens]
    ) -> bool:
        """Whether the row's tokens are what the processor would write; asked once for every surrounding of pictures."""
        places = np.flatnonzero(tokens.ids == self.encoder.image_id)
        around = tuple(int(t) for at in places for t in tokens.ids[max(at - 2, 0) : at + 2])
        if around not in self._alone:
            images = [Image.new("RGB", size) for size in sizes]
            self._alone[around] = self.encoder.written_as_alone(row.messages, images, photos)
        return self._alone[around]

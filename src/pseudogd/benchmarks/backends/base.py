"""What the runner asks of a backend: replies to requests, and who it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Request:
    """One question to ask: a picture, the whole text of the user's turn, and how long the reply may be."""

    image: Path
    image_id: str
    text: str
    max_new_tokens: int


class Backend(Protocol):
    """A model that can be asked. Replies must not depend on which requests stand together in one call."""

    def identity(self) -> dict[str, Any]:
        """Everything that replies depend on beside the requests: model, weights, precision, decoding."""

    def generate(self, requests: Sequence[Request]) -> list[str]:
        """One reply per request, in their order."""
